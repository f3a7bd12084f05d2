import type { ErrorCode, ErrorDetails } from "./codes.ts";
import { isKstateError, KstateError } from "./error.ts";

/** An error as it travels between programs: a `KstateError` by its code, anything else as `PROGRAM_THREW`. */
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
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return {
    code: "PROGRAM_THREW",
    message: `the program threw: ${message}`,
    detail: { stack: stack ?? null },
  };
}

/** The error that a record was made from. */
export function fromErrorRecord({ code, message, detail }: ErrorRecord): KstateError {
  return new KstateError(code as ErrorCode, message, detail as ErrorDetails[ErrorCode]);
}

function bigintAsText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
