import { KstateError } from "../error/index.ts";

/** A wrong command line; the message ends with where to read more. */
export function usage(problem: string): KstateError<"USAGE"> {
  return new KstateError("USAGE", `${problem}; see "kstate --help"`, { problem });
}
