import type { AnyField, Description, Field } from "../../description/index.ts";
import { isKstateError, KstateError } from "../../error/index.ts";
import type { PhysicalMemory } from "../physical-memory.ts";
import { BlockHeap, UNIT_MASK, WINDOW_SHIFT } from "./block-heap.ts";
import { CollectionMemory } from "./collection-memory.ts";
import { type Conversion, conversion, isSameRows } from "./conversion.ts";
import { type Key, keyKindOf, keyOf } from "./key.ts";
import {
  BLOCK_HEADER_BYTES,
  classOf,
  HEADER,
  KEY_KINDS,
  MAP,
  MAP_HEADER_BYTES,
  MAX_BLOCK_BITS,
  MAX_CHUNKS,
  TOMBSTONE,
  UNIT_BYTES,
} from "./layout.ts";
import { type RowLayout, rowLayout } from "./row-layout.ts";
import { isEntry, SlotTable } from "./slot-table.ts";
import { beginMigration, freeLayout, layoutFolios, storedLayout, storeLayout } from "./stored-layout.ts";
import { BlobCodec, RowCodec, type ValueCodec } from "./value.ts";

/** What a map holds. */
export interface MapOptions<K, V> {
  /** `string({ max })`, `blob({ max })` or an integer kind whose values are numbers. At most 64 KiB each. */
  readonly key: Field<K>;
  /** A description of fields of fixed size, or `blob({ max })`. */
  readonly value: Description<V> | Field<V>;
  /**
   * Bytes that entries may take, at least 65536; slots come on top, 12 to 30 bytes an entry. When they are used up, the
   * entry of a few chosen at random that was used longest ago makes room. No bound unless given.
   */
  readonly maxBytes?: number;
}

const FIRST_BITS = 9;
const MAX_LOAD = 0.7;
/** With so many slots used, a table that can not grow is full. */
const FULL_LOAD = 0.95;
const MOVES_PER_WRITE = 16;
const EVICTION_SAMPLE = 5;
const KEY_BYTES_MASK = 0xffffff;
const LAYOUT_SHIFT = 24;

/**
 * A map that lives in folios: the next version of the program finds it as it is, without loading anything, and so
 * does the program that is started after a crash. Growth is spread over the writes that follow it. Every `set` and
 * `delete` is there or not, wherever the program dies.
 */
export class FolioMap<K, V> {
  readonly #memory: CollectionMemory;
  readonly #words: Int32Array;
  readonly #heap: BlockHeap;
  readonly #key: Key;
  readonly #codec: ValueCodec;
  readonly #isBounded: boolean;
  /** Where entries are added, and the other table while entries move or its chunks are being made. */
  #table: SlotTable;
  #other: SlotTable | undefined;
  #generation = 0;
  #before:
    | { readonly layout: RowLayout; readonly conversion: Conversion; readonly row: Uint8Array }
    | undefined;
  #random = 1;

  /** @internal Use `openMap`. */
  constructor(memory: CollectionMemory, options: MapOptions<K, V>, layout: RowLayout | undefined) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#isBounded = options.maxBytes !== undefined;
    this.#heap = new BlockHeap(memory, options.maxBytes ?? Number.POSITIVE_INFINITY);
    this.#key = keyOf(options.key, this.#words[MAP.seed]!);
    this.#codec = layout === undefined ? new BlobCodec(blobMax(options.value)) : new RowCodec(layout);
    const current = this.#words[MAP.table]!;
    this.#table = this.#stored(current)!;
    this.#other = this.#stored(1 - current);
    if (this.#words[MAP.moving] === 1) this.#swapTables();
    this.#adoptLayout(layout);
  }

  /** Entries. */
  get size(): number {
    return this.#words[MAP.count]!;
  }

  /** Bytes of the folios that entries are in, whether used or not. */
  get sizeBytes(): number {
    return this.#heap.sizeBytes;
  }

  /** Whether entries of an earlier layout are left; they are converted when they are read, until `migrateStep` is done. */
  get isMigrating(): boolean {
    return this.#before !== undefined;
  }

