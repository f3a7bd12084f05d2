import { KstateError } from "../../error/index.ts";
import type { Folio } from "../folio.ts";
import type { BlockHeap } from "./block-heap.ts";
import type { CollectionMemory } from "./collection-memory.ts";
import { MAP, UNIT_BYTES, UNIT_MASK, unitsOf, WINDOW_SHIFT } from "./layout.ts";
import { firstUnit, isInside } from "./segment.ts";
import { isEntry, type SlotTable } from "./slot-table.ts";
import type { SlotTables } from "./slot-tables.ts";

/** Of so many entries the one that was used longest ago makes room. */
const SAMPLE = 5;
/** Entries that are too small for what is wanted don't count; among so many there have to be some others. */
const LOOK_AT = 4096;

interface Sampled {
  readonly table: SlotTable;
  readonly slot: number;
  /** Uses of any entry since its last one. */
  readonly age: number;
}

/**
 * The bound of a map: which entries make room for a new one. A small part of the map is lost for the rare entry that is
 * larger than those that are there: a whole segment of them, whose pages then come back in one piece.
 */
export class MapBound {
  readonly #memory: CollectionMemory;
  readonly #tables: SlotTables;
  readonly #heap: BlockHeap;
  readonly #remove: (table: SlotTable, slot: number) => void;
  #random = 1;

  /** `remove` takes an entry out and frees its block. */
  constructor(
    memory: CollectionMemory,
    tables: SlotTables,
    heap: BlockHeap,
    remove: (table: SlotTable, slot: number) => void,
  ) {
    this.#memory = memory;
    this.#tables = tables;
    this.#heap = heap;
    this.#remove = remove;
  }

  /** The time of a use: one more with every call. */
  tick(): number {
    const { words } = this.#memory;
    const clock = (words[MAP.clock]! + 1) | 0;
    words[MAP.clock] = clock;
    return clock;
  }

  /** Removes entries, so that there may be a block of this class; `MEMORY_FULL` when there is nothing to remove. */
  makeRoom(sizeClass: number): void {
    const found = this.#coldest(sizeClass);
    if (found !== undefined) this.#remove(found.table, found.slot);
    else if (!this.#heap.joinFor(sizeClass) && !this.giveBack())
      throw this.#full(unitsOf(sizeClass) * UNIT_BYTES);
  }

  /** Gives the pages of a segment back, with all entries in it, of which one is old; false when there is none. */
  giveBack(): boolean {
    const segments = [...this.#heap.segments()];
    if (segments.length === 0) return false;
    const cold = this.#coldest(0);
    const block = cold?.table.reference(cold.slot) ?? firstUnit(segments[0]!);
    const index = segments.findIndex((segment) => isInside(block, segment));
    if (index === -1) throw this.#heap.outside(block);
    this.#clear(segments[index]!);
    this.#heap.drop(index);
    return true;
  }

  /** Removes all entries in a segment. */
  #clear(segment: Folio): void {
    for (
      let table: SlotTable | undefined = this.#tables.oldest;
      table !== undefined;
      table = table.successor
    ) {
      for (let slot = 0; slot <= table.mask; slot += 1) {
        const block = table.reference(slot);
        if (isEntry(block) && isInside(block, segment)) this.#remove(table, slot);
      }
    }
  }

  /** While entries move, those that are left in the old table may all be in use: both tables are asked. */
  #coldest(sizeClass: number): Sampled | undefined {
    const { oldest, current } = this.#tables;
    const found = this.#sample(oldest, sizeClass);
    if (oldest === current) return found;
    const other = this.#sample(current, sizeClass);
    return (other?.age ?? -1) > (found?.age ?? -1) ? other : found;
  }

  #sample(table: SlotTable, sizeClass: number): Sampled | undefined {
    const start = this.#next() & table.mask;
    const clock = this.#memory.words[MAP.clock]!;
    let [best, bestAge, seen, looked] = [-1, -1, 0, 0];
    for (let i = 0; i <= table.mask && seen < SAMPLE && looked < LOOK_AT; i += 1) {
      const slot = (start + i) & table.mask;
      const block = table.reference(slot);
      if (!isEntry(block)) continue;
      looked += 1;
      if (this.#heap.classOfBlock(block) < sizeClass) continue;
      seen += 1;
      const age = (clock - this.#memory.windows[block >>> WINDOW_SHIFT]![(block & UNIT_MASK) << 2]!) >>> 0;
      if (age > bestAge) [best, bestAge] = [slot, age];
    }
    return best === -1 ? undefined : { table, slot: best, age: bestAge };
  }

  #next(): number {
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) | 0;
    return this.#random >>> 4;
  }

  #full(bytes: number): KstateError {
    const { name } = this.#memory;
    const limit = "maxBytes";
    const message = `cannot add to the map ${name}: an entry of ${bytes} bytes does not fit into its ${limit}`;
    return new KstateError("MEMORY_FULL", message, { bytes, limit });
  }
}
