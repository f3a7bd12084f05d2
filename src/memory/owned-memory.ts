import { crc32 } from "node:zlib";
import { KstateError } from "../error/index.ts";
import { Buddy, orderFor } from "./buddy.ts";
import type { Folio } from "./folio.ts";
import { HEADER_PAGES, MAX_ORDER, PAGE_SIZE } from "./layout.ts";
import type { MappedMemory, Run } from "./mapped-memory.ts";
import { invalid, type PreservedTable } from "./preserved-table.ts";
import type { Superblock } from "./superblock.ts";
import { encodeTable, type Table } from "./table.ts";

/** What only the program that owns the memory can do: take pages, give them back, and say what is preserved. */
export class OwnedMemory {
  readonly #memory: MappedMemory;
  readonly #preserved: PreservedTable;
  /** Which pages are free. */
  readonly #buddy: Buddy;
  #table: Table;
  #tableRun: Run | undefined;

  /** Everything that is not preserved is free. `MEMORY_INVALID` when the table contradicts itself. */
  constructor(memory: MappedMemory, preserved: PreservedTable) {
    this.#memory = memory;
    this.#preserved = preserved;
    const { superblock, table } = preserved.snapshot();
    const { capacity, tableAddress, tableLength } = superblock;
    this.#table = table;
    this.#buddy = new Buddy(HEADER_PAGES, capacity / PAGE_SIZE);
    for (const run of [...this.#table.streams, ...this.#table.folios]) takeExactly(this.#buddy, run);
    if (tableLength === 0) return;
    this.#tableRun = { address: tableAddress, order: orderOf(tableLength) };
    takeExactly(this.#buddy, this.#tableRun);
  }

  /** What is preserved now. */
  get table(): Table {
    return this.#table;
  }

  /** Bytes that can still be allocated, if no limit is in the way. */
  get freeBytes(): number {
    return this.#buddy.freePages * PAGE_SIZE;
  }

  /** Takes the pages of all free blocks away: what is allocated has to be zeros. */
  sweep(): void {
    for (const { page, order } of this.#buddy.freeBlocks())
      this.#memory.release({ address: page * PAGE_SIZE, order });
  }

  /** A folio of at least `bytes`, all zeros. `MEMORY_FULL` says which limit is in the way. */
  take(bytes: number): Folio {
    const order = orderOf(bytes);
    const page = bytes >= 0 && order <= MAX_ORDER ? this.#buddy.alloc(order) : undefined;
    if (page === undefined) throw this.#full(bytes);
    const address = page * PAGE_SIZE;
    try {
      this.#memory.backEnd.allocate(address, PAGE_SIZE * 2 ** order);
    } catch (error) {
      this.#buddy.free(page, order);
      throw error;
    }
    return this.#memory.folio({ address, order });
  }

  /** Gives pages back. */
  release(run: Run): void {
    this.#memory.release(run);
    this.#buddy.free(run.address / PAGE_SIZE, run.order);
  }

  /** Refuses with `MEMORY_FULL` what {@link take} has no free run for. */
  assertRoom(bytes: number): void {
    const order = orderOf(bytes);
    const page = order <= MAX_ORDER ? this.#buddy.alloc(order) : undefined;
    if (page === undefined) throw this.#full(bytes);
    this.#buddy.free(page, order);
  }

  /**
   * Makes `table` all that is preserved. Data first, then the new table, then the superblock that names it; the old
   * table's pages only after that.
   */
  commit(table: Table, change: Partial<Pick<Superblock, "state" | "generation">> = {}): void {
    const bytes = encodeTable(table);
    const isEmpty = table.streams.length === 0 && table.folios.length === 0;
    const folio = isEmpty ? undefined : this.take(bytes.length);
    folio?.bytes.set(bytes);
    const before = this.#memory.superblock();
    this.#memory.writeSuperblock({
      ...before,
      ...change,
      sequence: before.sequence + 1,
      tableCrc: isEmpty ? 0 : crc32(bytes),
      tableAddress: folio === undefined ? 0 : Number(folio.address),
      tableLength: isEmpty ? 0 : bytes.length,
    });
    const oldRun = this.#tableRun;
    this.#table = this.#preserved.remember(before.sequence + 1, table);
    this.#tableRun = folio === undefined ? undefined : runOf(folio);
    if (oldRun !== undefined) this.release(oldRun);
  }

  #full(bytes: number): KstateError {
    const limit = `the capacity of ${this.#memory.superblock().capacity} bytes`;
    return new KstateError(
      "MEMORY_FULL",
      `cannot allocate ${bytes} bytes: ${limit} has no free run of that size; free some, or give the service more memory`,
      { bytes, limit },
    );
  }
}

/** Where a folio is. */
export function runOf({ address, order }: Folio): Run {
  return { address: Number(address), order };
}

function orderOf(bytes: number): number {
  return orderFor(Math.ceil(bytes / PAGE_SIZE));
}

function takeExactly(buddy: Buddy, { address, order }: Run): void {
  if (address % PAGE_SIZE !== 0 || order > MAX_ORDER || !buddy.take(address / PAGE_SIZE, order)) {
    throw invalid(`two things are preserved at 0x${address.toString(16)}`);
  }
}
