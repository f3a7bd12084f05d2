import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { isKstateError } from "../error/index.ts";
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
}

export interface SpawnOptions {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Descriptors that the program inherits as 3, 4, 5 … */
  readonly descriptors: readonly number[];
}

/** Starts a process. Standard streams are inherited, never piped: a dead pipe would end it at its next log line. */
export function startProcess({ command, cwd, environment, descriptors }: SpawnOptions): WatchedProcess {
  const child: ChildProcess = spawn(command[0]!, command.slice(1), {
    cwd,
    env: environment,
    stdio: ["inherit", "inherit", "inherit", ...descriptors],
  });
  return {
    pid: child.pid ?? -1,
    kill: (signal) => void child.kill(signal),
    onEnd: (listener) => {
      child.once("error", (error) => listener({ exitCode: null, signal: null, error }));
      child.once("exit", (exitCode, signal) => listener({ exitCode, signal }));
    },
    look: () => {},
  };
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
    ended = poll([{ fd: descriptor, events: POLL.in }], 0)[0] !== 0;
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
      if (!ended) signalProcess(descriptor, constants.signals[signal]);
    },
    onEnd: (told) => {
      listener = told;
    },
    look,
  };
}

/** When a process started, in the kernel's ticks: with its id it tells processes apart. Null when there is none. */
export function startTicks(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  } catch {
    return null;
  }
}