  has(key: K): boolean {
    this.#key.set(key);
    return this.#find() !== 0;
  }

  /** A copy of the value. Small byte values share buffers of 64 KiB, as Node's own buffers do. */
  get(key: K): V | undefined {
    this.#key.set(key);
    const block = this.#find();
    return block === 0 ? undefined : (this.#valueOf(block) as V);
  }

  /** The value's bytes where they are: valid until the next `set`, `delete` or `migrateStep`, and not to be changed. */
  getView(key: K): Uint8Array | undefined {
    this.#key.set(key);
    const block = this.#find();
    if (block === 0) return undefined;
    const window = block >>> WINDOW_SHIFT;
    const word = (block & UNIT_MASK) << 2;
    const words = this.#memory.windows[window]!;
    const start = (word + BLOCK_HEADER_BYTES / 4 + wordsOf(words[word + 1]! & KEY_BYTES_MASK)) * 4;
    const { buffer } = words;
    if (this.#before !== undefined && this.#isOld(words[word + 1]!)) return this.#converted(block);
    return new Uint8Array(buffer, start, words[word + 2]!);
  }

  /**
   * Adds an entry or replaces its value. `VALUE_INVALID`, `LIMIT_EXCEEDED` and `CHECK_FAILED` name the field;
   * `MEMORY_FULL` when there is no room and no bound. The map is as it was then.
   */
  set(key: K, value: V): this {
    const bytes = this.#codec.encode(value);
    this.#key.set(key);
    const sizeClass = this.#roomFor(this.#key.length, bytes.length);
    this.#step();
    this.#put(sizeClass, bytes);
    return this;
  }

  /** Removes an entry; false when there is none. */
  delete(key: K): boolean {
    this.#key.set(key);
    this.#step();
    const table = this.#table;
    let slot = this.#slotIn(table);
    if (slot !== -1) this.#remove(table, slot);
    else if (this.#words[MAP.moving] === 1) {
      slot = this.#slotIn(this.#other!);
      if (slot !== -1) this.#remove(this.#other!, slot);
    }
    return slot !== -1;
  }

  /**
   * All entries, in no order, with copies of keys and values. Every entry that is there from the beginning to the end
   * is met; when the map grows meanwhile, one can be met twice.
   */
  *entries(): Generator<[K, V]> {
    for (const block of this.#blocks()) yield [this.#keyOf(block) as K, this.#valueOf(block) as V];
  }

  /** All keys, as {@link entries}. */
  *keys(): Generator<K> {
    for (const block of this.#blocks()) yield this.#keyOf(block) as K;
  }

  /** All values, as {@link entries}. */
  *values(): Generator<V> {
    for (const block of this.#blocks()) yield this.#valueOf(block) as V;
  }

  [Symbol.iterator](): Generator<[K, V]> {
    return this.entries();
  }

  /**
   * Brings up to `maxRows` entries into the present layout, and says whether any are left. To be called between
   * requests until it says false; entries are served meanwhile.
   */
  migrateStep(maxRows = 1000): boolean {
    for (let left = maxRows; left > 0 && this.#before !== undefined; left -= 1) {
      if (this.#other !== undefined) {
        this.#step();
        continue;
      }
      const slot = this.#words[MAP.migrated]!;
      if (slot > this.#table.mask) this.#finishMigration();
      else this.#migrate(slot);
    }
    return this.isMigrating;
  }

  // ---- finding ----

  /** The block of the key at hand, or 0; marks it as used. */
  #find(): number {
    let table = this.#table;
    let slot = this.#slotIn(table);
    if (slot === -1) {
      if (this.#words[MAP.moving] !== 1) return 0;
      table = this.#other!;
      slot = this.#slotIn(table);
      if (slot === -1) return 0;
    }
    const block = table.reference(slot);
    if (this.#isBounded)
      this.#memory.windows[block >>> WINDOW_SHIFT]![(block & UNIT_MASK) << 2] = this.#tick();
    return block;
  }

  #slotIn(table: SlotTable): number {
    const { hash } = this.#key;
    const { mask } = table;
    let slot = hash & mask;
    for (;;) {
      const block = table.reference(slot);
      if (block === 0) return -1;
      if (block !== TOMBSTONE && table.hash(slot) === hash && this.#matches(block)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #matches(block: number): boolean {
    const words = this.#memory.windows[block >>> WINDOW_SHIFT]!;
    const word = (block & UNIT_MASK) << 2;
    const key = this.#key;
    if ((words[word + 1]! & KEY_BYTES_MASK) !== key.length) return false;
    const start = word + BLOCK_HEADER_BYTES / 4;
    const count = (key.length + 3) >> 2;
    const keyWords = key.words;
    for (let i = 0; i < count; i += 1) if (words[start + i] !== keyWords[i]) return false;
    return true;
  }

  #keyOf(block: number): unknown {
    const window = block >>> WINDOW_SHIFT;
    const word = (block & UNIT_MASK) << 2;
    const length = this.#memory.windows[window]![word + 1]! & KEY_BYTES_MASK;
    return this.#key.read(this.#memory.windowBytes[window]!, word * 4 + BLOCK_HEADER_BYTES, length);
  }

  #valueOf(block: number): unknown {
    const window = block >>> WINDOW_SHIFT;
    const words = this.#memory.windows[window]!;
    const word = (block & UNIT_MASK) << 2;
    const tag = words[word + 1]!;
    if (this.#before !== undefined && this.#isOld(tag)) {
      const row = this.#converted(block);
      return this.#codec.decode(row, words, 0, row.length);
    }
    const start = word * 4 + BLOCK_HEADER_BYTES + wordsOf(tag & KEY_BYTES_MASK) * 4;
    return this.#codec.decode(this.#memory.windowBytes[window]!, words, start, words[word + 2]!);
  }

  *#blocks(): Generator<number> {
    const isMoving = this.#words[MAP.moving] === 1;
    let table: SlotTable | undefined = isMoving ? this.#other : this.#table;
    for (; table !== undefined; table = table.successor) {
      for (let slot = 0; slot <= table.mask && !table.isDrained; slot += 1) {
        const block = table.reference(slot);
        if (isEntry(block)) yield block;
      }
    }
  }

  // ---- writing ----

  #roomFor(keyBytes: number, valueBytes: number): number {
    const units = Math.ceil((BLOCK_HEADER_BYTES + wordsOf(keyBytes) * 4 + valueBytes) / UNIT_BYTES);
    if (units > 2 ** MAX_BLOCK_BITS) {
      const limit = 2 ** MAX_BLOCK_BITS * UNIT_BYTES;
      const message = `cannot store an entry of ${units * UNIT_BYTES} bytes: the limit is ${limit}`;
      throw new KstateError("LIMIT_EXCEEDED", message, { ...PLACE, limit, found: units * UNIT_BYTES });
    }
    const sizeClass = classOf(units);
    while (!this.#heap.ensure(sizeClass)) this.#evict(sizeClass);
    return sizeClass;
  }

  /** Adds or replaces the entry of the key at hand. */
  #put(sizeClass: number, value: Uint8Array): void {
    const table = this.#table;
    let slot = this.#slotIn(table);
    if (slot === -1 && this.#words[MAP.moving] === 1) {
      const old = this.#slotIn(this.#other!);
      if (old !== -1) slot = this.#move(old);
    }
    const before = slot === -1 ? 0 : table.reference(slot);
    const block = this.#heap.take(sizeClass);
    this.#fill(block, value);
    if (before === 0) this.#addSlot(table, block);
    else {
      this.#memory.journal.store(table.windowOf(slot), table.wordOf(slot) + 1, block);
      this.#release(before);
    }
    this.#memory.journal.commit();
    this.#heap.end();
  }

  /** Writes everything but a block's first word, which is the list's until the commit. */
  #fill(block: number, value: Uint8Array): void {
    const window = block >>> WINDOW_SHIFT;
    const word = (block & UNIT_MASK) << 2;
    const words = this.#memory.windows[window]!;
    const key = this.#key;
    const start = word + BLOCK_HEADER_BYTES / 4;
    const count = (key.length + 3) >> 2;
    words[word + 1] = key.length | (this.#generation << LAYOUT_SHIFT);
    words[word + 2] = value.length;
    for (let i = 0; i < count; i += 1) words[start + i] = key.words[i]!;
    this.#memory.windowBytes[window]!.set(value, (start + count) * 4);
    this.#memory.journal.store(window, word, this.#isBounded ? this.#tick() : 0);
  }

  #addSlot(table: SlotTable, block: number): void {
    const slot = table.freeSlot(this.#key.hash);
    this.#storeSlot(table, slot, this.#key.hash, block);
    this.#memory.store(MAP.count, this.#words[MAP.count]! + 1);
  }

  #storeSlot(table: SlotTable, slot: number, hash: number, block: number): void {
    const { journal } = this.#memory;
    if (table.reference(slot) === TOMBSTONE) this.#countTombstones(table, -1);
    const window = table.windowOf(slot);
    const word = table.wordOf(slot);
    journal.store(window, word, hash);
    journal.store(window, word + 1, block);
  }

  #countTombstones({ number }: SlotTable, change: number): void {
    const word = MAP.tombstones + number;
    this.#memory.store(word, this.#words[word]! + change);
  }

  #remove(table: SlotTable, slot: number): void {
    const isLast = table.reference((slot + 1) & table.mask) === 0;
    const block = table.reference(slot);
    this.#memory.journal.store(table.windowOf(slot), table.wordOf(slot) + 1, isLast ? 0 : TOMBSTONE);
    if (!isLast) this.#countTombstones(table, 1);
    this.#memory.store(MAP.count, this.#words[MAP.count]! - 1);
    this.#release(block);
    this.#memory.journal.commit();
  }

  #release(block: number): void {
    const words = this.#memory.windows[block >>> WINDOW_SHIFT]!;
    const word = (block & UNIT_MASK) << 2;
    const keyBytes = words[word + 1]! & KEY_BYTES_MASK;
    const bytes = BLOCK_HEADER_BYTES + wordsOf(keyBytes) * 4 + words[word + 2]!;
    this.#heap.free(block, classOf(Math.ceil(bytes / UNIT_BYTES)));
  }

