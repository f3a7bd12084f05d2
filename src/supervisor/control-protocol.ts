/**
 * CONTRACT: what `kstate update` and its sisters say to a supervisor: one JSON object a line on the UNIX socket
 * `NAME.sock` in the runtime directory, mode 0600, same user only. One request a connection; the supervisor
 * answers with any number of `progress` and one `done` or `error`.
 *
 * `suspend` with `to: null` has the image itself sent on the connection: a line `image`, then as many bytes as it says,
 * while the program is frozen. Whoever asked answers with a line `{"type":"stored"}` when all of it is where it shall
 * be; the program ends only then. A connection that ends before is a cancel.
 */

import type { ImageRecord } from "../carrier/index.ts";
import { type ErrorRecord, KstateError } from "../error/index.ts";
import {
  asText,
  type HandoverFigures,
  isLockShown,
  isTimeMs,
  MAX_TIME_MS,
  type ResumeFigures,
  type SuspendFigures,
} from "../live/protocol.ts";

/** How long the steps of an update may take, ms. */
export interface UpdateTimeouts {
  /** From the start of the successor to its `ready()`; 30,000 unless said. */
  readonly bootMs: number;
  /** For requests under way to end; 1,000 unless said. */
  readonly quiesceMs: number;
  /** From the freeze to the verdict; 5,000 unless said. */
  readonly freezeMs: number;
}

export const DEFAULT_TIMEOUTS: UpdateTimeouts = { bootMs: 30_000, quiesceMs: 1_000, freezeMs: 5_000 };

/** How long the previous version stands by, ms, unless said. */
export const DEFAULT_STANDBY_MS = 600_000;

/** How long detached responses may take to finish when their service is suspended, ms, unless said. */
export const DEFAULT_DETACHED_MS = 10_000;

export type ControlRequest =
  | {
      readonly type: "update";
      /** The next version's command, null: the same again. */
      readonly command: readonly string[] | null;
      /** Added to the supervisor's environment. */
      readonly environment: Readonly<Record<string, string>>;
      /** Absolute paths of files of `KEY=VALUE` lines that are read when the program starts. None unless given. */
      readonly environmentFiles?: readonly string[];
      readonly timeouts: UpdateTimeouts;
      /** Whether a rollback may be impossible or lose state afterwards. False unless given. */
      readonly force?: boolean;
      /** Keep the previous version booted for a rollback, this long, ms; null: do not. */
      readonly standbyMs?: number | null;
      /** Let the successor check the live state before anybody waits. */
      readonly rehearse?: boolean;
      /** Close connections that wait for their clients alone when `quiesceMs` is over. False unless given. */
      readonly dropStalled?: boolean;
    }
  | SuspendRequest
  | ResumeRequest
  | {
      readonly type: "rollback";
      readonly timeouts: UpdateTimeouts;
      readonly standbyMs?: number | null;
      readonly rehearse?: boolean;
      readonly dropStalled?: boolean;
    }
  | { readonly type: "commit" }
  | { readonly type: "status" }
  /** The lock record of the program that serves, for `kstate check`. */
  | { readonly type: "lock" }
  /** The program that serves saves its state into a new file, and serves on: for `kstate inspect`. */
  | { readonly type: "save"; readonly path: string }
  | { readonly type: "stop" };

export interface SuspendRequest {
  readonly type: "suspend";
  /** A carrier's address; null: the connection. */
  readonly to: string | null;
  /** Of a file that is cut into parts. */
  readonly partBytes: number | null;
  /** The lock record of the program that will resume; null: the newest versions. */
  readonly lock: unknown;
  readonly timeouts: UpdateTimeouts;
  /** How long responses that are detached may take to finish, ms. */
  readonly detachedMs: number;
  /** As of an update. */
  readonly dropStalled?: boolean;
}

export interface ResumeRequest {
  readonly type: "resume";
  /** Null: the command before. */
  readonly command: readonly string[] | null;
  readonly environment: Readonly<Record<string, string>>;
  readonly environmentFiles?: readonly string[];
}

