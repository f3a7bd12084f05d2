/**
 * Standard error of a process that a service hangs on. Whoever reads it may stop reading: what Node writes to a full pipe
 * or socket then waits, and the whole supervisor with it. Here nothing waits.
 *
 * O_NONBLOCK is a property of what was opened, which the programs and the shell share: it is never set on the inherited
 * descriptor, and `process.stderr` is not touched either, as Node would set it there.
 */
import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { isKstateError } from "../error/index.ts";
import { POLL, poll, sendBytes } from "../memory/index.ts";
import { LogQueue, type WriteOutcome } from "./log-queue.ts";
import { printError, printErrorsTo } from "./print.ts";

const STDERR = 2;
/** As much as a pipe that can be written to takes at once (PIPE_BUF). */
const ATOMIC_BYTES = 4096;
/** Only while lines wait: to be told, the descriptor had to be one that does not block. */
const RETRY_MS = 100;

type Write = (bytes: Uint8Array) => WriteOutcome;

/**
 * From now on no line that this process prints to standard error is waited for, whoever prints it: `printError`, a warning
 * of Node's, an error that nobody caught. Lines that nobody reads are counted, and the count is printed when they flow
 * again. At the exit what is taken without waiting is written.
 */
export function logWithoutWaiting(): void {
  const write = process.platform === "linux" ? wayTo(STDERR) : undefined;
  if (write === undefined) return; // no service can run here: only the reason is printed
  const queue = new LogQueue(write, (flush) => void setTimeout(flush, RETRY_MS).unref());
  printErrorsTo((text) => queue.add(text));
  takeWarnings();
  process.on("uncaughtException", (error: unknown) => {
    printError(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exit(1); // as Node does, which would wait for its last words to be read
  });
  process.on("exit", () => queue.flush());
}

/** How a descriptor is written to without waiting. Undefined where the system calls for it cannot be made. */
function wayTo(descriptor: number): Write | undefined {
  try {
    const found = fstatSync(descriptor);
    // A disk is not waited for in this sense; a second opening would have a position of its own and overwrite.
    if (found.isFile()) return (bytes) => attempt(() => writeSync(descriptor, bytes));
    if (!found.isSocket()) {
      const own = reopened(descriptor);
      if (own !== undefined) return (bytes) => attempt(() => writeSync(own, bytes));
    }
    poll([{ fd: descriptor, events: POLL.out }], 0); // throws where there is no such call
    return found.isSocket()
      ? (bytes) => attempt(() => sendBytes(descriptor, bytes)) // one cannot be opened again, but asked not to wait
      : (bytes) => writeIfReady(descriptor, bytes);
  } catch (error) {
    if (isKstateError(error, "PLATFORM_UNSUPPORTED")) return undefined;
    return () => ({ failed: codeOf(error) }); // it was closed, and may be another's by now
  }
}

/** A pipe or terminal, opened once more so that it does not block; undefined where that is refused. */
function reopened(descriptor: number): number | undefined {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return openSync(`/proc/self/fd/${descriptor}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return undefined; // no /proc, a pipe of another user, one without a reader
  }
}

/**
 * For what cannot be opened again. A pipe that polls as writable has room for a page, and takes PIPE_BUF bytes at once, so
 * that writing as much does not block, unless another process that has the pipe fills that page in between.
 */
function writeIfReady(descriptor: number, bytes: Uint8Array): WriteOutcome {
  return attempt(() => {
    const [events = 0] = poll([{ fd: descriptor, events: POLL.out }], 0);
    if (events === 0) return "full";
    return writeSync(descriptor, bytes.subarray(0, ATOMIC_BYTES)); // of one whose reader has gone: EPIPE
  });
}

function attempt(write: () => number | "full" | "closed"): WriteOutcome {
  try {
    const outcome = write();
    return outcome === "closed" ? { failed: "EPIPE" } : outcome;
  } catch (error) {
    const code = codeOf(error);
    return code === "EAGAIN" ? "full" : { failed: code };
  }
}

function codeOf(error: unknown): string {
  if (isKstateError(error, "SYSTEM_CALL")) return String(error.detail.errno);
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

/** Node prints warnings in a way of its own, which waits. Those that it was told to hide or to put into a file stay so. */
function takeWarnings(): void {
  const options = [...process.execArgv, process.env.NODE_OPTIONS ?? ""].join(" ");
  if (process.env.NODE_REDIRECT_WARNINGS || options.includes("--redirect-warnings")) return;
  if (process.listenerCount("warning") === 0) return;
  const { noDeprecation, traceProcessWarnings } = process as typeof process & {
    readonly traceProcessWarnings?: boolean;
  };
  process.removeAllListeners("warning");
  process.on("warning", (warning: Error & { readonly code?: string }) => {
    const { name, code, message, stack } = warning;
    if (name === "DeprecationWarning" && noDeprecation) return;
    const text = traceProcessWarnings ? (stack ?? message) : `${name}: ${message}`;
    printError(`(node:${process.pid}) ${code === undefined ? "" : `[${code}] `}${text}`);
  });
}
