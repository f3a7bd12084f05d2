import type { KstateError } from "../../error/index.ts";
import type { Folio } from "../folio.ts";
import type { CollectionMemory } from "./collection-memory.ts";
import { damaged } from "./damaged.ts";
import { CLASS_COUNT, classWithin, MAP, UNIT_BYTES, UNIT_MASK, unitsOf, WINDOW_SHIFT } from "./layout.ts";
import { isInside } from "./segment.ts";
import type { SegmentIndex } from "./segment-index.ts";

/** A pause of some ten ms. */
const MAX_TAKEN_BLOCKS = 2 ** 18;
/** Stores for which an operation of the lists' own leaves room in the journal. */
const MAX_STORES = 56;

/** What is first in the lists as the operation at hand leaves them, by class. */
type Heads = Map<number, number>;

/** The lists of a map's free blocks, by size class: the first word of a free block is the next one. */
export class FreeLists {
  readonly #memory: CollectionMemory;
  readonly #words: Int32Array;

  readonly #index: SegmentIndex;

  constructor(memory: CollectionMemory, index: SegmentIndex) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#index = index;
  }

  /** The first block of a class; 0 when there is none. `MEMORY_INVALID` when it is not in the map's segments. */
  first(sizeClass: number): number {
    return this.#checked(this.#words[MAP.free + sizeClass]!, sizeClass);
  }

  /** A block of a list, or 0 at its end. */
  #checked(block: number, sizeClass: number): number {
    if (block === 0 || this.#index.bytesLeft(block) >= unitsOf(sizeClass) * UNIT_BYTES) return block;
    throw this.#damaged("a free block is outside of its segments");
  }

  #damaged(problem: string): KstateError {
    return damaged(this.#memory.name, problem);
  }

  /** The block after a free one. */
  next(block: number): number {
    return this.#memory.windows[block >>> WINDOW_SHIFT]![(block & UNIT_MASK) << 2]!;
  }

  /** Adds the store that makes a block refer to the next free one. */
  link(block: number, next: number): void {
    this.#memory.journal.store(block >>> WINDOW_SHIFT, (block & UNIT_MASK) << 2, next);
  }

  /** Adds the store that puts a block, already linked, first. */
  storeFirst(sizeClass: number, block: number): void {
    this.#memory.store(MAP.free + sizeClass, block);
  }

  /** Makes a block of this class, and others of what is left, of the smallest free block that is larger. */
  split(sizeClass: number): boolean {
    let larger = sizeClass + 1;
    while (larger < CLASS_COUNT && this.#words[MAP.free + larger] === 0) larger += 1;
    if (larger >= CLASS_COUNT) return false;
    const block = this.first(larger);
    const units = unitsOf(sizeClass);
    const heads: Heads = new Map([[larger, this.next(block)]]);
    this.#addPiece(block, sizeClass, heads);
    this.#addPieces(block + units, unitsOf(larger) - units, heads);
    this.#storeHeads(heads);
    this.#memory.journal.commit();
    return true;
  }

  /** Adds the stores that make a run of units free blocks. */
  addRun(first: number, units: number): void {
    const heads: Heads = new Map();
    this.#addPieces(first, units, heads);
    this.#storeHeads(heads);
  }

  #addPieces(first: number, units: number, heads: Heads): void {
    for (let [block, left] = [first, units]; left > 0; ) {
      const sizeClass = classWithin(left);
      this.#addPiece(block, sizeClass, heads);
      block += unitsOf(sizeClass);
      left -= unitsOf(sizeClass);
    }
  }

  #addPiece(block: number, sizeClass: number, heads: Heads): void {
    this.link(block, heads.get(sizeClass) ?? this.first(sizeClass));
    heads.set(sizeClass, block);
  }

  #storeHeads(heads: Heads): void {
    for (const [sizeClass, block] of heads) this.storeFirst(sizeClass, block);
  }

  /**
   * Takes a segment's free blocks out of their lists; a program that dies meanwhile loses the use of them only. A list of
   * more than `most` blocks goes round in a circle.
   */
  unlink(segment: Folio, most: number): void {
    const { journal } = this.#memory;
    let stores = 0;
    let left = most;
    const after = (block: number, sizeClass: number): number => {
      left -= 1;
      if (left < 0) throw this.#damaged("a list of free blocks has no end");
      return this.#checked(this.next(block), sizeClass);
    };
    for (let sizeClass = 1; sizeClass < CLASS_COUNT; sizeClass += 1) {
      let before = 0;
      let block = this.first(sizeClass);
      while (block !== 0) {
        let next = after(block, sizeClass);
        if (isInside(block, segment)) {
          while (isInside(next, segment)) next = after(next, sizeClass);
          if (before === 0) this.storeFirst(sizeClass, next);
          else this.link(before, next);
          stores += 1;
          if (stores % MAX_STORES === 0) journal.commit();
        } else before = block;
        block = next;
      }
    }
    journal.commit();
  }

  // ---- without the journal: while the header says that the lists are not to be relied on ----

  /** Empties the lists, up to a number of blocks that makes no long pause, and returns what was in them. */
  takeAll(): [block: number, units: number][] {
    const blocks: [block: number, units: number][] = [];
    for (let sizeClass = 1; sizeClass < CLASS_COUNT; sizeClass += 1) {
      let block = this.first(sizeClass);
      while (block !== 0 && blocks.length < MAX_TAKEN_BLOCKS) {
        blocks.push([block >>> 0, unitsOf(sizeClass)]);
        block = this.#checked(this.next(block), sizeClass);
      }
      this.#words[MAP.free + sizeClass] = block;
    }
    return blocks;
  }

  /** Forgets all that is in the lists. */
  clear(): void {
    this.#words.fill(0, MAP.free, MAP.free + CLASS_COUNT);
  }

  /** Puts a run of units into the lists. */
  push(first: number, units: number): void {
    for (let [block, left] = [first | 0, units]; left > 0; ) {
      const sizeClass = classWithin(left);
      this.#memory.windows[block >>> WINDOW_SHIFT]![(block & UNIT_MASK) << 2] = this.first(sizeClass);
      this.#words[MAP.free + sizeClass] = block;
      block += unitsOf(sizeClass);
      left -= unitsOf(sizeClass);
    }
  }
}
