import { parseArgs } from "node:util";

export interface Options {
  /** WebSocket clients; 200 unless given. */
  readonly clients: number;
  /** How long each phase lasts; 3 unless given. */
  readonly seconds: number;
  /** Where the figures go as JSON; nowhere unless given. */
  readonly json: string | undefined;
}

export const usage = `usage: npm start -- [--clients N] [--seconds N] [--json FILE]
  --clients N   WebSocket clients (200)
  --seconds N   how long each phase lasts (3)
  --json FILE   write the figures there, too`;

/** Reads the command line; throws what is wrong with it. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: { clients: { type: "string" }, seconds: { type: "string" }, json: { type: "string" } },
  });
  const { clients = "200", seconds = "3", json } = values;
  return { clients: positive("--clients", clients), seconds: positive("--seconds", seconds), json };
}

function positive(option: string, text: string): number {
  const number = Number(text);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new Error(`${option} ${text} is not a number above 0`);
}
