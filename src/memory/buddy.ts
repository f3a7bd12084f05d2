import { MAX_ORDER } from "./layout.ts";

/**
 * A buddy allocator of pages, as in the kernel: blocks of 2^order pages, aligned to their size; a freed block joins
 * its buddy when that is free too. It knows numbers only; the pages are somebody else's.
 */
export class Buddy {
  /** First pages of the free blocks, by order. */
  readonly #free: Set<number>[] = Array.from({ length: MAX_ORDER + 1 }, () => new Set());
  readonly #end: number;
  #freePages = 0;

  /** Owns the pages from `start` to before `end`, all free. */
  constructor(start: number, end: number) {
    this.#end = end;
    for (let page = start; page < end; ) {
      let order = alignmentOf(page);
      while (page + 2 ** order > end) order -= 1;
      this.#insert(page, order);
      page += 2 ** order;
    }
  }

  get freePages(): number {
    return this.#freePages;
  }

  /** All free blocks, in no order. */
  *freeBlocks(): Generator<{ readonly page: number; readonly order: number }> {
    for (const [order, blocks] of this.#free.entries()) for (const page of blocks) yield { page, order };
  }

  /** Takes a block, the lowest of the smallest that fit; undefined when there is none. */
  alloc(order: number): number | undefined {
    for (let found = order; found <= MAX_ORDER; found += 1) {
      const blocks = this.#free[found]!;
      if (blocks.size === 0) continue;
      const page = lowest(blocks);
      this.#remove(page, found);
      this.#split(page, found, order);
      return page;
    }
    return undefined;
  }

  /** Takes exactly this block; false when a part of it is not free. */
  take(page: number, order: number): boolean {
    for (let from = order; from <= MAX_ORDER; from += 1) {
      const start = page - (page % 2 ** from);
      if (!this.#free[from]!.has(start)) continue;
      this.#remove(start, from);
      let at = start;
      for (let size = from - 1; size >= order; size -= 1) {
        const half = at + 2 ** size;
        const inUpper = page >= half;
        this.#insert(inUpper ? at : half, size);
        if (inUpper) at = half;
      }
      return true;
    }
    return false;
  }

  /** Gives a block back. */
  free(page: number, order: number): void {
    let [at, size] = [page, order];
    while (size < MAX_ORDER) {
      const buddy = at % 2 ** (size + 1) === 0 ? at + 2 ** size : at - 2 ** size;
      if (buddy + 2 ** size > this.#end || !this.#free[size]!.has(buddy)) break;
      this.#remove(buddy, size);
      at = Math.min(at, buddy);
      size += 1;
    }
    this.#insert(at, size);
  }

  /** Frees what is left of a block from which only the lower 2^order pages are wanted. */
  #split(page: number, from: number, order: number): void {
    for (let size = from - 1; size >= order; size -= 1) this.#insert(page + 2 ** size, size);
  }

  #insert(page: number, order: number): void {
    this.#free[order]!.add(page);
    this.#freePages += 2 ** order;
  }

  #remove(page: number, order: number): void {
    this.#free[order]!.delete(page);
    this.#freePages -= 2 ** order;
  }
}

/** The smallest order whose blocks hold so many pages. */
export function orderFor(pages: number): number {
  return Math.ceil(Math.log2(Math.max(1, pages)));
}

/** Blocks of one order are few; taking the lowest keeps the memory compact. */
function lowest(blocks: ReadonlySet<number>): number {
  let found = Number.POSITIVE_INFINITY;
  for (const page of blocks) if (page < found) found = page;
  return found;
}

/** The largest order to whose size a page is aligned. */
function alignmentOf(page: number): number {
  let order = 0;
  while (order < MAX_ORDER && page % 2 ** (order + 1) === 0) order += 1;
  return order;
}