/** Reads one request; `PROTOCOL_ERROR` unless it is whole. */
export function parseRequest(line: string): ControlRequest {
  const request = parseObject(line);
  const { type } = request ?? {};
  if (type === "status" || type === "lock" || type === "stop" || type === "commit") return { type };
  if (type === "save") return { type, path: absolutePath(request?.path) };
  if (type !== "update" && type !== "rollback" && type !== "suspend" && type !== "resume")
    throw protocolError(`there is no request ${asText(type)}`);
  const { command = null, environment = {}, force = false, standbyMs = null, rehearse = false } = request!;
  const { dropStalled = false } = request!;
  assertBoolean(rehearse, "rehearse");
  assertBoolean(dropStalled, "dropStalled");
  if (standbyMs !== null) assertTime(standbyMs, "standbyMs");
  if (command !== null && !isCommand(command)) throw protocolError("command is not a list of texts");
  if (!isEnvironment(environment)) throw protocolError("environment is not an object of texts");
  const environmentFiles = filesOf(request!.environmentFiles);
  assertBoolean(force, "force");
  const timeouts = timeoutsOf(request!.timeouts);
  if (type === "suspend") return suspendRequest(request!, timeouts);
  if (type === "resume") return { type, command, environment, environmentFiles };
  return type === "rollback"
    ? { type, timeouts, standbyMs, rehearse, dropStalled }
    : { type, command, environment, environmentFiles, timeouts, force, standbyMs, rehearse, dropStalled };
}

