import { crc32 } from "node:zlib";
import { isKstateError, KstateError } from "../error/index.ts";
import { Buddy, orderFor } from "./buddy.ts";
import type { Folio } from "./folio.ts";
import { HEADER_PAGES, MAX_ORDER, PAGE_SIZE } from "./layout.ts";
import type { MappedMemory, Run } from "./mapped-memory.ts";
import { invalid, type PreservedTable } from "./preserved-table.ts";
import type { Superblock } from "./superblock.ts";
import { encodeTable, folioRecordBytes, type Table } from "./table.ts";

/** A folio that will be allocated and preserved. */
export interface RoomRequest {
  readonly bytes: number;
  /** At least as long as its owner in the table will be. */
  readonly owner: string;
  /** The address that it has to end at. */
  readonly below: number;
  /** For a message. */
  readonly what: string;
}

/** What only the program that owns the memory can do: take pages, give them back, and say what is preserved. */
export class OwnedMemory {
  readonly #memory: MappedMemory;
  readonly #preserved: PreservedTable;
  /** Which pages are free. */
  readonly #buddy: Buddy;
  #table: Table;
  #tableRun: Run | undefined;
  /** Runs that are allocated and wait for {@link take}; undefined unless there is a reserve. */
  #reserve: { readonly folios: Run[]; readonly tables: Run[] } | undefined;

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

  /** Takes the pages of all free blocks away, one a step: what is allocated has to be zeros. Between steps anything may go on. */
  *sweep(): Generator<void> {
    for (const { page, order } of this.#buddy.freeBlocks())
      yield this.#memory.release({ address: page * PAGE_SIZE, order });
  }

  /** A folio of at least `bytes`, all zeros. `MEMORY_FULL` says which limit is in the way. */
  take(bytes: number): Folio {
    return this.#memory.folio(takeOf(this.#reserve?.folios, orderOf(bytes)) ?? this.#allocate(bytes));
  }

  #allocate(bytes: number): Run {
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
    return { address, order };
  }

  /**
   * Allocates beforehand what will be taken and preserved, so that it cannot fail: until {@link endReserve}, `take` of these
   * sizes and each `commit` get what is there. Pages stay zeros. `MEMORY_FULL` says for what there is no room.
   */
  reserve(room: readonly RoomRequest[]): void {
    if (room.length === 0) return;
    const reserve: { folios: Run[]; tables: Run[] } = { folios: [], tables: [] };
    for (const { bytes, below, what } of room) {
      reserve.folios.push(
        named(what, () => {
          const run = this.#allocate(bytes);
          if (run.address + PAGE_SIZE * 2 ** run.order > below) throw this.#full(bytes);
          return run;
        }),
      );
    }
    const now = encodeTable(this.#table).length;
    const then = room.reduce((sum, { owner }) => sum + folioRecordBytes(owner), now);
    for (let order = orderOf(now); order <= orderOf(then); order += 1)
      for (let i = 0; i < 2; i += 1)
        reserve.tables.push(named(room[0]!.what, () => this.#allocate(PAGE_SIZE * 2 ** order)));
    this.#reserve = reserve;
  }

  /** Gives back what is left of the reserve. */
  endReserve(): void {
    const { folios, tables } = this.#reserve ?? { folios: [], tables: [] };
    this.#reserve = undefined;
    for (const run of [...folios, ...tables]) this.release(run);
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
    const run = isEmpty ? undefined : this.#tableRoom(bytes.length);
    if (run !== undefined) this.#memory.folio(run).bytes.set(bytes);
    const before = this.#memory.superblock();
    this.#memory.writeSuperblock({
      ...before,
      ...change,
      sequence: before.sequence + 1,
      tableCrc: isEmpty ? 0 : crc32(bytes),
      tableAddress: run?.address ?? 0,
      tableLength: isEmpty ? 0 : bytes.length,
    });
    const oldRun = this.#tableRun;
    this.#table = this.#preserved.remember(before.sequence + 1, table);
    this.#tableRun = run;
    if (oldRun === undefined) return;
    if (this.#reserve === undefined) this.release(oldRun);
    else this.#reserve.tables.push(oldRun);
  }

  #tableRoom(bytes: number): Run {
    return takeOf(this.#reserve?.tables, orderOf(bytes)) ?? this.#allocate(bytes);
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

/** Takes a run of that order out of a reserve, if there is one. */
function takeOf(runs: Run[] | undefined, order: number): Run | undefined {
  const index = runs?.findIndex((run) => run.order === order) ?? -1;
  return index === -1 ? undefined : runs!.splice(index, 1)[0];
}

/** What is asked for says for what it is. */
function named<T>(what: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!isKstateError(error, "MEMORY_FULL")) throw error;
    throw new KstateError(error.code, `there is no room for ${what}: ${error.message}`, error.detail, {
      cause: error,
    });
  }
}

function orderOf(bytes: number): number {
  return orderFor(Math.ceil(bytes / PAGE_SIZE));
}

function takeExactly(buddy: Buddy, { address, order }: Run): void {
  if (address % PAGE_SIZE !== 0 || order > MAX_ORDER || !buddy.take(address / PAGE_SIZE, order)) {
    throw invalid(`two things are preserved at 0x${address.toString(16)}`);
  }
}
