import { type ErrorRecord, KstateError } from "../error/index.ts";
import { readOwn } from "../system/index.ts";

/** Why the state of a run could not be saved at its end. */
export interface Refusal {
  readonly at: string;
  readonly error: ErrorRecord;
  /** The instances that are not in `state.partial`; null when that could not be written either. */
  readonly left: readonly string[] | null;
}

/** Reads what {@link Refusal} was written. Somebody may have edited or cut it: that there is one says enough. */
export function readRefusal(path: string): Refusal {
  const unknown = {
    at: "?",
    error: { code: "?", message: `${path} does not say why`, detail: {} },
    left: null,
  };
  try {
    const { at, error, left } = JSON.parse(readOwn(path).toString()) as Refusal;
    const isWhole =
      typeof at === "string" && typeof error.message === "string" && typeof error.code === "string";
    const isList = left === null || left.every((instance) => typeof instance === "string");
    return isWhole && isList ? { at, error, left } : unknown;
  } catch {
    return unknown;
  }
}

/** What a start that finds a refusal says. */
export function refusedError(
  { at, error, left }: Refusal,
  { name, directory, isWholeThere }: { name: string; directory: string; isWholeThere: boolean },
): KstateError {
  const choices = [
    ...(left === null ? [] : [`partial to go on with all${left.length === 0 ? "" : ` but ${listed(left)}`}`]),
    ...(isWholeThere ? ["reload for the last whole state, which is older"] : []),
    "boot to begin empty",
  ];
  return new KstateError(
    "STATE_REFUSED",
    `cannot start ${name}: the state of its last run could not be saved at its end (${at}): ${error.message}. ` +
      `Start with KSTATE_AFTER_CRASH=${choices.join(", or ")}; kstate inspect shows what is in ${directory}`,
    { name, directory, at, code: error.code, left },
  );
}

function listed(instances: readonly string[]): string {
  const shown = instances.slice(0, 5).join(", ");
  return instances.length > 5 ? `${shown} and ${instances.length - 5} more` : shown;
}
