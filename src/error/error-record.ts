import type { ErrorCode, ErrorDetails } from "./codes.ts";
import { isKstateError, KstateError } from "./error.ts";

/**
 * An error as it travels between programs: a `KstateError` by its code, anything else as `PROGRAM_THREW`, or, when the
 * supervisor was at work, as `SYSTEM_CALL` or `SUPERVISOR_FAILED`.
 */
export interface ErrorRecord {
  readonly code: string;
  readonly message: string;
  readonly detail: unknown;
}

/** An error in the form in which it travels. */
export function toErrorRecord(error: unknown): ErrorRecord {
  if (isKstateError(error)) {
    return {
      code: error.code,
      message: error.message,
      detail: JSON.parse(JSON.stringify(error.detail, bigintAsText)),
    };
  }
  const { message, stack } = asError(error);
  return {
    code: "PROGRAM_THREW",
    message: `the program threw: ${message}`,
    detail: { stack: stack ?? null },
  };
}

/** The same for what the supervisor does itself: no program has thrown it. */
export function toSupervisorRecord(error: unknown): ErrorRecord {
  if (isKstateError(error)) return toErrorRecord(error);
  const { message, stack, code, syscall } = asError(error);
  if (typeof code === "string" && typeof syscall === "string")
    return {
      code: "SYSTEM_CALL",
      message: `the supervisor: ${message}`,
      detail: { call: syscall, errno: code },
    };
  return {
    code: "SUPERVISOR_FAILED",
    message: `the supervisor failed: ${message}`,
    detail: { stack: stack ?? null },
  };
}

/** Also of what is no error: a program may throw anything. */
function asError(error: unknown): Error & { readonly code?: unknown; readonly syscall?: unknown } {
  if (error instanceof Error) return error;
  try {
    return new Error(String(error));
  } catch {
    return new Error("something that has no text");
  }
}

/** The error that a record was made from. */
export function fromErrorRecord({ code, message, detail }: ErrorRecord): KstateError {
  return new KstateError(code as ErrorCode, message, detail as ErrorDetails[ErrorCode]);
}

function bigintAsText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
