import { KstateError } from "../error/index.ts";

export function unreadable(
  source: string,
  problem: string,
  cause?: unknown,
): KstateError<"RECORD_UNREADABLE"> {
  return new KstateError(
    "RECORD_UNREADABLE",
    `cannot read the descriptions of ${source}: ${problem}`,
    { source, problem },
    { cause },
  );
}
