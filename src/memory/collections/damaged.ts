import { KstateError } from "../../error/index.ts";

/** What is wrong with a collection whose memory is not as any program of ours leaves it, and the way out. */
export function damaged(collection: string, problem: string, cause?: unknown): KstateError<"MEMORY_INVALID"> {
  return new KstateError(
    "MEMORY_INVALID",
    `cannot use the collection ${collection}: its memory is damaged: ${problem}; to go on without it, start the service ` +
      `with kstate run --drop-collection ${collection} (without a supervisor: KSTATE_DROP_COLLECTION=${collection}), or let ` +
      `the program call live.memory.drop("${collection}") and make it anew`,
    { collection },
    cause === undefined ? undefined : { cause },
  );
}
