import type { Field } from "../../description/index.ts";
import type { RoomRequest } from "../owned-memory.ts";
import type { PhysicalMemory } from "../physical-memory.ts";
import { assertSameMap } from "./collection-header.ts";
import { CollectionMemory } from "./collection-memory.ts";
import type { CollectionRecord } from "./collection-record.ts";
import { type HashSeed, keyOf } from "./key.ts";
import { HASH_KEY_WORDS, KEY_KINDS, KEYED_VERSION, MAP, MAP_HEADER_BYTES } from "./layout.ts";
import { MapEntries } from "./map-entries.ts";
import { type MapOptions, type MapParts, mapParts, mapRecord } from "./map-options.ts";
import { notOpen } from "./not-open.ts";
import { mapRoom } from "./opening-room.ts";
import { chunkFolios, createChunks } from "./slot-tables.ts";
import { layoutFolios, storeLayout } from "./stored-layout.ts";
import { BlobCodec, RowCodec } from "./value.ts";

/**
 * A map that lives in folios: the next version of the program finds it as it is, without loading anything, and so
 * does the program that is started after a crash. Growth is spread over the writes that follow it. Every `set` and
 * `delete` is there or not, wherever the program dies. `NOT_ALLOWED_NOW` until the memory is the program's.
 */
export class FolioMap<K, V> {
  /** Its name in the memory. */
  readonly name: string;
  readonly #options: MapOptions<K, V>;
  readonly #parts: MapParts;
  #opened: MapEntries | undefined;
  #words: Int32Array = new Int32Array(0);

  /** @internal Use `openMap`. Errors: those of `mapParts`. */
  constructor(name: string, options: MapOptions<K, V>) {
    this.name = name;
    this.#options = options;
    this.#parts = mapParts(name, options);
  }