/** Null when it is JSON, but no object. */
function parseObject(line: string): Readonly<Record<string, unknown>> | null {
  let request: unknown;
  try {
    request = JSON.parse(line);
  } catch {
    throw protocolError("it is not JSON");
  }
  return isObject(request) ? request : null;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a system cannot take in a path, a command or an environment. */
function isText(value: unknown): value is string {
  return typeof value === "string" && !value.includes("\0");
}

function absolutePath(path: unknown): string {
  if (!isText(path) || !path.startsWith("/")) throw protocolError("path is not absolute");
  return path;
}

function isCommand(command: unknown): command is readonly string[] {
  return Array.isArray(command) && command.length > 0 && command.every(isText) && command[0] !== "";
}

function filesOf(paths: unknown = []): readonly string[] {
  if (!Array.isArray(paths)) throw protocolError("environmentFiles is not a list");
  return paths.map(absolutePath);
}

function isEnvironment(environment: unknown): environment is Readonly<Record<string, string>> {
  if (!isObject(environment)) return false;
  return Object.entries(environment).every(
    ([name, value]) => isText(value) && isText(name) && name !== "" && !name.includes("="),
  );
}

function timeoutsOf(timeouts: unknown = {}): UpdateTimeouts {
  if (!isObject(timeouts)) throw protocolError("timeouts is not an object");
  const complete = { ...DEFAULT_TIMEOUTS };
  for (const name of Object.keys(DEFAULT_TIMEOUTS) as (keyof UpdateTimeouts)[]) {
    const value = timeouts[name] ?? DEFAULT_TIMEOUTS[name];
    assertTime(value, name);
    complete[name] = value;
  }
  return complete;
}

function assertTime(value: unknown, name: string): asserts value is number {
  if (!isTimeMs(value)) throw protocolError(`${name} is not a time in ms up to ${MAX_TIME_MS}`);
}

function assertBoolean(value: unknown, name: string): asserts value is boolean {
  if (typeof value !== "boolean") throw protocolError(`${name} is not true or false`);
}

function suspendRequest(
  request: Readonly<Record<string, unknown>>,
  timeouts: UpdateTimeouts,
): SuspendRequest {
  const { to = null, partBytes = null, lock = null, detachedMs = DEFAULT_DETACHED_MS } = request;
  const { dropStalled = false } = request as { readonly dropStalled?: boolean }; // looked at by the caller
  if (to !== null && !isText(to)) throw protocolError("to is not a carrier's address");
  if (partBytes !== null && !(Number.isSafeInteger(partBytes) && (partBytes as number) > 0))
    throw protocolError("partBytes is not a size");
  assertTime(detachedMs, "detachedMs");
  if (lock !== null && !isLockShown(lock)) throw protocolError("lock is not a lock record");
  return {
    type: "suspend",
    to,
    partBytes: partBytes as number | null,
    lock,
    timeouts,
    detachedMs,
    dropStalled,
  };
}

/** Reads one answer; `PROTOCOL_ERROR` unless it is whole. What a result holds depends on what was asked. */
export function parseResponse(line: string): ControlResponse {
  const response = parseObject(line);
  const { type, text, sizeBytes, error } = response ?? {};
  if (type === "progress" && typeof text === "string") return { type, text };
  if (type === "image" && Number.isSafeInteger(sizeBytes) && (sizeBytes as number) > 0)
    return { type, sizeBytes: sizeBytes as number };
  if (type === "done") return { type, result: response!.result };
  if (
    type === "error" &&
    isObject(error) &&
    typeof error.code === "string" &&
    typeof error.message === "string"
  )
    return { type, error: { code: error.code, message: error.message, detail: error.detail ?? {} } };
  const problem = "the supervisor's answer is none of the protocol";
  throw new KstateError("PROTOCOL_ERROR", `cannot understand the supervisor: ${problem}`, { problem });
}

function protocolError(problem: string): KstateError {
  return new KstateError("PROTOCOL_ERROR", `cannot read the request: ${problem}`, { problem });
}

export type ControlResponse =
  | { readonly type: "progress"; readonly text: string }
  | { readonly type: "image"; readonly sizeBytes: number }
  | { readonly type: "done"; readonly result: unknown }
  | { readonly type: "error"; readonly error: ErrorRecord };

/** The result of `update` and `rollback`. */
export interface UpdateResult {
  readonly generation: number;
  readonly pid: number;
  readonly command: readonly string[];
  readonly figures: HandoverFigures | null;
  /** From the request to the commit and the old program's end, ms. */
  readonly totalMs: number;
}

/** The result of `stop`. */
export interface StopResult {
  /** Of the program; null when it was ended by a signal, or did not run. */
  readonly exitCode: number | null;
  /** Why its state was not kept as it was: the program said so, or had to be killed. */
  readonly error: ErrorRecord | null;
}

/** The result of `suspend`. */
export interface SuspendResult extends SuspendFigures {
  readonly generation: number;
  readonly image: ImageRecord;
  /** Whether the supervisor has to live on until the state is resumed. */
  readonly isHeld: boolean;
  /** For the carrier to keep the state, ms. */
  readonly keepMs: number;
  /** From the request until the program had ended, ms. */
  readonly totalMs: number;
}

/** The result of `resume`. */
export interface ResumeResult {
  readonly pid: number;
  readonly carrier: string;
  readonly figures: ResumeFigures | null;
}

/** The result of `status`. */
export interface SupervisorStatus {
  readonly name: string;
  readonly supervisorPid: number;
  readonly generation: number;
  readonly program: {
    readonly pid: number;
    readonly command: readonly string[];
    /** ISO 8601. */
    readonly startedAt: string;
    /**
     * `running`: it has not joined; `joined`: it has not called `ready()` yet; `serving`; `ended`: it is being started
     * again.
     */
    readonly phase: "running" | "joined" | "serving" | "ended";
    readonly descriptions: readonly { readonly name: string; readonly versionId: number }[];
  };
  /** Of the physical memory, bytes: its size, and what is allocated of it. */
  readonly memory: { readonly capacityBytes: number; readonly usedBytes: number };
  readonly listeners: readonly string[];
  readonly previousCommand: readonly string[] | null;
  /** The previous version, booted for a rollback. */
  readonly standby: {
    readonly pid: number;
    readonly command: readonly string[];
    /** Whether it has booted. */
    readonly waiting: boolean;
    /** ISO 8601. */
    readonly until: string;
  } | null;
  readonly updating: boolean;
  /** How much of the state a suspend has kept, bytes: zeros before it knows how much there is; null: none is under way. */
  readonly suspending: { readonly doneBytes: number; readonly totalBytes: number } | null;
  /** Where the state is while no program has it; null while one does. */
  readonly suspendedIn: string | null;
  readonly lastUpdate: LastUpdate | null;
}

export interface LastUpdate {
  readonly generation: number;
  /** ISO 8601. */
  readonly at: string;
  readonly outcome: "committed" | "cancelled" | "crashed";
  readonly figures: HandoverFigures | null;
  readonly error: ErrorRecord | null;
}
