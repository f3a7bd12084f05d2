import { isKstateError, KstateError } from "../../error/index.ts";
import { BlockCursor } from "./block-cursor.ts";
import { BlockHeap } from "./block-heap.ts";
import type { CollectionMemory } from "./collection-memory.ts";
import { damaged } from "./damaged.ts";
import type { Key } from "./key.ts";
import {
  BLOCK_HEADER_BYTES,
  classOf,
  KEY_BYTES_MASK,
  LAYOUT_SHIFT,
  MAP,
  MAX_BLOCK_BITS,
  TOMBSTONE,
  UNIT_BYTES,
  UNIT_MASK,
  WINDOW_SHIFT,
} from "./layout.ts";
import { MapBound } from "./map-bound.ts";
import { MapMigration } from "./map-migration.ts";
import type { RowLayout } from "./row-layout.ts";
import { isEntry, type SlotTable } from "./slot-table.ts";
import { SlotTables } from "./slot-tables.ts";
import type { ValueCodec } from "./value.ts";

const HEADER_WORDS = BLOCK_HEADER_BYTES / 4;

/** What a map's entries are made with. */
export interface EntryParts {
  readonly key: Key;
  readonly codec: ValueCodec;
  /** Of the values, unless they are bytes. */
  readonly layout: RowLayout | undefined;
  readonly maxBytes: number | undefined;
}

/**
 * The entries of a map: slots refer to blocks, which hold key and value. `find` and `delete` are about the key at hand,
 * which the caller sets first: `key.set(…)`.
 */
export class MapEntries {
  readonly key: Key;
  readonly tables: SlotTables;
  readonly heap: BlockHeap;
  readonly migration: MapMigration;
  readonly #memory: CollectionMemory;
  readonly #words: Int32Array;
  readonly #codec: ValueCodec;
  readonly #bound: MapBound | undefined;

  constructor(memory: CollectionMemory, { key, codec, layout, maxBytes }: EntryParts) {
    this.#memory = memory;
    this.#words = memory.words;
    this.key = key;
    this.#codec = codec;
    this.heap = new BlockHeap(memory, maxBytes ?? Number.POSITIVE_INFINITY);
    this.tables = new SlotTables(memory);
    this.heap.recover(this.blocks());
    this.migration = new MapMigration(memory);
    if (maxBytes !== undefined) {
      const remove = (table: SlotTable, slot: number): void => this.#remove(table, slot);
      this.#bound = new MapBound(memory, this.tables, this.heap, remove);
    }
    if (layout !== undefined) this.migration.adopt(layout, () => this.migrateStep(Number.POSITIVE_INFINITY));
  }

  // ---- reading ----

