import type { VersionIds } from "../description/index.ts";
import { isKstateError } from "../error/index.ts";
import type { Folio, MemoryState, PhysicalMemory } from "../memory/index.ts";
import type { Registry } from "../registry/index.ts";

export interface SaveIntoOptions {
  /** Of the stream. */
  readonly name: string;
  readonly state: MemoryState;
  readonly generation: number;
  readonly versionIds?: VersionIds;
  readonly dataChecksum: boolean;
}

/** Room for a state of unknown size: mostly there is less to save. */
const ROOM_BYTES = 1024 * 1024;

/** Room for a stream, which had `lastLength` bytes when it was tried; `MEMORY_FULL`. */
export function allocRoom(memory: PhysicalMemory, lastLength?: number): Folio {
  return memory.alloc(lastLength === undefined ? ROOM_BYTES : 2 * lastLength);
}

/**
 * Saves straight into the memory, in `room` or a folio that is large enough, and preserves every folio in use with it.
 * The room is the stream's then, or is freed.
 */
export function saveInto(
  memory: PhysicalMemory,
  registry: Registry,
  room: Folio,
  { name, state, generation, versionIds = {}, dataChecksum }: SaveIntoOptions,
): void {
  for (let folio = room; ; ) {
    try {
      const { length } = registry.save({ versionIds, dataChecksum, into: folio.bytes });
      memory.keepStream(name, folio, length, generation, { state, preserveInUse: true });
      return;
    } catch (error) {
      memory.free(folio);
      if (!isKstateError(error, "STREAM_FULL")) throw error;
      folio = memory.alloc(Math.max(2 * folio.size, error.detail.needed));
    }
  }
}