  // ---- growing ----

  /** A bounded part of what growing needs. */
  #step(): void {
    if (this.#other === undefined) {
      const { mask, number } = this.#table;
      const used = this.#words[MAP.count]! + this.#words[MAP.tombstones + number]!;
      if (used > MAX_LOAD * mask) this.#grow();
    } else if (this.#words[MAP.moving] === 1) this.#moveSome();
    else this.#addChunk();
  }

  /** Begins a table of twice the size, or of the same one when half of this is tombstones. */
  #grow(): void {
    const { number, bits, mask } = this.#table;
    const wanted = this.#words[MAP.count]! > (MAX_LOAD / 2) * mask ? bits + 1 : bits;
    const other = new SlotTable(1 - number, wanted);
    const limit = `a table of ${MAX_CHUNKS} chunks`;
    if (other.chunkCount > MAX_CHUNKS) throw this.#full(other.chunkBytes, limit);
    this.#words.fill(0, chunksAt(other), chunksAt(other) + MAX_CHUNKS);
    this.#memory.store(MAP.tombstones + other.number, 0);
    this.#memory.store(MAP.bits + other.number, wanted);
    this.#memory.journal.commit();
    this.#other = other;
    this.#addChunk();
  }

  /** Without memory for a larger table the one in use serves until it is nearly full. */
  #addChunk(): void {
    const other = this.#other!;
    if (!other.isComplete && !this.#allocChunk(other)) return;
    if (!other.isComplete) return;
    this.#memory.store(MAP.cursor, 0);
    this.#memory.store(MAP.moving, 1);
    this.#memory.journal.commit();
    this.#swapTables();
  }

  #allocChunk(other: SlotTable): boolean {
    try {
      const chunk = this.#memory.alloc(other.chunkBytes);
      this.#words[chunksAt(other) + other.chunks.length] = this.#memory.numberOf(chunk);
      other.add(chunk, this.#memory.windows);
    } catch (error) {
      const used = this.#words[MAP.count]! + this.#words[MAP.tombstones + this.#table.number]!;
      if (!isKstateError(error, "MEMORY_FULL") || used > FULL_LOAD * this.#table.mask) throw error;
      return false;
    }
    return true;
  }

  /** While entries move, they are added to the new table. */
  #swapTables(): void {
    const other = this.#other!;
    this.#table.successor = other;
    this.#other = this.#table;
    this.#table = other;
  }

  #moveSome(): void {
    const old = this.#other!;
    const cursor = this.#words[MAP.cursor]!;
    const end = Math.min(cursor + MOVES_PER_WRITE, old.mask + 1);
    for (let slot = cursor; slot < end; slot += 1) if (isEntry(old.reference(slot))) this.#move(slot);
    this.#words[MAP.cursor] = end;
    if (end > old.mask) this.#finishMoving(old);
  }

  /** Moves one slot, and returns where it is. */
  #move(from: number): number {
    const old = this.#other!;
    const table = this.#table;
    const hash = old.hash(from);
    const slot = table.freeSlot(hash);
    this.#storeSlot(table, slot, hash, old.reference(from));
    this.#memory.journal.store(old.windowOf(from), old.wordOf(from) + 1, TOMBSTONE);
    this.#memory.journal.commit();
    return slot;
  }

  #finishMoving(old: SlotTable): void {
    this.#memory.store(MAP.table, this.#table.number);
    this.#memory.store(MAP.bits + old.number, 0);
    this.#memory.store(MAP.moving, 0);
    this.#memory.store(MAP.migrated, 0);
    this.#memory.journal.commit();
    old.isDrained = true;
    this.#other = undefined;
    this.#memory.free(...old.chunks);
  }

  #stored(number: number): SlotTable | undefined {
    const bits = this.#words[MAP.bits + number]!;
    if (bits === 0) return undefined;
    const table = new SlotTable(number, bits);
    for (let i = 0; i < table.chunkCount; i += 1) {
      const chunk = this.#words[chunksAt(table) + i]!;
      if (chunk === 0) break;
      table.add(this.#memory.folioOf(chunk), this.#memory.windows);
    }
    return table;
  }

  // ---- the bound ----

  #tick(): number {
    const clock = (this.#words[MAP.clock]! + 1) | 0;
    this.#words[MAP.clock] = clock;
    return clock;
  }

  /** Removes the entry that was used longest ago of a few that follow a random slot and whose blocks are large enough. */
  #evict(sizeClass: number): void {
    const old = this.#words[MAP.moving] === 1 ? this.#other! : this.#table;
    const found = this.#oldest(old, sizeClass) ?? this.#oldest(this.#table, sizeClass);
    if (found === undefined) throw this.#full(this.#heap.sizeBytes, "maxBytes");
    this.#remove(found.table, found.slot);
  }

  #oldest(table: SlotTable, sizeClass: number): { table: SlotTable; slot: number } | undefined {
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) | 0;
    const start = (this.#random >>> 4) & table.mask;
    const clock = this.#words[MAP.clock]!;
    let [best, bestAge, seen] = [-1, -1, 0];
    for (let i = 0; i <= table.mask && seen < EVICTION_SAMPLE; i += 1) {
      const slot = (start + i) & table.mask;
      const block = table.reference(slot);
      if (!isEntry(block) || this.#classOf(block) < sizeClass) continue;
      seen += 1;
      const age = (clock - this.#memory.windows[block >>> WINDOW_SHIFT]![(block & UNIT_MASK) << 2]!) >>> 0;
      if (age > bestAge) [best, bestAge] = [slot, age];
    }
    return best === -1 ? undefined : { table, slot: best };
  }

  #classOf(block: number): number {
    const words = this.#memory.windows[block >>> WINDOW_SHIFT]!;
    const word = (block & UNIT_MASK) << 2;
    const bytes = BLOCK_HEADER_BYTES + wordsOf(words[word + 1]! & KEY_BYTES_MASK) * 4 + words[word + 2]!;
    return classOf(Math.ceil(bytes / UNIT_BYTES));
  }

  #full(bytes: number, limit: string): KstateError {
    const message = `cannot add to the map ${this.#memory.name}: ${limit} leaves no room for it`;
    return new KstateError("MEMORY_FULL", message, { bytes, limit });
  }

  // ---- migration ----

  #adoptLayout(layout: RowLayout | undefined): void {
    const memory = this.#memory;
    this.#generation = this.#words[HEADER.generation]!;
    if (layout === undefined) return;
    const stored = storedLayout(memory, HEADER.layout)!;
    if (stored.text !== layout.text) {
      if (isSameRows(stored, layout)) this.#replaceLayout(layout);
      else this.#beginMigration(stored, layout);
    }
    const before = storedLayout(memory, HEADER.before);
    if (before === undefined) return;
    this.#before = {
      layout: before,
      conversion: conversion(memory.name, before, layout),
      row: new Uint8Array(layout.size),
    };
  }

  #replaceLayout(layout: RowLayout): void {
    const number = this.#words[HEADER.layout]!;
    storeLayout(this.#memory, layout);
    this.#memory.journal.commit();
    freeLayout(this.#memory, number);
  }

  /** A migration that another program had begun is finished first: two layouts at a time are enough. */
  #beginMigration(stored: RowLayout, layout: RowLayout): void {
    conversion(this.#memory.name, stored, layout); // refuses before anything is changed
    const before = storedLayout(this.#memory, HEADER.before);
    if (before !== undefined) {
      const way = conversion(this.#memory.name, before, stored);
      this.#before = { layout: before, conversion: way, row: new Uint8Array(stored.size) };
      this.migrateStep(Number.POSITIVE_INFINITY);
    }
    storeLayout(this.#memory, layout);
    beginMigration(this.#memory);
    this.#memory.store(MAP.migrated, 0);
    this.#memory.journal.commit();
    this.#generation = this.#words[HEADER.generation]!;
  }

  #isOld(tag: number): boolean {
    return tag >>> LAYOUT_SHIFT !== this.#generation;
  }

  /** The value of an entry of the layout before, in the present one; valid until the next call. */
  #converted(block: number): Uint8Array {
    const { conversion: way, row } = this.#before!;
    const window = block >>> WINDOW_SHIFT;
    const word = (block & UNIT_MASK) << 2;
    const keyBytes = this.#memory.windows[window]![word + 1]! & KEY_BYTES_MASK;
    way.convert(
      this.#memory.windowBytes[window]!,
      word * 4 + BLOCK_HEADER_BYTES + wordsOf(keyBytes) * 4,
      row,
      0,
    );
    return row;
  }

  #migrate(slot: number): void {
    const block = this.#table.reference(slot);
    if (
      isEntry(block) &&
      this.#isOld(this.#memory.windows[block >>> WINDOW_SHIFT]![((block & UNIT_MASK) << 2) + 1]!)
    ) {
      this.#key.set(this.#keyOf(block));
      const row = this.#converted(block).slice();
      const sizeClass = this.#roomFor(this.#key.length, row.length);
      if (this.#table.reference(slot) === block) this.#put(sizeClass, row); // it may have made room
    }
    this.#words[MAP.migrated] = slot + 1;
  }

  #finishMigration(): void {
    const number = this.#words[HEADER.before]!;
    this.#memory.store(HEADER.before, 0);
    this.#memory.store(HEADER.beforeBytes, 0);
    this.#memory.journal.commit();
    this.#before = undefined;
    freeLayout(this.#memory, number);
  }
}

const PLACE = { path: "value", description: "", offset: -1 } as const;

function wordsOf(bytes: number): number {
  return (bytes + 3) >> 2;
}

function chunksAt({ number }: SlotTable): number {
  return MAP.chunks + number * MAX_CHUNKS;
}

function blobMax(value: unknown): number {
  return (value as { readonly kind: { readonly max: number } }).kind.max;
}

/**
 * Opens the map `name` in physical memory, or makes it. `NOT_ALLOWED_NOW` before the memory is owned;
 * `COLLECTION_MISMATCH` when what is there has other keys, or its values can not be migrated to the description.
 */
export function openMap<K, V>(
  memory: PhysicalMemory,
  name: string,
  options: MapOptions<K, V>,
): FolioMap<K, V> {
  const keyKind = keyKindOf(options.key as AnyField);
  const kind = valueKind(options.value);
  if (keyKind === undefined || kind === undefined) {
    const part = keyKind === undefined ? "key" : "value";
    const problem =
      part === "key"
        ? "a key is string, blob or an integer of numbers"
        : "a value is a description or blob; put a single field into a description";
    throw new KstateError("DESCRIPTION_INVALID", `cannot open the map ${name}: ${problem}`, {
      description: name,
      field: part,
      problem,
    });
  }
  if (options.maxBytes !== undefined && !(options.maxBytes >= 65_536)) {
    throw new RangeError(`maxBytes of the map ${name} has to be at least 65536, not ${options.maxBytes}`);
  }
  const layout = kind === "rows" ? rowLayout(options.value as Description) : undefined;
  const collection = new CollectionMemory(memory, name, "map", MAP_HEADER_BYTES);
  return collection.opening(() => {
    if (collection.isNew) create(collection, KEY_KINDS[keyKind], layout);
    else freeLost(collection);
    assertSameKinds(collection, KEY_KINDS[keyKind], layout !== undefined);
    return new FolioMap(collection, options, layout);
  });
}

function valueKind(value: object): "rows" | "blob" | undefined {
  if ("versionId" in value) return "rows";
  const { kind } = value as AnyField;
  return kind?.kind === "blob" ? "blob" : undefined;
}

function create(collection: CollectionMemory, keyKind: number, layout: RowLayout | undefined): void {
  const { words } = collection;
  words[MAP.key] = keyKind;
  words[MAP.seed] = crypto.getRandomValues(new Int32Array(1))[0]!;
  words[MAP.bits] = FIRST_BITS;
  words[MAP.chunks] = collection.numberOf(collection.alloc(new SlotTable(0, FIRST_BITS).chunkBytes));
  if (layout !== undefined) {
    storeLayout(collection, layout);
    collection.journal.commit();
  }
  collection.finish();
}

/** Frees what a program that died had added and not yet used, or no longer used and not yet freed. */
function freeLost(collection: CollectionMemory): void {
  const { words } = collection;
  const referred = layoutFolios(collection);
  for (const number of [0, 1]) {
    if (words[MAP.bits + number] === 0) continue;
    const { chunkCount } = new SlotTable(number, words[MAP.bits + number]!);
    const at = MAP.chunks + number * MAX_CHUNKS;
    referred.push(...words.subarray(at, at + chunkCount));
  }
  referred.push(...words.subarray(MAP.segment, MAP.segment + words[MAP.segments]!));
  collection.freeOthers(referred);
}

function assertSameKinds(collection: CollectionMemory, keyKind: number, hasRows: boolean): void {
  const { words, name } = collection;
  const found = Object.entries(KEY_KINDS).find(([, number]) => number === words[MAP.key])?.[0];
  const problem =
    words[MAP.key] !== keyKind
      ? `its keys are ${found ?? "unknown"}`
      : (words[HEADER.layout] !== 0) !== hasRows
        ? `its values are ${hasRows ? "blobs" : "rows of a description"}`
        : undefined;
  if (problem === undefined) return;
  throw new KstateError("COLLECTION_MISMATCH", `cannot open the map ${name}: ${problem}`, {
    collection: name,
    problem,
  });
}
