import { findSuspended } from "../../carrier/index.ts";
import { isKstateError, KstateError } from "../../error/index.ts";
import type { ResumeResult } from "../../supervisor/index.ts";
import { ask } from "../ask.ts";
import type { CommandLine } from "../command-line.ts";
import { print } from "../print.ts";
import { usage } from "../usage.ts";
import { serve } from "./run.ts";

/**
 * Resumes a service: by its supervisor, when that still holds the state; otherwise from what waits in a LUO session, on
 * DAX or in the state file, under a new supervisor.
 */
export async function resume(line: CommandLine): Promise<number> {
  const { name, json, command, environment, environmentFiles, staleOk } = line;
  try {
    const request = { type: "resume", command, environment, environmentFiles } as const;
    const result = (await ask(name, request)) as ResumeResult;
    print(json ? JSON.stringify({ outcome: "resumed", ...result }) : describe(name, result));
    return 0;
  } catch (error) {
    if (!isKstateError(error, "NO_SUPERVISOR")) throw error;
  }
  const waiting = findSuspended(name, process.env, { staleOk });
  if (waiting !== undefined) {
    if (command === null) throw usage(`no command: kstate resume --name ${name} -- node app.js`);
    return serve(line, waiting);
  }
  throw new KstateError(
    "NOTHING_SUSPENDED",
    `cannot resume ${name}: no supervisor holds it, and there is no LUO session ${name}, no ${name}.kstate on DAX and no state file; ` +
      "say where it is with kstate run --from",
    { carrier: name },
  );
}

function describe(name: string, { pid, carrier, figures }: ResumeResult): string {
  const load =
    figures === null ? "" : `\n  load ${figures.loadMs.toFixed(1)} ms, state ${figures.streamBytes} bytes`;
  return `${name}: ${pid} serves, resumed from ${carrier}${load}`;
}
