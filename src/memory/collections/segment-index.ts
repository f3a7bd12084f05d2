import type { Folio } from "../folio.ts";
import { MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES, UNIT_BYTES } from "./layout.ts";
import { firstUnit } from "./segment.ts";

/** log2 of the units of the smallest segment. Segments are aligned to their size, so each has whole cells of it. */
const CELL_SHIFT = Math.log2(MIN_SEGMENT_BYTES / UNIT_BYTES);

/**
 * Tells in a few instructions whether a reference is to a unit of one of the map's segments: a damaged one must not be
 * followed into memory that is somebody else's.
 */
export class SegmentIndex {
  /** For each cell of memory log2 of the units of the segment that it is in; 0 where there is none. */
  readonly #orders: Uint8Array;

  constructor(capacityBytes: number) {
    this.#orders = new Uint8Array(Math.ceil(capacityBytes / MIN_SEGMENT_BYTES));
  }

  add(segment: Folio): void {
    this.#fill(segment, Math.log2(segment.size / UNIT_BYTES));
  }

  delete(segment: Folio): void {
    this.#fill(segment, 0);
  }

  has(reference: number): boolean {
    return this.#orders[reference >>> CELL_SHIFT]! > 0; // beyond the memory: undefined is not
  }

  /** Bytes from the unit to the end of its segment; 0 when it is in none. */
  bytesLeft(reference: number): number {
    const order = this.#orders[reference >>> CELL_SHIFT]!;
    if (!(order > 0)) return 0;
    const units = 1 << order;
    return (units - (reference & (units - 1))) * UNIT_BYTES;
  }

  #fill(segment: Folio, order: number): void {
    const first = firstUnit(segment) >>> CELL_SHIFT;
    this.#orders.fill(order, first, first + Math.min(segment.size, MAX_SEGMENT_BYTES) / MIN_SEGMENT_BYTES);
  }
}
