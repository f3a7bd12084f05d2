import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { constants as systemConstants } from "node:os";
import { isKstateError, KstateError } from "../error/index.ts";
import { closeDescriptor, openProcess, POLL, poll, signalProcess } from "../memory/index.ts";

/** How often an ending process that is not ours is looked at, ms. */
const LOOK_MS = 10;

/** How a process ended; of one that was not started here nothing is known. */
export interface ProcessEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started. */
  readonly error?: NodeJS.ErrnoException;
}

/** A process of which the end is told once. */
export interface WatchedProcess {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  onEnd(listener: (end: ProcessEnd) => void): void;
  /** Tells a process that was not started here from one that is about to end: something of it has just closed. */
  look(): void;
  /** Watches it no longer. */
  forget(): void;
}

export interface SpawnOptions {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Descriptors that the program inherits as 3, 4, 5 … */
  readonly descriptors: readonly number[];
}

/**
 * Starts a process. Standard streams are inherited, never piped: a dead pipe would end it at its next log line. Node
 * throws most of what can be in the way and tells the rest a moment later ({@link ProcessEnd.error}).
 */
export function startProcess({ command, cwd, environment, descriptors }: SpawnOptions): WatchedProcess {
  let child: ChildProcess;
  try {
    child = spawn(command[0]!, command.slice(1), {
      cwd,
      env: environment,
      stdio: ["inherit", "inherit", "inherit", ...descriptors],
    });
  } catch (error) {
    throw inDirectory(cwd, error);
  }
  const { pid } = child;
  let listener: (end: ProcessEnd) => void = () => {};
  child.on("error", (error) => {
    // Later ones are of signals that could not be sent.
    if (pid === undefined) listener({ exitCode: null, signal: null, error: inDirectory(cwd, error) });
  });
  child.once("exit", (exitCode, signal) => listener({ exitCode, signal }));
  return {
    pid: pid ?? -1,
    kill: (signal) => void child.kill(signal),
    onEnd: (told) => {
      listener = told;
    },
    look: () => {},
    forget: () => {},
  };
}

/** Node blames the command for a working directory that is not there. */
function inDirectory(cwd: string, error: unknown): NodeJS.ErrnoException {
  const cause = error as NodeJS.ErrnoException;
  const why = notEntered(cwd);
  if (why === null) return cause;
  const message = `its working directory ${cwd} ${why.problem}; mend the path, then try again`;
  return Object.assign(new Error(message, { cause }), { code: why.errno });
}

function notEntered(cwd: string): { readonly problem: string; readonly errno: string } | null {
  try {
    if (!statSync(cwd).isDirectory()) return { problem: "is not a directory", errno: "ENOTDIR" };
    accessSync(cwd, constants.X_OK);
    return null;
  } catch (error) {
    const { code = "?" } = error as NodeJS.ErrnoException;
    const known: Readonly<Record<string, string>> = {
      ENOENT: "is not there",
      ENOTDIR: "is not there: something in it is a file",
      ELOOP: "is a symbolic link that leads nowhere (a loop)",
      EACCES: "may not be entered by this user",
    };
    return { problem: known[code] ?? `cannot be entered (${code})`, errno: code };
  }
}

/**
 * Refuses with `SYSTEM_CALL` to begin where a sandbox denies what adopting and ending processes takes: later nobody could
 * take over a service, or end what its command has become.
 */
export function assertCanWatch(): void {
  let descriptor: number | undefined;
  try {
    descriptor = openProcess(process.pid);
    signalProcess(descriptor, 0);
  } catch (error) {
    if (!isKstateError(error, "SYSTEM_CALL")) throw error;
    const { errno } = error.detail;
    const name = descriptor === undefined ? "pidfd_open" : "pidfd_send_signal";
    const text =
      `cannot supervise: the system refuses ${name} (${errno}), without which no service can be adopted and no launcher's ` +
      "program ended; allow pidfd_open and pidfd_send_signal in the sandbox (its seccomp profile), " +
      "or run the program without kstate run, with its state in a file";
    throw new KstateError("SYSTEM_CALL", text, { call: name, errno }, { cause: error });
  } finally {
    if (descriptor !== undefined) closeDescriptor(descriptor);
  }
}

/** Watches a process that somebody else started; null when it has ended. */
export function watchProcess(pid: number): WatchedProcess | null {
  let descriptor: number;
  try {
    descriptor = openProcess(pid);
  } catch (error) {
    if (isKstateError(error, "SYSTEM_CALL") && error.detail.errno === "ESRCH") return null;
    throw error;
  }
  let listener: ((end: ProcessEnd) => void) | undefined;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  const look = (): void => {
    clearTimeout(timer);
    if (ended) return;
    ended = hasEnded(descriptor);
    if (!ended) {
      timer = setTimeout(look, LOOK_MS);
      return;
    }
    closeDescriptor(descriptor);
    listener?.({ exitCode: null, signal: null });
  };
  return {
    pid,
    kill: (signal) => {
      if (!ended) signalWithoutFail(descriptor, systemConstants.signals[signal]);
    },
    onEnd: (told) => {
      listener = told;
    },
    look,
    forget: () => {
      clearTimeout(timer);
      if (!ended) closeDescriptor(descriptor);
      ended = true;
    },
  };
}

/** Where that cannot be seen (no memory), it is looked at again. */
function hasEnded(descriptor: number): boolean {
  try {
    return poll([{ fd: descriptor, events: POLL.in }], 0)[0] !== 0;
  } catch {
    return false;
  }
}

/** A program that has become another user's cannot be sent signals; its end is watched all the same. */
function signalWithoutFail(descriptor: number, signal: number): void {
  try {
    signalProcess(descriptor, signal);
  } catch {
    // as Node does it with a child
  }
}

/** When a process started, in the kernel's ticks: with its id it tells processes apart. Null when there is none. */
export function startTicks(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? null : Number(fields[19]); // it has ended, and its parent does not care
  } catch {
    return null;
  }
}
