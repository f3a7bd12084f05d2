/** Errors for the program's own code: hooks, checks, getters, custom codecs. */

import { picture } from "../description/index.ts";
import { KstateError, type Place, reasonText } from "../error/index.ts";

/** What a hook, a check, a custom codec, a default or a getter of the program's threw. */
export function hookFailed(
  call: "save" | "load",
  { path, description }: Place,
  cause: unknown,
): KstateError<"HOOK_FAILED"> {
  return new KstateError(
    "HOOK_FAILED",
    `cannot ${call} ${description} at ${path}: the program's own code threw ${picture(cause)}: ${reasonText(cause)}`,
    { hook: call, description, path },
    { cause },
  );
}

/** Refuses what a custom codec gave back where that is a promise: what it does later would stand in other data. */
export function assertSynchronous(
  call: "save" | "load",
  format: string,
  result: unknown,
  { path, description }: Place,
): void {
  if (
    typeof result !== "object" ||
    result === null ||
    typeof (result as { then?: unknown }).then !== "function"
  )
    return;
  (result as PromiseLike<unknown>).then(undefined, () => {});
  throw new KstateError(
    "HOOK_FAILED",
    `cannot ${call} ${description} at ${path}: ${call} of ${format} returned a promise; codecs are synchronous`,
    { hook: call, description, path },
  );
}
