import type { BlockHeap } from "./block-heap.ts";
import { BLOCK_HEADER_BYTES, KEY_BYTES_MASK, UNIT_MASK, WINDOW_SHIFT } from "./layout.ts";
import { isEntry, type SlotTable } from "./slot-table.ts";

/** Slots whose blocks are fetched together. */
const AHEAD = 64;
/** Words of a line of the processor's cache. */
const LINE_WORDS = 16;

/**
 * Goes through all blocks in use, table by table. Entries may be added, replaced and removed meanwhile: slots are looked
 * at when their turn comes; one that moves to the next table may be met twice.
 */
export class BlockCursor {
  readonly #windows: readonly Int32Array[];
  #table: SlotTable | undefined;
  #slot = 0;
  /** What was read ahead: a read whose result nobody has would be left out. */
  #fetched = 0;

  readonly #heap: BlockHeap;

  constructor(windows: readonly Int32Array[], heap: BlockHeap, oldest: SlotTable) {
    this.#windows = windows;
    this.#heap = heap;
    this.#table = oldest;
  }

  *[Symbol.iterator](): Generator<number> {
    for (let block = this.next(); block !== 0; block = this.next()) yield block;
  }

  /** The next block; 0 after the last one. */
  next(): number {
    for (let table = this.#table; table !== undefined; table = this.#table) {
      while (this.#slot <= table.mask && !table.isDrained) {
        if (this.#slot % AHEAD === 0) this.#fetch(table);
        const block = table.reference(this.#slot);
        this.#slot += 1;
        if (isEntry(block)) return block;
      }
      this.#table = table.successor;
      this.#slot = 0;
    }
    return 0;
  }

  /**
   * Reads a little of the next blocks, so that the processor fetches them at the same time: they are all over the memory,
   * and would be waited for one after the other.
   */
  #fetch(table: SlotTable): void {
    const end = Math.min(this.#slot + AHEAD, table.mask + 1);
    for (let slot = this.#slot; slot < end; slot += 1) {
      const block = table.reference(slot);
      if (!isEntry(block) || !this.#heap.has(block)) continue; // whoever uses it says what is wrong
      const words = this.#windows[block >>> WINDOW_SHIFT]!;
      const word = (block & UNIT_MASK) << 2;
      const contents = ((words[word + 1]! & KEY_BYTES_MASK) + words[word + 2]!) >> 2;
      const last = word + (BLOCK_HEADER_BYTES >> 2) + contents - 1;
      this.#fetched ^= words[Math.min(word + LINE_WORDS, last)]! ^ words[last]!;
    }
  }
}
