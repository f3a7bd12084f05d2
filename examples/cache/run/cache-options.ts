import { parseArgs } from "node:util";

export interface CacheOptions {
  /** Size of all values, MiB; 1024 unless given. */
  readonly mib: number;
  /** How long each phase lasts; 3 unless given. */
  readonly seconds: number;
  /** Where the figures go as JSON; nowhere unless given. */
  readonly json: string | undefined;
}

export const usage = `usage: npm run example:cache -- [--mib N] [--seconds N] [--json FILE]
  --mib N       size of all entries, MiB (1024)
  --seconds N   how long each phase lasts (3)
  --json FILE   write the figures there, too`;

/** Reads the command line; throws what is wrong with it. */
export function parseOptions(args: readonly string[]): CacheOptions {
  const { values } = parseArgs({
    args: [...args],
    options: { mib: { type: "string" }, seconds: { type: "string" }, json: { type: "string" } },
  });
  const { mib = "1024", seconds = "3", json } = values;
  return { mib: positive("--mib", mib), seconds: positive("--seconds", seconds), json };
}

function positive(option: string, text: string): number {
  const number = Number(text);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new Error(`${option} ${text} is not a number above 0`);
}
