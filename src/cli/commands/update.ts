import { type CheckResult, formatText } from "../../check/index.ts";
import { type ErrorDetails, isKstateError, toErrorRecord } from "../../error/index.ts";
import type { ControlRequest, UpdateResult } from "../../supervisor/index.ts";
import { ask } from "../ask.ts";
import type { CommandLine } from "../command-line.ts";
import { droppedText } from "../dropped-text.ts";
import { print, printError } from "../print.ts";

/** Replaces the running program by its next version. */
export function update(line: CommandLine): Promise<number> {
  const { command, environment, environmentFiles, timeouts, force, rehearse, dropStalled, standbyMs } = line;
  return request(line, {
    type: "update",
    command,
    environment,
    environmentFiles,
    timeouts,
    force,
    rehearse,
    dropStalled,
    standbyMs,
  });
}

/** Replaces the running program by its previous version. */
export function rollback(line: CommandLine): Promise<number> {
  const { timeouts, rehearse, dropStalled, standbyMs } = line;
  return request(line, { type: "rollback", timeouts, rehearse, dropStalled, standbyMs });
}

async function request({ name, json }: CommandLine, request: ControlRequest): Promise<number> {
  try {
    const result = (await ask(name, request, (text) => {
      if (!json) printError(`kstate: ${text}`);
    })) as UpdateResult;
    print(json ? JSON.stringify({ outcome: "committed", ...result }) : describe(result));
    return 0;
  } catch (error) {
    if (json && isKstateError(error))
      print(JSON.stringify({ outcome: "failed", error: toErrorRecord(error) }));
    else if (isKstateError(error, "UPDATE_REFUSED") && !isAboutMemory(error.detail))
      printError(reportOf(error.detail as Refused));
    throw error;
  }
}

/** Nothing was compared: there is no room for a second program. */
function isAboutMemory({ findings }: ErrorDetails["UPDATE_REFUSED"]): boolean {
  return findings.some(({ rule }) => rule === "memory-limit");
}

/** What a program that refuses says of its check. */
type Refused = Pick<CheckResult, "verdict" | "findings">;

/** What `kstate check` would have said of it. */
function reportOf(result: Refused): string {
  const side = { old: "running program", new: "next version", notCompared: [], ...result };
  return formatText(
    { verdict: result.verdict, comparisons: [side] },
    { colour: process.stderr.isTTY === true && !process.env.NO_COLOR, linesOf: () => undefined },
  );
}

function describe({ pid, command, figures, totalMs }: UpdateResult): string {
  const moved =
    figures === null
      ? ""
      : `\n  blackout ${figures.blackoutMs.toFixed(1)} ms, quiesce ${figures.quiesceMs.toFixed(1)} ms, ` +
        `state ${figures.streamBytes} bytes, ${figures.httpConnections} HTTP connections, ${figures.webSockets} WebSockets` +
        (figures.otherConnections > 0 ? `, ${figures.otherConnections} other connections` : "") +
        droppedText(figures)
          .map((text) => `\n  ${text}`)
          .join("");
  return `updated in ${(totalMs / 1000).toFixed(2)} s: ${pid} serves: ${command.join(" ")}${moved}`;
}
