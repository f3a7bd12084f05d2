import { readFileSync } from "node:fs";
import { stateFile } from "../../carrier/index.ts";
import { parseLockRecord } from "../../description/index.ts";
import { DEFAULT_TIMEOUTS, type SuspendResult } from "../../supervisor/index.ts";
import { ask } from "../ask.ts";
import { absoluteAddress } from "../carrier-option.ts";
import type { CommandLine } from "../command-line.ts";
import { droppedText } from "../dropped-text.ts";
import { print, printError } from "../print.ts";
import { usage } from "../usage.ts";

/** How long a program waits frozen for its state to be kept, ms: media are slow, and nobody is served anyway. */
const FREEZE_MS = 600_000;

/** Suspends a service into a carrier, or to standard output. */
export async function suspend(line: CommandLine): Promise<number> {
  const { name, json } = line;
  const to = line.to ?? `file:${stateFile(name, process.env)}`;
  const isStream = to === "-";
  if (isStream && process.stdout.isTTY)
    throw usage("--to - writes the state to standard output: give it a file or a pipe");
  const result = await requestSuspend(line, isStream ? null : absoluteAddress(to), json);
  const say = isStream ? printError : print;
  say(
    json
      ? JSON.stringify({ outcome: "suspended", ...result })
      : [...describe(name, isStream ? null : to, result), whatNext(line, to, result)].join("\n"),
  );
  return 0;
}

/** Asks for it; `to` is absolute, or null for standard output. */
export async function requestSuspend(
  { name, lockFile, partBytes, timeouts, detachedMs, dropStalled }: CommandLine,
  to: string | null,
  quiet: boolean,
): Promise<SuspendResult> {
  const lock = lockFile === null ? null : parseLockRecord(readFileSync(lockFile, "utf8"));
  const progress = (text: string): void => {
    if (!quiet) printError(`kstate: ${text}`);
  };
  const freezeMs = timeouts.freezeMs === DEFAULT_TIMEOUTS.freezeMs ? FREEZE_MS : timeouts.freezeMs;
  const request = {
    type: "suspend",
    to,
    partBytes,
    lock,
    timeouts: { ...timeouts, freezeMs },
    detachedMs,
    dropStalled,
  } as const;
  return (await ask(name, request, progress, toStandardOutput)) as SuspendResult;
}

function toStandardOutput(bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

/** What was suspended, for people. */
export function describe(name: string, to: string | null, result: SuspendResult): string[] {
  const { image, streamBytes, folios, connections, quiesceMs, saveMs, keepMs, totalMs } = result;
  return [
    `${name}: suspended${to === null ? "" : ` to ${to}`} in ${(totalMs / 1000).toFixed(2)} s, generation ${image.generation}`,
    `  image ${image.sizeBytes} bytes: state ${streamBytes}, ${folios} folios; ${connections} connections ended`,
    `  quiesce ${quiesceMs.toFixed(1)} ms, save ${saveMs.toFixed(1)} ms, keep ${keepMs.toFixed(1)} ms`,
    ...droppedText(result).map((text) => `  ${text}`),
  ];
}

/** How the service goes on: here, in the next kernel, or on another host. */
function whatNext({ name, to: given }: CommandLine, to: string, { isHeld }: SuspendResult): string {
  const there = given === null ? `resume --name ${name}` : `run --name ${name} --from ${to}`;
  if (!isHeld) return `  "kstate ${there} -- COMMAND" goes on with it`;
  const [until, stop] =
    to === "-"
      ? ["you have it elsewhere", "when the other side serves; never let both serve"]
      : ["the next kexec", "gives it up"];
  return (
    `  the supervisor holds it until ${until}: "kstate resume --name ${name}" goes on here, ` +
    `"kstate stop --name ${name}" ${stop}`
  );
}
