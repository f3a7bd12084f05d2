import { isKstateError, KstateError, reasonText } from "../error/index.ts";
import { picture } from "./fit.ts";

/** Under this, a guarded hook has the function that the program wrote, whichever copy of kstate made it. */
const written = Symbol.for("kstate.written");

/** The function that was written for a hook, or the function itself. */
export function writtenFunction(hook: (...args: never[]) => unknown): (...args: never[]) => unknown {
  return (hook as { readonly [written]?: (...args: never[]) => unknown })[written] ?? hook;
}

/**
 * A hook that says who it is when it throws, and does not return a promise: hooks are synchronous, because nothing may
 * change between a save and the commit of an update.
 */
export function guarded<Args extends readonly unknown[], Result>(
  call: "save" | "load",
  hook: string,
  description: string,
  run: ((...args: Args) => Result) | undefined,
): ((...args: Args) => Result) | undefined {
  if (run === undefined) return undefined;
  const hooked = (...args: Args): Result => {
    let result: Result;
    try {
      result = run(...args);
    } catch (cause) {
      if (isKstateError(cause)) throw cause;
      const reason = `threw ${picture(cause)}: ${reasonText(cause)}`;
      throw failed(call, hook, description, reason, cause);
    }
    if (!isThenable(result)) return result;
    result.then(undefined, () => {});
    throw failed(call, hook, description, "returned a promise; hooks are synchronous");
  };
  Object.defineProperty(hooked, written, { value: run });
  return hooked;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}

function failed(
  call: string,
  hook: string,
  description: string,
  reason: string,
  cause?: unknown,
): KstateError {
  return new KstateError(
    "HOOK_FAILED",
    `cannot ${call}: ${hook} of ${description} ${reason}`,
    { hook, description, path: description },
    cause === undefined ? {} : { cause },
  );
}