  /** @internal What another program has to know of it before this one opens it. */
  get record(): CollectionRecord {
    return mapRecord(this.name, this.#parts);
  }

  /** @internal What {@link openIn} will allocate in memory that another program still owns. */
  roomIn(memory: PhysicalMemory): RoomRequest[] {
    return mapRoom(memory, this.name, this.#parts.layout);
  }

  /** @internal Finds the map in memory that the program owns, or makes it. Errors: those of `openMap`. */
  openIn(memory: PhysicalMemory): void {
    const { layout, maxValueBytes } = this.#parts;
    const collection = new CollectionMemory(memory, this.name, "map", MAP_HEADER_BYTES);
    collection.opening(() => {
      if (collection.isNew) create(collection, this.#parts);
      else
        collection.freeOthers([
          ...layoutFolios(collection),
          ...chunkFolios(collection),
          ...segments(collection),
        ]);
      assertSameMap(this.record, collection.words);
      this.#opened = new MapEntries(collection, {
        key: keyOf(this.#options.key as Field<unknown>, hashSeed(collection)),
        codec: layout === undefined ? new BlobCodec(maxValueBytes) : new RowCodec(layout),
        layout,
        maxBytes: this.#options.maxBytes,
      });
    });
    this.#words = collection.words;
  }

  get #entries(): MapEntries {
    return this.#opened ?? notOpen("map", this.name);
  }

  /** Whether it can be used: from `ready()` on. */
  get isOpen(): boolean {
    return this.#opened !== undefined;
  }

  /** Entries. */
  get size(): number {
    return this.#opened === undefined ? notOpen("map", this.name) : this.#words[MAP.count]!;
  }

  /** Bytes of the folios that entries are in, whether used or not. */
  get sizeBytes(): number {
    return this.#entries.heap.sizeBytes;
  }

  /** Whether entries of an earlier layout are left; they are converted when they are read, until `migrateStep` is done. */
  get isMigrating(): boolean {
    return this.#entries.migration.isActive;
  }

  has(key: K): boolean {
    const entries = this.#entries;
    entries.key.set(key);
    return entries.find() !== 0;
  }

  /** A copy of the value. Small byte values share buffers of 64 KiB, as Node's own buffers do. */
  get(key: K): V | undefined {
    const entries = this.#entries;
    entries.key.set(key);
    const block = entries.find();
    return block === 0 ? undefined : (entries.valueOf(block) as V);
  }

  /** The value's bytes where they are: valid until the next `set`, `delete` or `migrateStep`, and not to be changed. */
  getView(key: K): Uint8Array | undefined {
    const entries = this.#entries;
    entries.key.set(key);
    const block = entries.find();
    return block === 0 ? undefined : entries.viewOf(block);
  }

  /**
   * Adds an entry or replaces its value. `VALUE_INVALID`, `LIMIT_EXCEEDED` and `CHECK_FAILED` name the field;
   * `MEMORY_FULL` when there is no room and no bound, or when the entry is larger than the bound. No entry has changed
   * then.
   */
  set(key: K, value: V): this {
    this.#entries.put(key, value);
    return this;
  }

  /** Removes an entry; false when there is none. */
  delete(key: K): boolean {
    const entries = this.#entries;
    entries.key.set(key);
    return entries.delete();
  }

  /**
   * All entries, in no order, with copies of keys and values. Every entry that is there from the beginning to the end
   * is met; when the map grows meanwhile, one can be met twice.
   */
  *entries(): Generator<[K, V]> {
    const entries = this.#entries;
    const blocks = entries.blocks();
    for (let block = blocks.next(); block !== 0; block = blocks.next()) {
      yield [entries.keyOf(block) as K, entries.valueOf(block) as V];
    }
  }

  /** All keys, as {@link entries}. */
  *keys(): Generator<K> {
    const entries = this.#entries;
    const blocks = entries.blocks();
    for (let block = blocks.next(); block !== 0; block = blocks.next()) {
      yield entries.keyOf(block) as K;
    }
  }

  /** All values, as {@link entries}. */
  *values(): Generator<V> {
    const entries = this.#entries;
    const blocks = entries.blocks();
    for (let block = blocks.next(); block !== 0; block = blocks.next()) {
      yield entries.valueOf(block) as V;
    }
  }

  [Symbol.iterator](): Generator<[K, V]> {
    return this.entries();
  }

  /**
   * Brings up to `maxRows` entries into the present layout, and says whether any are left; entries are served
   * meanwhile. `live.memory` does it by itself, between requests.
   */
  migrateStep(maxRows = 1000): boolean {
    return this.#entries.migrateStep(maxRows);
  }
}

/**
 * Opens the map `name` in physical memory, or makes it. `NOT_ALLOWED_NOW` before the memory is owned;
 * `COLLECTION_MISMATCH` when what is there has other keys, or its values can not be migrated to the description;
 * `DESCRIPTION_INVALID` when a key or a value has no place in memory.
 */
export function openMap<K, V>(
  memory: PhysicalMemory,
  name: string,
  options: MapOptions<K, V>,
): FolioMap<K, V> {
  const map = new FolioMap(name, options);
  map.openIn(memory);
  return map;
}

function create(collection: CollectionMemory, { keyKind, layout }: MapParts): void {
  const { words } = collection;
  words[MAP.key] = KEY_KINDS[keyKind];
  words.set(crypto.getRandomValues(new Int32Array(HASH_KEY_WORDS)), MAP.hashKey);
  createChunks(collection);
  if (layout !== undefined) {
    storeLayout(collection, layout);
    collection.journal.commit();
  }
  collection.finish();
}

function hashSeed({ version, words }: CollectionMemory): HashSeed {
  if (version < KEYED_VERSION) return words[MAP.seed]!;
  return words.slice(MAP.hashKey, MAP.hashKey + HASH_KEY_WORDS);
}

function segments({ words }: CollectionMemory): Int32Array {
  return words.subarray(MAP.segment, MAP.segment + words[MAP.segments]!);
}
