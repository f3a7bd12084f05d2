import { KstateError } from "../../error/index.ts";
import type { Folio } from "../folio.ts";
import { type CollectionMemory, windowOf, wordOf } from "./collection-memory.ts";
import { freeRuns, joined } from "./free-runs.ts";
import {
  BLOCK_HEADER_BYTES,
  CLASS_COUNT,
  classOf,
  classWithin,
  KEY_BYTES_MASK,
  MAP,
  MAX_SEGMENTS,
  UNIT_BYTES,
  UNIT_MASK,
  unitsOf,
  WINDOW_SHIFT,
} from "./layout.ts";

const MIN_SEGMENT_BYTES = 65_536;
const MIB = 2 ** 20;
/** Up to so many segments are at most so large: growing by small ones makes no pause, and the header has room. */
const SEGMENT_STEPS = [
  [512, 4 * MIB],
  [1024, 16 * MIB],
  [1536, 64 * MIB],
  [MAX_SEGMENTS, 1024 * MIB],
] as const;
/** Blocks are joined when so much of the memory was freed since the last time. */
const JOIN_SHARE = 1 / 4;
/** After so many entries a map that found the memory full asks again. */
const GROWTH_PAUSE = 1000;
/** A pause of some ten ms. */
const MAX_JOINED_BLOCKS = 2 ** 18;
/** Stores for which an operation of the heap's own leaves room in the journal. */
const MAX_STORES = 56;

/**
 * Blocks of a map's entries: lists of free ones by size class, and a run of units that no block has had. Taking and
 * freeing only add stores to the journal, until `commit`.
 */
export class BlockHeap {
  readonly #memory: CollectionMemory;
  readonly #words: Int32Array;
  readonly #maxBytes: number;
  #segmentBytes = 0;
  #freedUnits = 0;
  /** Calls of `ensure` that do not ask for more memory, because it was full. */
  #growthPause = 0;
  /** The list from which the operation at hand takes a block, and what is first in it afterwards. */
  #takenClass = -1;
  #takenNext = 0;

