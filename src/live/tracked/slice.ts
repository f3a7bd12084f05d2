import type { VersionIds } from "../../description/index.ts";
import { isKstateError } from "../../error/index.ts";
import type { Folio, PhysicalMemory } from "../../memory/index.ts";
import { Registry } from "../../registry/index.ts";
import type { TrackedMap, TrackedRecord } from "./tracked-map.ts";

export type AnyTrackedMap = TrackedMap<unknown, unknown>;

/** Writes and reads the slices of one map: each is a stream of its own. */
export class SliceCodec {
  readonly map: AnyTrackedMap;
  readonly #registry = new Registry();
  readonly #slice: TrackedRecord<unknown, unknown>;

  constructor(map: AnyTrackedMap) {
    this.map = map;
    this.#slice = { base: 0, cleared: false, removed: [], entries: new Map() };
    this.#registry.register(map.description, this.#slice);
  }

  /** Writes a slice to a folio, or to a larger one in its place. */
  write(
    slice: Partial<TrackedRecord<unknown, unknown>>,
    versionIds: VersionIds,
    room: Folio,
    memory: PhysicalMemory,
  ): { readonly folio: Folio; readonly length: number } {
    const own = this.#ownOf(versionIds);
    Object.assign(this.#slice, { cleared: false, removed: [], entries: new Map() }, slice);
    for (let folio = room; ; ) {
      try {
        const { length } = this.#registry.save({ versionIds: own, dataChecksum: false, into: folio.bytes });
        return { folio, length };
      } catch (error) {
        memory.free(folio);
        if (!isKstateError(error, "STREAM_FULL")) throw error;
        folio = memory.alloc(Math.max(2 * folio.size, error.detail.needed));
      }
    }
  }

  /** Of the versions of a whole program those that are the map's. */
  #ownOf(versionIds: VersionIds): VersionIds {
    const names = this.#registry.lockRecord().descriptions.map(({ name }) => name);
    return Object.fromEntries(
      names.flatMap((name) => (Object.hasOwn(versionIds, name) ? [[name, versionIds[name]!]] : [])),
    );
  }

  /** Reads a slice into the map. */
  read(stream: Uint8Array, base: number): void {
    this.#slice.entries = new Map();
    this.#slice.removed = [];
    this.#registry.load(stream, { undo: false });
    this.map.takeSlice(this.#slice, base);
  }
}
