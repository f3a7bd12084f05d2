import type { VersionIds } from "../description/index.ts";
import { isKstateError } from "../error/index.ts";
import { CHECKPOINT, type Folio, type MemoryState, type PhysicalMemory } from "../memory/index.ts";
import type { Registry, SaveOptions } from "../registry/index.ts";

export interface SaveIntoOptions {
  /** Of the stream. */
  readonly name: string;
  readonly state: MemoryState;
  readonly generation: number;
  readonly versionIds?: VersionIds;
  readonly dataChecksum: boolean;
  readonly onRefused?: SaveOptions["onRefused"];
}

/** Room for a state of unknown size: mostly there is less to save. */
const ROOM_BYTES = 1024 * 1024;
/** How much more is saved the next time, mostly at most. */
const GROWTH = 1.25;

/**
 * Room for a stream, which had `triedLength` bytes when it was tried just now; when it was too long for that, as much as
 * the last checkpoint or hand-over had, and some more. `MEMORY_FULL`.
 */
export function allocRoom(memory: PhysicalMemory, triedLength?: number): Folio {
  if (triedLength !== undefined) return memory.alloc(2 * triedLength);
  const lastLength = memory.stream(CHECKPOINT)?.bytes.length ?? 0;
  return memory.alloc(Math.max(ROOM_BYTES, Math.ceil(GROWTH * lastLength)));
}

/**
 * Saves straight into the memory, in `room` or a folio that is large enough, and preserves every folio in use with it.
 * The room is the stream's then, or is freed.
 */
export function saveInto(
  memory: PhysicalMemory,
  registry: Registry,
  room: Folio,
  { name, state, generation, onRefused, versionIds = {}, dataChecksum }: SaveIntoOptions,
): void {
  for (let folio = room; ; ) {
    try {
      const options = { versionIds, dataChecksum, into: folio.bytes, fullEarly: true };
      const { length } = registry.save(onRefused === undefined ? options : { ...options, onRefused });
      memory.keepStream(name, folio, length, generation, { state, preserveInUse: true });
      return;
    } catch (error) {
      memory.free(folio);
      if (!isKstateError(error, "STREAM_FULL")) throw error;
      folio = allocLarger(memory, folio, error.detail.needed);
    }
  }
}

/** Four times as much, since each attempt begins anew; twice as much where that is too much. */
function allocLarger(memory: PhysicalMemory, { size }: Folio, needed: number): Folio {
  try {
    return memory.alloc(Math.max(4 * size, needed));
  } catch (error) {
    if (!isKstateError(error, "MEMORY_FULL")) throw error;
    return memory.alloc(Math.max(2 * size, needed));
  }
}
