import { isKstateError, KstateError } from "../../error/index.ts";
import type { CollectionMemory } from "./collection-memory.ts";
import { damaged } from "./damaged.ts";
import { MAP, MAX_CHUNKS, TOMBSTONE } from "./layout.ts";
import { isEntry, SlotTable } from "./slot-table.ts";

export const FIRST_BITS = 9;
const MAX_LOAD = 0.7;
/** With so many slots used, a table that can not grow is full. */
const FULL_LOAD = 0.95;
const MOVES_PER_STEP = 16;

/**
 * A map's table of slots and, while it grows, the other one. Growing is spread over the writes that follow: first the
 * chunks of the new table are made, then entries move to it, a few at a time. Stores go through the journal; those of
 * `addSlot` and `clearSlot` belong to the caller's operation.
 */
export class SlotTables {
  /** Where entries are added. */
  current: SlotTable;
  /** While entries move, where they come from; before that, the table whose chunks are being made. */
  other: SlotTable | undefined;
  readonly #memory: CollectionMemory;
  readonly #words: Int32Array;

  constructor(memory: CollectionMemory) {
    this.#memory = memory;
    this.#words = memory.words;
    const number = this.#words[MAP.table]!;
    this.current = this.#stored(number)!;
    this.other = this.#stored(1 - number);
    if (this.isMoving) this.#swap();
  }

  get isMoving(): boolean {
    return this.#words[MAP.moving] === 1;
  }

  /** The table from which all entries can be met by following `successor`. */
  get oldest(): SlotTable {
    return this.isMoving ? this.other! : this.current;
  }

  /** A bounded part of what growing needs. `MEMORY_FULL` when there is no room for another entry. */
  step(): void {
    if (this.other === undefined) {
      if (this.#used > MAX_LOAD * this.current.mask) this.#grow();
    } else if (this.isMoving) this.#moveSome(this.other);
    else this.#addChunk(this.other);
  }

  /** Adds the stores that put an entry into the current table. */
  addSlot(hash: number, block: number): void {
    this.#storeSlot(this.#freeSlot(hash), hash, block);
  }

  /** Adds the store that makes a slot refer to another block. */
  replaceSlot(slot: number, block: number): void {
    const { current } = this;
    this.#memory.journal.store(current.windowOf(slot), current.wordOf(slot) + 1, block);
  }

  /** Adds the stores that take an entry out of a table. */
  clearSlot(table: SlotTable, slot: number): void {
    const isLast = table.reference((slot + 1) & table.mask) === 0;
    this.#memory.journal.store(table.windowOf(slot), table.wordOf(slot) + 1, isLast ? 0 : TOMBSTONE);
    if (!isLast) this.#countTombstones(table, 1);
  }

  /** Moves a slot of the other table to the current one, and returns where it is there. */
  move(from: number): number {
    const old = this.other!;
    const hash = old.hash(from);
    const slot = this.#freeSlot(hash);
    this.#storeSlot(slot, hash, old.reference(from));
    this.#memory.journal.store(old.windowOf(from), old.wordOf(from) + 1, TOMBSTONE);
    this.#memory.journal.commit();
    return slot;
  }

  /** Slots of the current table that are no longer empty. */
  get #used(): number {
    return this.#words[MAP.count]! + this.#words[MAP.tombstones + this.current.number]!;
  }