  constructor(memory: CollectionMemory, maxBytes: number) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#maxBytes = maxBytes;
    for (const segment of this.segments()) this.#segmentBytes += segment.size;
  }

  /** Bytes of all segments. */
  get sizeBytes(): number {
    return this.#segmentBytes;
  }

  *segments(): Generator<Folio> {
    for (let i = 0; i < this.#words[MAP.segments]!; i += 1) {
      yield this.#memory.folioOf(this.#words[MAP.segment + i]!);
    }
  }

  /** The class of a block in use. */
  classOfBlock(block: number): number {
    const words = this.#memory.windows[block >>> WINDOW_SHIFT]!;
    const word = (block & UNIT_MASK) << 2;
    const keyBytes = ((words[word + 1]! & KEY_BYTES_MASK) + 3) & ~3;
    return classOf((BLOCK_HEADER_BYTES + keyBytes + words[word + 2]! + UNIT_BYTES - 1) >> 4);
  }

  /** Whether the next `take` of this class finds a block. */
  has(sizeClass: number): boolean {
    return this.#words[MAP.free + sizeClass] !== 0 || this.#words[MAP.bumpLeft]! >= unitsOf(sizeClass);
  }

  /** Sees to it that the next `take` of this class finds a block; false when the bound is reached. */
  ensure(sizeClass: number): boolean {
    if (this.has(sizeClass) || this.#split(sizeClass)) return true;
    if (this.#freedUnits * UNIT_BYTES > JOIN_SHARE * this.#segmentBytes && this.joinFor(sizeClass))
      return true;
    if (this.#growthPause > 0) {
      this.#growthPause -= 1;
      return false;
    }
    return this.#addSegment(unitsOf(sizeClass) * UNIT_BYTES);
  }

  /** The memory is full: a map that can make room does so for a while, rather than ask for more each time. */
  pauseGrowth(): void {
    this.#growthPause = GROWTH_PAUSE;
  }

  /** Joins free blocks that are neighbours; whether there is a block of this class then. */
  joinFor(sizeClass: number): boolean {
    if (this.#freedUnits === 0) return false;
    this.#join();
    return this.has(sizeClass) || this.#split(sizeClass);
  }

  /** Takes a block that {@link ensure} has found; its first word belongs to the list until the commit. */
  take(sizeClass: number): number {
    const words = this.#words;
    const block = words[MAP.free + sizeClass]!;
    if (block !== 0) {
      this.#takenClass = sizeClass;
      this.#takenNext = this.#linkOf(block);
      return block;
    }
    const units = unitsOf(sizeClass);
    const bump = words[MAP.bump]!;
    this.#memory.store(MAP.bump, bump + units);
    this.#memory.store(MAP.bumpLeft, words[MAP.bumpLeft]! - units);
    return bump;
  }

  /** Puts a block first in its list. At most one in an operation, and after `take`. */
  free(block: number, sizeClass: number): void {
    const isTaken = this.#takenClass === sizeClass;
    const first = isTaken ? this.#takenNext : this.#words[MAP.free + sizeClass]!;
    if (isTaken) this.#takenClass = -1;
    this.#memory.journal.store(block >>> WINDOW_SHIFT, (block & UNIT_MASK) << 2, first);
    this.#memory.store(MAP.free + sizeClass, block);
    this.#freedUnits += unitsOf(sizeClass);
  }

  /** Makes everything in the journal happen. */
  commit(): void {
    if (this.#takenClass !== -1) this.#memory.store(MAP.free + this.#takenClass, this.#takenNext);
    this.#takenClass = -1;
    this.#memory.journal.commit();
  }

  /** Gives a segment in which no block is in use back to the memory. */
  drop(index: number): void {
    const words = this.#words;
    const last = words[MAP.segments]! - 1;
    const segment = this.#memory.folioOf(words[MAP.segment + index]!);
    this.#unlink(segment);
    this.#memory.store(MAP.segment + index, words[MAP.segment + last]!);
    this.#memory.store(MAP.segments, last);
    if (words[MAP.bumpLeft] !== 0 && isInside(words[MAP.bump]!, segment)) {
      this.#memory.store(MAP.bump, 0);
      this.#memory.store(MAP.bumpLeft, 0);
    }
    this.#memory.journal.commit();
    this.#segmentBytes -= segment.size;
    this.#growthPause = 0;
    this.#memory.free(segment);
  }

  /** Makes the lists anew, after a program died while it joined blocks; `blocks` are all that are in use. */
  recover(blocks: Iterable<number>): void {
    if (this.#words[MAP.joining] !== 1) return;
    const runs = freeRuns(
      [...this.segments()],
      blocks,
      (block) => unitsOf(this.classOfBlock(block)),
      this.#words[MAP.bump]!,
      this.#words[MAP.bumpLeft]!,
    );
    this.#words.fill(0, MAP.free, MAP.free + CLASS_COUNT);
    for (const [block, units] of runs) this.#push(block, units);
    Atomics.store(this.#words, MAP.joining, 0);
  }

  #linkOf(block: number): number {
    return this.#memory.windows[block >>> WINDOW_SHIFT]![(block & UNIT_MASK) << 2]!;
  }

  /** Makes a block of this class, and others of what is left, of the smallest free block that is larger. */
  #split(sizeClass: number): boolean {
    const words = this.#words;
    let larger = sizeClass + 1;
    while (larger < CLASS_COUNT && words[MAP.free + larger] === 0) larger += 1;
    if (larger >= CLASS_COUNT) return false;
    const block = words[MAP.free + larger]!;
    const units = unitsOf(sizeClass);
    const heads = new Map([[larger, this.#linkOf(block)]]);
    this.#freePiece(block, sizeClass, heads);
    this.#freePieces(block + units, unitsOf(larger) - units, heads);
    this.#storeHeads(heads);
    this.#memory.journal.commit();
    return true;
  }

  /** Adds the stores that make a run of units free blocks; `heads` are the lists as this operation leaves them. */
  #freePieces(first: number, units: number, heads: Map<number, number>): void {
    for (let [block, left] = [first, units]; left > 0; ) {
      const sizeClass = classWithin(left);
      this.#freePiece(block, sizeClass, heads);
      block += unitsOf(sizeClass);
      left -= unitsOf(sizeClass);
    }
  }

  #freePiece(block: number, sizeClass: number, heads: Map<number, number>): void {
    const first = heads.get(sizeClass) ?? this.#words[MAP.free + sizeClass]!;
    this.#memory.journal.store(block >>> WINDOW_SHIFT, (block & UNIT_MASK) << 2, first);
    heads.set(sizeClass, block);
  }

  #storeHeads(heads: ReadonlyMap<number, number>): void {
    for (const [sizeClass, block] of heads) this.#memory.store(MAP.free + sizeClass, block);
  }

  /** Joins free blocks that are neighbours. Until it is done the header says that the lists are not to be relied on. */
  #join(): void {
    this.#freedUnits = 0;
    const words = this.#words;
    Atomics.store(words, MAP.joining, 1);
    const blocks: [block: number, units: number][] = [];
    for (let sizeClass = 1; sizeClass < CLASS_COUNT; sizeClass += 1) {
      let block = words[MAP.free + sizeClass]!;
      for (; block !== 0 && blocks.length < MAX_JOINED_BLOCKS; block = this.#linkOf(block)) {
        blocks.push([block >>> 0, unitsOf(sizeClass)]);
      }
      words[MAP.free + sizeClass] = block;
    }
    for (const [block, units] of joined(blocks, [...this.segments()])) this.#push(block, units);
    Atomics.store(words, MAP.joining, 0);
  }

  /** Puts a run of units into the lists, without the journal. */
  #push(first: number, units: number): void {
    for (let [block, left] = [first | 0, units]; left > 0; ) {
      const sizeClass = classWithin(left);
      this.#memory.windows[block >>> WINDOW_SHIFT]![(block & UNIT_MASK) << 2] =
        this.#words[MAP.free + sizeClass]!;
      this.#words[MAP.free + sizeClass] = block;
      block += unitsOf(sizeClass);
      left -= unitsOf(sizeClass);
    }
  }

  /** Takes a segment's free blocks out of their lists; a program that dies meanwhile loses the use of them only. */
  #unlink(segment: Folio): void {
    const { journal } = this.#memory;
    let stores = 0;
    for (let sizeClass = 1; sizeClass < CLASS_COUNT; sizeClass += 1) {
      let before = 0;
      let block = this.#words[MAP.free + sizeClass]!;
      while (block !== 0) {
        let next = this.#linkOf(block);
        if (isInside(block, segment)) {
          while (isInside(next, segment)) next = this.#linkOf(next);
          if (before === 0) this.#memory.store(MAP.free + sizeClass, next);
          else journal.store(before >>> WINDOW_SHIFT, (before & UNIT_MASK) << 2, next);
          stores += 1;
          if (stores % MAX_STORES === 0) journal.commit();
        } else before = block;
        block = next;
      }
    }
    journal.commit();
  }

  #addSegment(blockBytes: number): boolean {
    const words = this.#words;
    const count = words[MAP.segments]!;
    const bytes = this.#nextSegmentBytes(count, blockBytes);
    if (bytes < blockBytes) return false;
    const segment = this.#allocSegment(bytes, blockBytes);
    words[MAP.segment + count] = this.#memory.numberOf(segment);
    const heads = new Map<number, number>();
    this.#freePieces(words[MAP.bump]!, words[MAP.bumpLeft]!, heads);
    this.#storeHeads(heads);
    this.#memory.store(MAP.segments, count + 1);
    this.#memory.store(MAP.bump, firstUnit(segment));
    this.#memory.store(MAP.bumpLeft, segment.size / UNIT_BYTES);
    this.#memory.journal.commit();
    this.#segmentBytes += segment.size;
    return true;
  }

  /** Where there is not much left, a smaller segment does. */
  #allocSegment(bytes: number, blockBytes: number): Folio {
    const least = 2 ** Math.ceil(Math.log2(Math.max(MIN_SEGMENT_BYTES, blockBytes)));
    for (let wanted = bytes; ; wanted /= 2) {
      try {
        return this.#memory.alloc(wanted);
      } catch (error) {
        if (wanted <= least) throw error;
      }
    }
  }

  /** An eighth of what there is, as a power of two; less when the bound leaves no more; 0 when it leaves nothing. */
  #nextSegmentBytes(count: number, blockBytes: number): number {
    const cap = SEGMENT_STEPS.find(([segments]) => count < segments)?.[1];
    if (cap === undefined) {
      const limit = `${MAX_SEGMENTS} segments`;
      const message = `cannot grow the map ${this.#memory.name}: it has ${limit}`;
      throw new KstateError("MEMORY_FULL", message, { bytes: blockBytes, limit });
    }
    const wanted = Math.max(MIN_SEGMENT_BYTES, blockBytes, Math.min(this.#segmentBytes / 8, cap));
    const left = this.#maxBytes - this.#segmentBytes;
    const rounded = 2 ** Math.ceil(Math.log2(wanted));
    if (rounded <= left) return rounded;
    return left < MIN_SEGMENT_BYTES ? 0 : 2 ** Math.floor(Math.log2(left));
  }
}

/** The reference of a segment's first unit. */
export function firstUnit(segment: Folio): number {
  return (windowOf(segment) << WINDOW_SHIFT) | ((wordOf(segment) * 4) / UNIT_BYTES);
}

/** Whether a reference is to a unit of a segment. */
export function isInside(reference: number, segment: Folio): boolean {
  return (reference - firstUnit(segment)) >>> 0 < segment.size / UNIT_BYTES;
}