  /** The block of the key, or 0; marks it as used. */
  find(): number {
    const { tables } = this;
    let table = tables.current;
    let slot = this.#slotIn(table);
    if (slot === -1) {
      if (!tables.isMoving) return 0;
      table = tables.other!;
      slot = this.#slotIn(table);
      if (slot === -1) return 0;
    }
    const block = table.reference(slot);
    if (this.#bound !== undefined)
      this.#memory.windows[block >>> WINDOW_SHIFT]![(block & UNIT_MASK) << 2] = this.#bound.tick();
    return block;
  }

  keyOf(block: number): unknown {
    const window = block >>> WINDOW_SHIFT;
    const word = (block & UNIT_MASK) << 2;
    if (!this.heap.has(block)) throw this.heap.outside(block);
    const length = this.#memory.windows[window]![word + 1]! & KEY_BYTES_MASK;
    this.heap.assertBlock(block, length, 0);
    return this.key.read(this.#memory.windowBytes[window]!, word * 4 + BLOCK_HEADER_BYTES, length);
  }

  /** A copy of a block's value. */
  valueOf(block: number): unknown {
    const window = block >>> WINDOW_SHIFT;
    if (!this.heap.has(block)) throw this.heap.outside(block);
    const words = this.#memory.windows[window]!;
    const word = (block & UNIT_MASK) << 2;
    const tag = words[word + 1]!;
    const length = this.#checkedLength(block, tag, words[word + 2]!);
    if (this.migration.isActive && this.migration.isOld(tag)) {
      const row = this.migration.converted(block);
      return this.#codec.decode(row, words, 0, row.length);
    }
    const start = (word + HEADER_WORDS + wordsOf(tag & KEY_BYTES_MASK)) * 4;
    return this.#codec.decode(this.#memory.windowBytes[window]!, words, start, length);
  }

  /** A block's value where it is. */
  viewOf(block: number): Uint8Array {
    if (!this.heap.has(block)) throw this.heap.outside(block);
    const words = this.#memory.windows[block >>> WINDOW_SHIFT]!;
    const word = (block & UNIT_MASK) << 2;
    const tag = words[word + 1]!;
    const length = this.#checkedLength(block, tag, words[word + 2]!);
    if (this.migration.isActive && this.migration.isOld(tag)) return this.migration.converted(block);
    const start = (word + HEADER_WORDS + wordsOf(tag & KEY_BYTES_MASK)) * 4;
    return new Uint8Array(words.buffer, start, length);
  }

  /** The length of a block's value, if the block lies in its segment and rows are as long as they have to be. */
  #checkedLength(block: number, tag: number, length: number): number {
    this.heap.assertBlock(block, tag & KEY_BYTES_MASK, length);
    const { rowBytes } = this.#codec;
    if (rowBytes === undefined || length === rowBytes) return length;
    const { migration } = this;
    if (migration.isActive && migration.isOld(tag) && length === migration.oldBytes) return length;
    throw damaged(this.#memory.name, `a value of ${length} bytes is no row`);
  }

  /** All blocks in use. */
  blocks(): BlockCursor {
    return new BlockCursor(this.#memory.windows, this.heap, this.tables.oldest);
  }

  // ---- writing ----

  /** Adds an entry, or replaces its value. A check of the value may use the map, so the key comes after it. */
  put(key: unknown, value: unknown): void {
    const bytes = this.#codec.encode(value);
    this.key.set(key);
    const sizeClass = this.#classFor(bytes.length);
    this.#step();
    this.#ensure(sizeClass);
    this.#write(sizeClass, bytes);
  }

  /** Removes the entry of the key; false when there is none. */
  delete(): boolean {
    this.#step();
    const { current, other, isMoving } = this.tables;
    let slot = this.#slotIn(current);
    if (slot !== -1) this.#remove(current, slot);
    else if (isMoving) {
      slot = this.#slotIn(other!);
      if (slot !== -1) this.#remove(other!, slot);
    }
    return slot !== -1;
  }

  /** Brings up to `maxRows` entries into the present layout, and says whether any are left. Changes the key at hand. */
  migrateStep(maxRows: number): boolean {
    for (let left = maxRows; left > 0 && this.migration.isActive; left -= 1) {
      if (this.tables.other !== undefined) {
        this.#step();
        continue;
      }
      const slot = this.#words[MAP.migrated]!;
      if (slot > this.tables.current.mask) this.migration.finish();
      else this.#migrate(slot);
    }
    return this.migration.isActive;
  }

  #slotIn(table: SlotTable): number {
    const { hash } = this.key;
    const { mask } = table;
    const first = hash & mask;
    let slot = first;
    do {
      const block = table.reference(slot);
      if (block === 0) return -1;
      if (block !== TOMBSTONE && table.hash(slot) === hash && this.#matches(block)) return slot;
      slot = (slot + 1) & mask;
    } while (slot !== first);
    throw this.tables.full();
  }

  #matches(block: number): boolean {
    if (!this.heap.has(block)) throw this.heap.outside(block);
    const words = this.#memory.windows[block >>> WINDOW_SHIFT]!;
    const word = (block & UNIT_MASK) << 2;
    const { key } = this;
    if ((words[word + 1]! & KEY_BYTES_MASK) !== key.length) return false;
    const start = word + HEADER_WORDS;
    const count = (key.length + 3) >> 2;
    const keyWords = key.words;
    for (let i = 0; i < count; i += 1) if (words[start + i] !== keyWords[i]) return false;
    return true;
  }

  #classFor(valueBytes: number): number {
    const units = Math.ceil((BLOCK_HEADER_BYTES + wordsOf(this.key.length) * 4 + valueBytes) / UNIT_BYTES);
    if (units <= 2 ** MAX_BLOCK_BITS) return classOf(units);
    const limit = 2 ** MAX_BLOCK_BITS * UNIT_BYTES;
    const message = `cannot store an entry of ${units * UNIT_BYTES} bytes: the limit is ${limit}`;
    throw new KstateError("LIMIT_EXCEEDED", message, { ...PLACE, limit, found: units * UNIT_BYTES });
  }

  /** What growing needs now. A map with a bound loses entries rather than fail. */
  #step(): void {
    for (;;) {
      try {
        this.tables.step();
        return;
      } catch (error) {
        if (!isKstateError(error, "MEMORY_FULL") || this.#bound?.giveBack() !== true) throw error;
      }
    }
  }

  /** Sees to it that there is a block of this class. */
  #ensure(sizeClass: number): void {
    if (this.heap.hasRoom(sizeClass)) return;
    for (;;) {
      try {
        if (this.heap.ensure(sizeClass)) return;
      } catch (error) {
        if (!isKstateError(error, "MEMORY_FULL") || this.#bound === undefined) throw error;
        this.heap.pauseGrowth();
      }
      this.#bound!.makeRoom(sizeClass);
    }
  }

  #write(sizeClass: number, value: Uint8Array): void {
    const { tables, heap } = this;
    let slot = this.#slotIn(tables.current);
    if (slot === -1 && tables.isMoving) {
      const old = this.#slotIn(tables.other!);
      if (old !== -1) slot = tables.move(old);
    }
    const before = slot === -1 ? 0 : tables.current.reference(slot);
    const classBefore = before === 0 ? 0 : heap.classOfBlock(before);
    heap.begin();
    const block = heap.take(sizeClass);
    this.#fill(block, value);
    if (before === 0) {
      tables.addSlot(this.key.hash, block);
      this.#memory.store(MAP.count, this.#words[MAP.count]! + 1);
    } else {
      tables.replaceSlot(slot, block);
      heap.free(before, classBefore);
    }
    heap.commit();
  }