  #freeSlot(hash: number): number {
    const slot = this.current.freeSlot(hash);
    if (slot === -1) throw this.full();
    return slot;
  }

  /** A table always has empty slots. */
  full(): KstateError {
    return damaged(this.#memory.name, "a table has no empty slot");
  }

  #storeSlot(slot: number, hash: number, block: number): void {
    const { current } = this;
    const { journal } = this.#memory;
    if (current.reference(slot) === TOMBSTONE) this.#countTombstones(current, -1);
    const word = current.wordOf(slot);
    journal.store(current.windowOf(slot), word, hash);
    journal.store(current.windowOf(slot), word + 1, block);
  }

  #countTombstones({ number }: SlotTable, change: number): void {
    const word = MAP.tombstones + number;
    this.#memory.store(word, this.#words[word]! + change);
  }

  /** Begins a table of twice the size, or of the same one when half of this is tombstones. */
  #grow(): void {
    const { number, bits, mask } = this.current;
    const wanted = this.#words[MAP.count]! > (MAX_LOAD / 2) * mask ? bits + 1 : bits;
    const other = new SlotTable(1 - number, wanted);
    if (other.chunkCount > MAX_CHUNKS) throw tooManyChunks(this.#memory.name, other.chunkBytes);
    this.#words.fill(0, chunksAt(other), chunksAt(other) + MAX_CHUNKS);
    this.#memory.store(MAP.tombstones + other.number, 0);
    this.#memory.store(MAP.bits + other.number, wanted);
    this.#memory.journal.commit();
    this.other = other;
    this.#addChunk(other);
  }

  /** Without memory for a larger table the one in use serves until it is nearly full. */
  #addChunk(other: SlotTable): void {
    if (!other.isComplete && !this.#allocChunk(other)) return;
    if (!other.isComplete) return;
    this.#memory.store(MAP.cursor, 0);
    this.#memory.store(MAP.moving, 1);
    this.#memory.journal.commit();
    this.#swap();
  }

  #allocChunk(other: SlotTable): boolean {
    try {
      const chunk = this.#memory.alloc(other.chunkBytes);
      this.#words[chunksAt(other) + other.chunks.length] = this.#memory.numberOf(chunk);
      other.add(chunk, this.#memory.windows);
    } catch (error) {
      if (!isKstateError(error, "MEMORY_FULL") || this.#used > FULL_LOAD * this.current.mask) throw error;
      return false;
    }
    return true;
  }

  /** While entries move, they are added to the new table. */
  #swap(): void {
    const other = this.other!;
    this.current.successor = other;
    this.other = this.current;
    this.current = other;
  }

  #moveSome(old: SlotTable): void {
    const cursor = this.#words[MAP.cursor]!;
    const end = Math.min(cursor + MOVES_PER_STEP, old.mask + 1);
    for (let slot = cursor; slot < end; slot += 1) if (isEntry(old.reference(slot))) this.move(slot);
    this.#words[MAP.cursor] = end;
    if (end > old.mask) this.#finishMoving(old);
  }

  #finishMoving(old: SlotTable): void {
    this.#memory.store(MAP.table, this.current.number);
    this.#memory.store(MAP.bits + old.number, 0);
    this.#memory.store(MAP.moving, 0);
    this.#memory.store(MAP.migrated, 0);
    this.#memory.journal.commit();
    old.isDrained = true;
    this.other = undefined;
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
}

/** The words of the header that refer to chunks, of a new map or one that is opened. */
export function createChunks(memory: CollectionMemory): void {
  memory.words[MAP.bits] = FIRST_BITS;
  memory.words[MAP.chunks] = memory.numberOf(memory.alloc(new SlotTable(0, FIRST_BITS).chunkBytes));
}

/** All folios of chunks that the header refers to. */
export function chunkFolios({ words }: CollectionMemory): number[] {
  return [0, 1].flatMap((number) => {
    const bits = words[MAP.bits + number]!;
    if (bits === 0) return [];
    const table = new SlotTable(number, bits);
    return [...words.subarray(chunksAt(table), chunksAt(table) + table.chunkCount)];
  });
}

function chunksAt({ number }: SlotTable): number {
  return MAP.chunks + number * MAX_CHUNKS;
}

function tooManyChunks(name: string, bytes: number): KstateError {
  const limit = `a table of ${MAX_CHUNKS} chunks`;
  const message = `cannot add to the map ${name}: ${limit} leaves no room for it`;
  return new KstateError("MEMORY_FULL", message, { bytes, limit });
}
