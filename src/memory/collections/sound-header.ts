import { PAGE_SIZE } from "../layout.ts";
import { damaged } from "./damaged.ts";
import {
  ARRAY,
  CHUNK_BITS,
  CLASS_COUNT,
  COLLECTION_MAGIC,
  type CollectionKind,
  HEADER,
  HEADER_BYTES_OF,
  JOURNAL_STORES,
  JOURNAL_WORDS,
  MAP,
  MAX_CHUNKS,
  MAX_SEGMENT_BYTES,
  MAX_SEGMENTS,
  MAX_TABLE_BITS,
  MIN_SEGMENT_BYTES,
  PAGE_BITS,
  UNIT_BYTES,
  WINDOW_SHIFT,
} from "./layout.ts";

/** A collection's folios, each by its number: see `layout.ts`. */
export interface CollectionFolios {
  readonly header: number;
  has(number: number): boolean;
}

/**
 * Whether a header's collection was made to the end; false when its maker died before. `MEMORY_INVALID` when it is
 * neither, rather than taking what is left of a collection for an unfinished one, which is made anew.
 */
export function isFinished(name: string, words: Int32Array): boolean {
  const [magic, whole] = [words[HEADER.magic]!, words[HEADER.whole]!];
  if (magic === COLLECTION_MAGIC && whole === 1) return true;
  const isBegun = magic === 0 || magic === COLLECTION_MAGIC;
  if (isBegun && whole === 0 && words[ARRAY.length] === 0) return false; // where a map has its count
  throw damaged(name, "its header does not begin as one");
}

/**
 * Refuses with `MEMORY_INVALID` a header of a finished collection that refers to what is not the collection's, or
 * contradicts itself. What it finds right is all that opening relies on; blocks of a map are looked at when they are
 * used. A journal that has not been carried out yet is taken into account.
 */
export function assertSoundHeader(
  name: string,
  kind: CollectionKind,
  folios: CollectionFolios,
  words: Int32Array,
): void {
  const header = new Header(name, folios, afterJournal(name, folios, words));
  if (sizeOf(folios.header) < HEADER_BYTES_OF[kind]) throw damaged(name, "its header is cut off");
  header.assertLayouts();
  if (kind === "map") header.assertMap();
  else header.assertArray();
  header.assertDistinct();
}

/** The header's words as they are when what is in its journal has been done. */
function afterJournal(name: string, folios: CollectionFolios, words: Int32Array): Int32Array {
  const count = words[HEADER.journal]!;
  if (count < 0 || count > JOURNAL_STORES) throw damaged(name, `its journal has ${count} stores`);
  if (count === 0) return words;
  const result = words.slice();
  const headerAt = addressOf(folios.header);
  for (let i = 0; i < count; i += 1) {
    const at = HEADER.journal + 1 + i * JOURNAL_WORDS;
    const [window, word, value] = [words[at]!, words[at + 1]!, words[at + 2]!];
    const address = window * 2 ** WINDOW_SHIFT * UNIT_BYTES + word * 4;
    if (!Number.isInteger(address) || word < 0 || !isInFolio(folios, address))
      throw damaged(name, "its journal stores outside of it");
    if (address >= headerAt && address < headerAt + sizeOf(folios.header))
      result[(address - headerAt) / 4] = value;
  }
  return result;
}

/** Folios are aligned to their size, so there is one of each size that an address can be in. */
function isInFolio({ header, has }: CollectionFolios, address: number): boolean {
  for (let order = 0; order < MAX_ORDERS; order += 1) {
    const page = Math.floor(address / PAGE_SIZE / 2 ** order) * 2 ** order;
    const number = page | (order << PAGE_BITS);
    if (page < 2 ** PAGE_BITS && (number === header || has(number))) return true;
  }
  return false;
}

const MAX_ORDERS = 32;
const PAGE_MASK = 2 ** PAGE_BITS - 1;

function addressOf(number: number): number {
  return (number & PAGE_MASK) * PAGE_SIZE;
}

function sizeOf(number: number): number {
  return PAGE_SIZE * 2 ** (number >>> PAGE_BITS);
}

class Header {
  readonly #name: string;
  readonly #folios: CollectionFolios;
  readonly #words: Int32Array;
  readonly #referred: number[] = [];

  constructor(name: string, folios: CollectionFolios, words: Int32Array) {
    this.#name = name;
    this.#folios = folios;
    this.#words = words;
  }

