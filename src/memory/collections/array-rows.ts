import { KstateError } from "../../error/index.ts";
import { ArrayMigration } from "./array-migration.ts";
import type { CollectionMemory } from "./collection-memory.ts";
import { ColumnRows } from "./column-rows.ts";
import { conversion, isSameRows } from "./conversion.ts";
import { ARRAY, HEADER } from "./layout.ts";
import { type RowLayout, writeRow } from "./row-layout.ts";
import { beginMigration, freeLayout, layoutFolios, storedLayout, storeLayout } from "./stored-layout.ts";

/**
 * The rows of an array. A row that is stored over another is staged first: when the journal says that the staged row
 * counts, it has happened.
 */
export class ArrayRows {
  readonly layout: RowLayout;
  /** By column, in the present layout. Others after every growth. */
  rows: ColumnRows;
  readonly #memory: CollectionMemory;
  readonly #words: Int32Array;
  readonly #row: Uint8Array;
  readonly #view: DataView;
  readonly #staging: Uint8Array;
  #migration: ArrayMigration | undefined;

  /** Rows of a collection whose present layout is this one. */
  constructor(memory: CollectionMemory, layout: RowLayout) {
    const { words } = memory;
    this.#memory = memory;
    this.#words = words;
    this.layout = layout;
    this.#row = new Uint8Array(layout.size);
    this.#view = new DataView(this.#row.buffer);
    this.#staging = memory.viewOf(memory.folioOf(words[ARRAY.staging]!), Uint8Array);
    this.rows = new ColumnRows(memory, layout, memory.folioOf(words[ARRAY.rows]!), words[ARRAY.capacity]!);
    this.#migration = ArrayMigration.stored(memory, layout);
    if (words[ARRAY.staged] === 1) this.#unstage();
  }

  get length(): number {
    return this.#words[ARRAY.length]!;
  }

  get isMigrating(): boolean {
    return this.#migration !== undefined;
  }

  /** `ROW_INVALID` when there is no row at this index. */
  assertRow(index: number): void {
    const { length } = this;
    if (Number.isInteger(index) && index >= 0 && index < length) return;
    const { name } = this.#memory;
    throw new KstateError("ROW_INVALID", `there is no row ${index} in ${name}: it has ${length}`, {
      collection: name,
      index,
      length,
    });
  }

