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
  /** What failed besides, while what had been begun was undone. Mostly there is none. */
  declare readonly suppressed?: readonly unknown[];

  constructor(
    code: Code,
    message: string,
    detail: ErrorDetails[Code],
    options?: { readonly cause?: unknown; readonly suppressed?: readonly unknown[] },
  ) {
    super(message, options);
    this.code = code;
    this.detail = detail;
    if (options?.suppressed !== undefined) this.suppressed = options.suppressed;
  }

  get [brand](): true {
    return true;
  }
}

/**
 * The same error, which still leads, with what failed while it was undone: `what` of each is for the message, after `lead`.
 */
export function withSuppressed(
  error: KstateError,
  others: readonly { readonly what: string; readonly cause: unknown }[],
  lead = "could not be put back",
): KstateError {
  if (others.length === 0) return error;
  const texts = others.slice(0, 5).map(({ what, cause }) => `${what} (${reasonText(cause)})`);
  const more = others.length > texts.length ? ` and ${others.length - texts.length} more` : "";
  const message = `${error.message}; and ${lead}: ${texts.join(", ")}${more}`;
  const suppressed = [...(error.suppressed ?? []), ...others.map(({ cause }) => cause)];
  return new KstateError(error.code, message, error.detail, { cause: error.cause ?? error, suppressed });
}

/** What something thrown says, whatever it is: programs throw anything. */
export function reasonText(thrown: unknown): string {
  try {
    return String((thrown as Error | undefined)?.message ?? thrown);
  } catch {
    return "it cannot be said why";
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