  /** The folios of layouts hold their text; what is in it is seen when it is read. */
  assertLayouts(): void {
    for (const at of [HEADER.layout, HEADER.before]) {
      if (this.#words[at] !== 0) this.#folio(at, "layout", this.#between(at + 1, 1, 2 ** 30, "layout"));
    }
    this.#between(HEADER.generation, 0, 0xff, "number of its layout");
  }

  assertArray(): void {
    const words = this.#words;
    const capacity = this.#between(ARRAY.capacity, 0, 2 ** 31 - 1, "capacity");
    this.#between(ARRAY.length, 0, capacity, "length");
    this.#folio(ARRAY.rows, "rows", capacity);
    this.#folio(ARRAY.staging, "staged row", 1);
    if (this.#between(ARRAY.staged, 0, 1, "staged row") === 1)
      this.#between(ARRAY.stagedIndex, 0, capacity - 1, "staged row");
    if (words[HEADER.layout] === 0) throw this.#wrong("layout");
    if ((words[ARRAY.oldRows] === 0) !== (words[HEADER.before] === 0)) throw this.#wrong("layout before");
    if (words[ARRAY.oldRows] === 0) return;
    this.#folio(
      ARRAY.oldRows,
      "rows before",
      this.#between(ARRAY.oldCapacity, 0, 2 ** 31 - 1, "rows before"),
    );
    this.#folio(ARRAY.marks, "marks", capacity);
    this.#between(ARRAY.cursor, 0, 2 ** 31 - 1, "migration");
  }

  assertMap(): void {
    const current = this.#between(MAP.table, 0, 1, "table in use");
    const isMoving = this.#between(MAP.moving, 0, 1, "growth") === 1;
    const slots = this.#assertTable(current, true) + this.#assertTable(1 - current, isMoving);
    this.#between(MAP.count, 0, slots, "count");
    for (const number of [0, 1]) this.#between(MAP.tombstones + number, 0, slots, "count of tombstones");
    const oldSlots = 2 ** this.#words[MAP.bits + current]!;
    this.#between(MAP.cursor, 0, isMoving ? oldSlots : 2 ** MAX_TABLE_BITS, "growth");
    this.#between(MAP.migrated, 0, 2 ** MAX_TABLE_BITS, "migration");
    this.#between(MAP.joining, 0, 1, "lists of free blocks");
    this.#assertSegments();
  }

  /** Everything that is referred to is referred to once. */
  assertDistinct(): void {
    if (new Set(this.#referred).size < this.#referred.length) throw this.#wrong("list of folios");
  }

  /** The slots of a table; 0 when there is none, or, unless it `isWhole`, when it is being made. */
  #assertTable(number: number, isWhole: boolean): number {
    const bits = this.#words[MAP.bits + number]!;
    if (bits === 0 && !isWhole) return 0;
    this.#between(MAP.bits + number, 1, MAX_TABLE_BITS, "size of a table");
    const chunks = 2 ** Math.max(0, bits - CHUNK_BITS);
    const first = MAP.chunks + number * MAX_CHUNKS;
    for (let i = 0; i < chunks; i += 1) {
      if (this.#words[first + i] === 0 && !isWhole) return 0;
      this.#folio(first + i, "table", 8 * 2 ** Math.min(bits, CHUNK_BITS));
    }
    return 2 ** bits;
  }

  #assertSegments(): void {
    const words = this.#words;
    const count = this.#between(MAP.segments, 0, MAX_SEGMENTS, "count of segments");
    const left = this.#between(MAP.bumpLeft, 0, MAX_SEGMENT_BYTES / UNIT_BYTES, "free units") * UNIT_BYTES;
    const bump = (words[MAP.bump]! >>> 0) * UNIT_BYTES;
    let isBumpInside = left === 0;
    for (let i = 0; i < count; i += 1) {
      const number = this.#folio(MAP.segment + i, "segment", MIN_SEGMENT_BYTES);
      if (sizeOf(number) > MAX_SEGMENT_BYTES) throw this.#wrong("segment");
      const start = addressOf(number);
      isBumpInside ||= bump >= start && bump + left <= start + sizeOf(number);
    }
    if (!isBumpInside) throw this.#wrong("free units");
    for (let sizeClass = 0; sizeClass < CLASS_COUNT; sizeClass += 1)
      if (count === 0 && words[MAP.free + sizeClass] !== 0) throw this.#wrong("lists of free blocks");
  }

  #folio(word: number, what: string, leastBytes: number): number {
    const number = this.#words[word]!;
    if (!this.#folios.has(number) || sizeOf(number) < leastBytes) throw this.#wrong(what);
    this.#referred.push(number);
    return number;
  }

  #between(word: number, least: number, most: number, what: string): number {
    const value = this.#words[word]!;
    if (value < least || value > most) throw this.#wrong(what);
    return value;
  }

  #wrong(what: string): Error {
    return damaged(this.#name, `what its header says of its ${what} cannot be`);
  }
}