  /** Writes everything but a block's first word, which is the list's until the commit. */
  #fill(block: number, value: Uint8Array): void {
    const window = block >>> WINDOW_SHIFT;
    const word = (block & UNIT_MASK) << 2;
    const words = this.#memory.windows[window]!;
    const { key } = this;
    const start = word + HEADER_WORDS;
    const count = (key.length + 3) >> 2;
    words[word + 1] = key.length | (this.migration.generation << LAYOUT_SHIFT);
    words[word + 2] = value.length;
    for (let i = 0; i < count; i += 1) words[start + i] = key.words[i]!;
    this.#memory.windowBytes[window]!.set(value, (start + count) * 4);
    if (this.#bound !== undefined) this.#memory.journal.store(window, word, this.#bound.tick());
  }

  #remove(table: SlotTable, slot: number): void {
    const block = table.reference(slot);
    const sizeClass = this.heap.classOfBlock(block);
    this.heap.begin();
    this.tables.clearSlot(table, slot);
    this.#memory.store(MAP.count, this.#words[MAP.count]! - 1);
    this.heap.free(block, sizeClass);
    this.heap.commit();
  }

  #migrate(slot: number): void {
    const { current } = this.tables;
    const block = current.reference(slot);
    if (isEntry(block) && this.migration.isOld(this.#tagOf(block))) {
      this.key.set(this.keyOf(block));
      this.viewOf(block); // which looks at its length
      const row = this.migration.converted(block).slice();
      const sizeClass = this.#classFor(row.length);
      this.#ensure(sizeClass);
      if (current.reference(slot) === block) this.#write(sizeClass, row); // it may have made room
    }
    this.#words[MAP.migrated] = slot + 1;
  }

  #tagOf(block: number): number {
    if (!this.heap.has(block)) throw this.heap.outside(block);
    return this.#memory.windows[block >>> WINDOW_SHIFT]![((block & UNIT_MASK) << 2) + 1]!;
  }
}

const PLACE = { path: "value", description: "", offset: -1 } as const;

function wordsOf(bytes: number): number {
  return (bytes + 3) >> 2;
}
