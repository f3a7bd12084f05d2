import type { ErrorCode, ErrorDetails } from "./codes.ts";

const brand: unique symbol = Symbol.for("kstate.error") as never;

/**
 * The one class of error that kstate throws on purpose. Tell errors apart by `code`; the message is for
 * people and may get better at any time.
 */
export class KstateError<Code extends ErrorCode = ErrorCode> extends Error {
  override readonly name = "KstateError";
  readonly code: Code;
  readonly detail: ErrorDetails[Code];

  constructor(
    code: Code,
    message: string,
    detail: ErrorDetails[Code],
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
    this.code = code;
    this.detail = detail;
  }

  get [brand](): true {
    return true;
  }
}

/**
 * Whether something thrown is a `KstateError`, with that code if one is given. Works across several copies
 * of the package.
 */
export function isKstateError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: Code,
): error is KstateError<Code> {
  if (typeof error !== "object" || error === null || !(brand in error)) return false;
  return code === undefined || (error as KstateError).code === code;
}
