import { KstateError } from "../../error/index.ts";
import type { Folio } from "../folio.ts";
import { type CollectionMemory, windowOf } from "./collection-memory.ts";
import { CLASS_COUNT, classOf, MAP, MAX_SEGMENTS, UNIT_BYTES, unitsOf } from "./layout.ts";

const MIN_SEGMENT_BYTES = 65_536;
const MIB = 2 ** 20;
/** Up to so many segments are at most so large: growing by small ones makes no pause, and the header has room. */
const SEGMENT_STEPS = [
  [1024, 4 * MIB],
  [1536, 16 * MIB],
  [1920, 64 * MIB],
  [MAX_SEGMENTS, 1024 * MIB],
] as const;
export const WINDOW_SHIFT = 28;
export const UNIT_MASK = 2 ** WINDOW_SHIFT - 1;

/**
 * Blocks of a map's entries: lists of free ones by size class, and a run of units that no block has had. Taking and
 * freeing only add stores to the journal.
 */
export class BlockHeap {
  readonly #memory: CollectionMemory;
  readonly #words: Int32Array;
  readonly #maxBytes: number;
  #segmentBytes = 0;
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

  /** Sees to it that the next `take` of this class finds a block; false when the bound is reached. */
  ensure(sizeClass: number): boolean {
    const words = this.#words;
    if (words[MAP.free + sizeClass] !== 0 || words[MAP.bumpLeft]! >= unitsOf(sizeClass)) return true;
    return this.#split(sizeClass) || this.#addSegment(unitsOf(sizeClass) * UNIT_BYTES);
  }

  /** Takes a block that {@link ensure} has found; its first word belongs to the list until the commit. */
  take(sizeClass: number): number {
    const words = this.#words;
    const block = words[MAP.free + sizeClass]!;
    this.#takenClass = -1;
    if (block !== 0) {
      this.#takenClass = sizeClass;
      this.#takenNext = this.#linkOf(block);
      this.#memory.store(MAP.free + sizeClass, this.#takenNext);
      return block;
    }
    const units = unitsOf(sizeClass);
    const bump = words[MAP.bump]!;
    this.#memory.store(MAP.bump, bump + units);
    this.#memory.store(MAP.bumpLeft, words[MAP.bumpLeft]! - units);
    return bump;
  }

  /** Puts a block first in its list. After `take`, in the same operation, or alone. */
  free(block: number, sizeClass: number): void {
    const first = this.#takenClass === sizeClass ? this.#takenNext : this.#words[MAP.free + sizeClass]!;
    this.#takenClass = -1;
    this.#memory.journal.store(block >>> WINDOW_SHIFT, (block & UNIT_MASK) << 2, first);
    this.#memory.store(MAP.free + sizeClass, block);
  }

  /** An operation is over: nothing is taken any more. */
  end(): void {
    this.#takenClass = -1;
  }

  #linkOf(block: number): number {
    return this.#memory.windows[block >>> WINDOW_SHIFT]![(block & UNIT_MASK) << 2]!;
  }

  /** Makes a block of this class, and one of what is left, of the smallest free block that is larger. */
  #split(sizeClass: number): boolean {
    const words = this.#words;
    let larger = sizeClass + 1;
    while (larger < CLASS_COUNT && words[MAP.free + larger] === 0) larger += 1;
    if (larger >= CLASS_COUNT) return false;
    const block = words[MAP.free + larger]!;
    const units = unitsOf(sizeClass);
    const rest = classWithin(unitsOf(larger) - units);
    this.#memory.store(MAP.free + larger, this.#linkOf(block));
    this.free(block, sizeClass);
    if (rest !== sizeClass) this.free(block + units, rest);
    else this.#freeSecond(block, block + units, rest);
    this.#memory.journal.commit();
    return true;
  }

  /** A second block for a list whose first one is new in the same operation. */
  #freeSecond(first: number, second: number, sizeClass: number): void {
    this.#memory.journal.store(second >>> WINDOW_SHIFT, (second & UNIT_MASK) << 2, first);
    this.#memory.store(MAP.free + sizeClass, second);
  }

  #addSegment(blockBytes: number): boolean {
    const words = this.#words;
    const count = words[MAP.segments]!;
    const bytes = this.#nextSegmentBytes(count, blockBytes);
    if (bytes < blockBytes) return false;
    const segment = this.#memory.alloc(bytes);
    words[MAP.segment + count] = this.#memory.numberOf(segment);
    const left = words[MAP.bumpLeft]!;
    if (left > 0) this.free(words[MAP.bump]!, classWithin(left));
    this.#memory.store(MAP.segments, count + 1);
    this.#memory.store(
      MAP.bump,
      (windowOf(segment) << WINDOW_SHIFT) | (segment.bytes.byteOffset / UNIT_BYTES),
    );
    this.#memory.store(MAP.bumpLeft, segment.size / UNIT_BYTES);
    this.#memory.journal.commit();
    this.#segmentBytes += segment.size;
    return true;
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

/** The largest class whose blocks fit into so many units. */
function classWithin(units: number): number {
  const sizeClass = classOf(units);
  return unitsOf(sizeClass) > units ? sizeClass - 1 : sizeClass;
}
