import type { VersionIds } from "../description/index.ts";
import { isKstateError, KstateError } from "../error/index.ts";
import { type PhysicalMemory, REHEARSAL } from "../memory/index.ts";
import type { Registry } from "../registry/index.ts";
import { allocRoom, saveInto } from "./save-into.ts";

/** How often a table is read again that the program which owns the memory was just replacing. */
const READ_AGAIN = 20;

/** Saves the state as an update would, and goes on: nothing is stopped, and no connection is in it. Returns its bytes. */
export function saveTrial(
  memory: PhysicalMemory,
  registry: Registry,
  versionIds: VersionIds,
  generation: number,
): number {
  const room = allocRoom(memory);
  const facts = { name: REHEARSAL, state: "RUNNING", generation, versionIds, dataChecksum: false } as const;
  saveInto(memory, registry, room, facts);
  return memory.stream(REHEARSAL)!.bytes.length;
}

/** Throws what loading the trial stream would throw, and changes nothing. */
export function verifyTrial(memory: PhysicalMemory, registry: Registry, generation: number): void {
  registry.verify(trialStream(memory, generation));
}

/** The other program serves meanwhile, and may replace the table while it is read. */
function trialStream(memory: PhysicalMemory, generation: number): Uint8Array {
  for (let again = 0; ; again += 1) {
    try {
      const stream = memory.stream(REHEARSAL);
      if (stream?.generation === generation) return stream.bytes;
      throw new KstateError(
        "MEMORY_INVALID",
        `cannot rehearse generation ${generation}: the memory holds no trial stream of it`,
        {},
      );
    } catch (error) {
      if (again === READ_AGAIN || !isKstateError(error, "MEMORY_INVALID")) throw error;
    }
  }
}
