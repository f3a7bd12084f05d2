import type { VersionIds } from "../description/index.ts";
import { KstateError } from "../error/index.ts";
import { type PhysicalMemory, REHEARSAL } from "../memory/index.ts";
import type { Registry } from "../registry/index.ts";
import { allocRoom, saveInto } from "./save-into.ts";

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

/** Throws what loading the trial stream would throw, and changes nothing. The other program serves meanwhile. */
export function verifyTrial(memory: PhysicalMemory, registry: Registry, generation: number): void {
  const found = memory.readStream(REHEARSAL, (stream) => {
    if (stream.generation === generation) registry.verify(stream.bytes);
    return stream.generation;
  });
  if (found === generation) return;
  const message = `cannot rehearse generation ${generation}: the memory holds no trial stream of it`;
  throw new KstateError("MEMORY_INVALID", message, {});
}