  /** Brings a row into the present layout. */
  touch(index: number): void {
    if (this.#migration?.isOld(index) === true) this.#migration.migrate(index, this.rows);
  }

  set(index: number, state: object): void {
    this.assertRow(index);
    writeRow(this.layout, this.#view, 0, state);
    this.touch(index);
    this.#staging.set(this.#row);
    this.#commitStaged(index, this.length);
  }

  append(state: object): number {
    const { length } = this;
    writeRow(this.layout, this.#view, 0, state);
    if (length === this.rows.capacity) this.reserve(length + 1);
    this.rows.unpack(this.#row, length);
    this.#migration?.mark(length);
    Atomics.store(this.#words, ARRAY.length, length + 1);
    return length;
  }

  swapRemove(index: number): void {
    this.assertRow(index);
    const last = this.length - 1;
    this.touch(index);
    this.touch(last);
    if (index === last) {
      Atomics.store(this.#words, ARRAY.length, last);
      return;
    }
    this.rows.pack(last, this.#staging);
    this.#commitStaged(index, last);
  }

  /** Makes room for so many rows, in a folio of twice the size. */
  reserve(wanted: number): void {
    if (wanted <= this.rows.capacity) return;
    const memory = this.#memory;
    const { layout, rows } = this;
    const folio = memory.alloc(ColumnRows.bytesFor(layout, Math.max(wanted, 2 * rows.capacity)));
    const grown = new ColumnRows(memory, layout, folio, ColumnRows.capacityOf(layout, folio.size));
    grown.copyFrom(rows, this.length);
    const finishMarks = this.#migration?.grow(grown.capacity, this.length);
    memory.store(ARRAY.rows, memory.numberOf(folio));
    memory.store(ARRAY.capacity, grown.capacity);
    memory.journal.commit();
    memory.free(rows.folio);
    this.rows = grown;
    finishMarks?.();
  }

  migrateStep(maxRows: number): boolean {
    const words = this.#words;
    for (let left = maxRows; left > 0 && this.#migration !== undefined; left -= 1) {
      const index = words[ARRAY.cursor]!;
      if (index < this.length) {
        this.touch(index);
        words[ARRAY.cursor] = index + 1;
      } else {
        this.#migration.finish();
        this.#migration = undefined;
      }
    }
    return this.isMigrating;
  }

  /** The staged row counts from here on, and is copied to its place. */
  #commitStaged(index: number, length: number): void {
    this.#memory.store(ARRAY.staged, 1);
    this.#memory.store(ARRAY.stagedIndex, index);
    this.#memory.store(ARRAY.length, length);
    this.#memory.journal.commit();
    this.#unstage();
  }

  #unstage(): void {
    this.rows.unpack(this.#staging, this.#words[ARRAY.stagedIndex]!);
    Atomics.store(this.#words, ARRAY.staged, 0);
  }
}

/** Makes the rows of a new array. */
export function createRows(collection: CollectionMemory, layout: RowLayout, capacity: number): void {
  addRows(collection, layout, capacity);
  storeLayout(collection, layout);
  collection.journal.commit();
  collection.finish();
}

/**
 * Begins a migration when the layout is another; one that another program had begun is finished first. There is room for
 * `capacity` rows then and for all that are there, and not for all that there was room for: folios are rounded up, so the
 * array would be larger after every migration.
 */
export function adoptLayout(collection: CollectionMemory, layout: RowLayout, capacity: number): void {
  const { words, name } = collection;
  const stored = storedLayout(collection, HEADER.layout)!;
  if (stored.text === layout.text) return;
  const number = words[HEADER.layout]!;
  if (isSameRows(stored, layout)) {
    storeLayout(collection, layout);
    collection.journal.commit();
    freeLayout(collection, number);
    return;
  }
  conversion(name, stored, layout); // refuses before anything is changed
  new ArrayRows(collection, stored).migrateStep(Number.POSITIVE_INFINITY); // stores a staged row, too
  const staging = words[ARRAY.staging]!;
  const [oldRows, oldCapacity] = [words[ARRAY.rows]!, words[ARRAY.capacity]!];
  const rows = Math.max(capacity, words[ARRAY.length]!);
  const marks = collection.alloc(addRows(collection, layout, rows));
  storeLayout(collection, layout);
  beginMigration(collection);
  collection.store(ARRAY.oldRows, oldRows);
  collection.store(ARRAY.oldCapacity, oldCapacity);
  collection.store(ARRAY.marks, collection.numberOf(marks));
  collection.store(ARRAY.cursor, 0);
  collection.journal.commit();
  collection.free(collection.folioOf(staging));
}

/** The folios that the header refers to. */
export function rowFolios(collection: CollectionMemory): number[] {
  const { words } = collection;
  const own = [ARRAY.rows, ARRAY.oldRows, ARRAY.marks, ARRAY.staging].map((word) => words[word]!);
  return [...layoutFolios(collection), ...own];
}

/** Adds the stores for empty rows of a layout and the room to stage one, and returns for how many there is room. */
function addRows(collection: CollectionMemory, layout: RowLayout, rows: number): number {
  const folio = collection.alloc(ColumnRows.bytesFor(layout, Math.max(1, rows)));
  const staging = collection.alloc(layout.size);
  const capacity = ColumnRows.capacityOf(layout, folio.size);
  collection.store(ARRAY.rows, collection.numberOf(folio));
  collection.store(ARRAY.capacity, capacity);
  collection.store(ARRAY.staging, collection.numberOf(staging));
  return capacity;
}
