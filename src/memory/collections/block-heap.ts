import type { KstateError } from "../../error/index.ts";
import type { Folio } from "../folio.ts";
import type { CollectionMemory } from "./collection-memory.ts";
import { damaged } from "./damaged.ts";
import { FreeLists } from "./free-lists.ts";
import { freeRuns, joined } from "./free-runs.ts";
import {
  BLOCK_HEADER_BYTES,
  classOf,
  KEY_BYTES_MASK,
  MAP,
  UNIT_BYTES,
  UNIT_MASK,
  unitsOf,
  WINDOW_SHIFT,
} from "./layout.ts";
import { allocSegment, firstUnit, isInside, nextSegmentBytes } from "./segment.ts";
import { SegmentIndex } from "./segment-index.ts";

/** Blocks are joined when so much of the memory was freed since the last time. */
const JOIN_SHARE = 1 / 4;
/** After so many entries a map that found the memory full asks again. */
const GROWTH_PAUSE = 1000;

/**
 * Blocks of a map's entries: lists of free ones by size class, and a run of units that no block has had. Taking and
 * freeing only add stores to the journal, until `commit`.
 */
export class BlockHeap {
  readonly #memory: CollectionMemory;
  readonly #words: Int32Array;
  readonly #lists: FreeLists;
  readonly #index: SegmentIndex;
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
    this.#index = new SegmentIndex(memory.capacityBytes);
    this.#lists = new FreeLists(memory, this.#index);
    this.#maxBytes = maxBytes;
    for (const segment of this.segments()) this.#addBytes(segment);
  }

  #addBytes(segment: Folio): void {
    this.#index.add(segment);
    this.#segmentBytes += segment.size;
  }

  // ---- what is damaged ----

  /** Whether a reference is to memory of the map's: nothing else is read or written through it. */
  has(block: number): boolean {
    return this.#index.has(block);
  }

  /** `MEMORY_INVALID` unless a block, with so many bytes of key and value, lies in a segment. */
  assertBlock(block: number, keyBytes: number, valueBytes: number): void {
    const bytes = BLOCK_HEADER_BYTES + ((keyBytes + 3) & ~3) + valueBytes;
    if (valueBytes < 0 || bytes > this.#index.bytesLeft(block)) throw this.outside(block);
  }

  outside(block: number): KstateError {
    return damaged(this.#memory.name, `an entry at unit ${block >>> 0} reaches outside of its segments`);
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

  /** The class of a block in use. `MEMORY_INVALID` when it is not in a segment. */
  classOfBlock(block: number): number {
    if (!this.#index.has(block)) throw this.outside(block);
    const words = this.#memory.windows[block >>> WINDOW_SHIFT]!;
    const word = (block & UNIT_MASK) << 2;
    const keyBytes = ((words[word + 1]! & KEY_BYTES_MASK) + 3) & ~3;
    const valueBytes = words[word + 2]!;
    const sizeClass = classOf((BLOCK_HEADER_BYTES + keyBytes + valueBytes + UNIT_BYTES - 1) >> 4);
    if (valueBytes < 0 || unitsOf(sizeClass) * UNIT_BYTES > this.#index.bytesLeft(block))
      throw this.outside(block);
    return sizeClass;
  }

  // ---- room ----

  /** Whether the next `take` of this class finds a block. */
  hasRoom(sizeClass: number): boolean {
    return this.#words[MAP.free + sizeClass] !== 0 || this.#words[MAP.bumpLeft]! >= unitsOf(sizeClass);
  }

  /** Sees to it that the next `take` of this class finds a block; false when the bound is reached. */
  ensure(sizeClass: number): boolean {
    if (this.hasRoom(sizeClass) || this.#lists.split(sizeClass)) return true;
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
    return this.hasRoom(sizeClass) || this.#lists.split(sizeClass);
  }

  // ---- blocks ----

  /** Begins an operation: what one that failed half-way had added to the journal is forgotten. */
  begin(): void {
    this.#takenClass = -1;
    this.#memory.journal.drop();
  }

  /** Takes a block that {@link ensure} has found; its first word belongs to the list until the commit. */
  take(sizeClass: number): number {
    const words = this.#words;
    const block = this.#lists.first(sizeClass);
    if (block !== 0) {
      this.#takenClass = sizeClass;
      this.#takenNext = this.#lists.next(block);
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
    if (isTaken) this.#takenClass = -1;
    this.#lists.link(block, isTaken ? this.#takenNext : this.#lists.first(sizeClass));
    this.#lists.storeFirst(sizeClass, block);
    this.#freedUnits += unitsOf(sizeClass);
  }

  /** Makes everything in the journal happen. */
  commit(): void {
    if (this.#takenClass !== -1) this.#lists.storeFirst(this.#takenClass, this.#takenNext);
    this.#takenClass = -1;
    this.#memory.journal.commit();
  }

  // ---- segments ----

  /** Gives a segment in which no block is in use back to the memory. */
  drop(index: number): void {
    const words = this.#words;
    const last = words[MAP.segments]! - 1;
    const segment = this.#memory.folioOf(words[MAP.segment + index]!);
    this.begin();
    this.#lists.unlink(segment, this.#segmentBytes / UNIT_BYTES);
    this.#memory.store(MAP.segment + index, words[MAP.segment + last]!);
    this.#memory.store(MAP.segments, last);
    if (words[MAP.bumpLeft] !== 0 && isInside(words[MAP.bump]!, segment)) {
      this.#memory.store(MAP.bump, 0);
      this.#memory.store(MAP.bumpLeft, 0);
    }
    this.#memory.journal.commit();
    this.#index.delete(segment);
    this.#segmentBytes -= segment.size;
    this.#growthPause = 0;
    this.#memory.free(segment);
  }

  #addSegment(blockBytes: number): boolean {
    const words = this.#words;
    const count = words[MAP.segments]!;
    const totals = { count, bytes: this.#segmentBytes, maxBytes: this.#maxBytes };
    const bytes = nextSegmentBytes(this.#memory.name, totals, blockBytes);
    if (bytes < blockBytes) return false;
    const segment = allocSegment(this.#memory, bytes, blockBytes);
    words[MAP.segment + count] = this.#memory.numberOf(segment);
    this.begin();
    this.#lists.addRun(words[MAP.bump]!, words[MAP.bumpLeft]!);
    this.#memory.store(MAP.segments, count + 1);
    this.#memory.store(MAP.bump, firstUnit(segment));
    this.#memory.store(MAP.bumpLeft, segment.size / UNIT_BYTES);
    this.#memory.journal.commit();
    this.#addBytes(segment);
    return true;
  }

  // ---- joining ----

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
    this.#lists.clear();
    for (const [block, units] of runs) this.#lists.push(block, units);
    Atomics.store(this.#words, MAP.joining, 0);
  }

  /** Joins free blocks that are neighbours. Until it is done the header says that the lists are not to be relied on. */
  #join(): void {
    this.#freedUnits = 0;
    Atomics.store(this.#words, MAP.joining, 1);
    const blocks = this.#lists.takeAll();
    const runs = joined(blocks, [...this.segments()]);
    if (runs === undefined) throw damaged(this.#memory.name, "a free block is in its lists twice");
    for (const [block, units] of runs) this.#lists.push(block, units);
    Atomics.store(this.#words, MAP.joining, 0);
  }
}
