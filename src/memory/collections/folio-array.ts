import type { Description } from "../../description/index.ts";
import { KstateError } from "../../error/index.ts";
import type { PhysicalMemory } from "../physical-memory.ts";
import { CollectionMemory } from "./collection-memory.ts";
import { ColumnRows } from "./column-rows.ts";
import { type Conversion, conversion, isSameRows } from "./conversion.ts";
import { ARRAY, ARRAY_HEADER_BYTES, HEADER } from "./layout.ts";
import { type RowLayout, rowLayout, writeField, writeRow } from "./row-layout.ts";
import { beginMigration, freeLayout, layoutFolios, storedLayout, storeLayout } from "./stored-layout.ts";

/** What `openArray` may be told. */
export interface ArrayOptions {
  /** Rows for which there is room without growing. 64 unless given. */
  readonly capacity?: number;
}

/** The typed array that a column of numbers is. */
export type NumberColumn =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** A column: 64-bit integers are bigints, numbers are of their own kind, and all else are bytes. */
export type Column<T> = T extends bigint
  ? BigUint64Array | BigInt64Array
  : T extends number
    ? NumberColumn
    : Uint8Array;

type ColumnConstructor<T> = new (buffer: ArrayBuffer, offset: number, length: number) => T;

const FIRST_CAPACITY = 64;

/**
 * Rows of a description that live in folios, kept by column: the next version of the program finds them as they are.
 * `append`, `set` and `swapRemove` are there or not, wherever the program dies; what is stored through a column or an
 * accessor is there number by number. At most 4 GiB.
 */
export class FolioArray<State> {
  readonly #memory: CollectionMemory;
  readonly #words: Int32Array;
  readonly #layout: RowLayout;
  readonly #row: Uint8Array;
  readonly #accessor: new (
    index: number,
  ) => State;
  #rows: ColumnRows;
  #before: { readonly rows: ColumnRows; readonly conversion: Conversion; marks: Uint8Array } | undefined;

  /** @internal Use `openArray`. */
  constructor(memory: CollectionMemory, layout: RowLayout) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#layout = layout;
    this.#row = new Uint8Array(layout.size);
    const words = this.#words;
    this.#rows = new ColumnRows(layout, memory.folioOf(words[ARRAY.rows]!), words[ARRAY.capacity]!);
    if (words[ARRAY.oldRows] !== 0) this.#before = this.#stored();
    this.#accessor = this.#makeAccessor();
    if (words[ARRAY.staged] === 1) this.#unstage();
  }

  /** Rows. */
  get length(): number {
    return this.#words[ARRAY.length]!;
  }

  /** Rows for which there is room. Growing beyond it moves them, and columns and accessors have to be taken anew. */
  get capacity(): number {
    return this.#rows.capacity;
  }

  /** Whether rows of an earlier layout are left; they are converted when they are read, until `migrateStep` is done. */
  get isMigrating(): boolean {
    return this.#before !== undefined;
  }

  /** A copy of a row. `ROW_INVALID` when there is none. */
  get(index: number): State {
    this.#assertRow(index);
    if (this.#isOld(index)) this.#migrate(index);
    return this.#rows.read(index) as State;
  }

  /** Stores a whole row. `VALUE_INVALID` and `CHECK_FAILED` name the field, and nothing has changed. */
  set(index: number, state: State): void {
    this.#assertRow(index);
    const staging = this.#stagingBytes();
    writeRow(this.#layout, viewOf(this.#row), 0, state as object);
    if (this.#isOld(index)) this.#migrate(index);
    staging.set(this.#row);
    this.#commitStaged(index, this.length);
  }

  /**
   * An object whose properties are the row's fields, in place. It stands for the index, whatever is there later.
   * `ROW_INVALID` when there is no such row.
   */
  at(index: number): State {
    this.#assertRow(index);
    if (this.#isOld(index)) this.#migrate(index);
    return new this.#accessor(index);
  }

  /** Adds a row at the end and returns its index. `MEMORY_FULL` when there is no room; nothing has changed then. */
  append(state: State): number {
    const { length } = this;
    writeRow(this.#layout, viewOf(this.#row), 0, state as object);
    if (length === this.#rows.capacity) this.#grow(length + 1);
    this.#rows.unpack(this.#row, length);
    if (this.#before !== undefined) this.#before.marks[length] = 1;
    Atomics.store(this.#words, ARRAY.length, length + 1);
    return length;
  }

  /** Removes a row by putting the last one in its place. */
  swapRemove(index: number): void {
    this.#assertRow(index);
    const last = this.length - 1;
    if (this.#isOld(index)) this.#migrate(index);
    if (this.#isOld(last)) this.#migrate(last);
    if (index === last) {
      Atomics.store(this.#words, ARRAY.length, last);
      return;
    }
    this.#rows.pack(last, this.#stagingBytes());
    this.#commitStaged(index, last);
  }

  /** Makes room for so many rows. */
  reserve(rows: number): void {
    if (rows > this.#rows.capacity) this.#grow(rows);
  }

  /**
   * A field of all rows as a typed array over the memory, as long as the array; several elements a row for `array`,
   * and bytes for what is no number. Valid until the array grows beyond its capacity: what is stored in it after that
   * may hit other memory. `type` fixes the type and is compared. `NOT_ALLOWED_NOW` while rows are migrated.
   */
  column<Name extends keyof State & string>(name: Name): Column<State[Name]>;
  column<T>(name: keyof State & string, type: ColumnConstructor<T>): T;
  column(name: string, type?: ColumnConstructor<unknown>): unknown {
    if (this.#before !== undefined) {
      throw new KstateError(
        "NOT_ALLOWED_NOW",
        `cannot view the column ${name} of ${this.#memory.name}: rows are being migrated; call migrateStep() until it says false`,
        { call: "column", phase: "migrating" },
      );
    }
    const index = this.#layout.fields.findIndex((field) => field.name === name);
    const { cell } = this.#layout.fields[index] ?? this.#refuse(name, "there is no such field");
    const inner = cell.kind.kind === "array" ? cell.kind.element.kind : cell.kind.kind;
    const found = columnTypes[inner.replace(".safe", "")] ?? Uint8Array;
    if (type !== undefined && (found as unknown) !== type) {
      this.#refuse(name, `its type is ${found.name}`);
    }
    const { byteOffset, buffer } = this.#rows.folio.bytes;
    const start = byteOffset + this.#rows.starts[index]!;
    return new found(buffer, start, (this.length * cell.size) / found.BYTES_PER_ELEMENT);
  }

  /** Copies of all rows, in order. */
  *[Symbol.iterator](): Generator<State> {
    for (let index = 0; index < this.length; index += 1) yield this.get(index);
  }

  /**
   * Brings up to `maxRows` rows into the present layout, and says whether any are left. To be called between requests
   * until it says false; rows are served meanwhile.
   */
  migrateStep(maxRows = 1000): boolean {
    const words = this.#words;
    for (let left = maxRows; left > 0 && this.#before !== undefined; left -= 1) {
      const index = words[ARRAY.cursor]!;
      if (index >= this.length) this.#finishMigration();
      else {
        if (this.#isOld(index)) this.#migrate(index);
        words[ARRAY.cursor] = index + 1;
      }
    }
    return this.isMigrating;
  }

  #assertRow(index: number): void {
    const { length } = this;
    if (Number.isInteger(index) && index >= 0 && index < length) return;
    throw new KstateError(
      "ROW_INVALID",
      `there is no row ${index} in ${this.#memory.name}: it has ${length}`,
      {
        collection: this.#memory.name,
        index,
        length,
      },
    );
  }

  #refuse(name: string, problem: string): never {
    const collection = this.#memory.name;
    const message = `cannot view the column ${name} of ${collection}: ${problem}`;
    throw new KstateError("COLLECTION_MISMATCH", message, { collection, problem });
  }

  #stagingBytes(): Uint8Array {
    return this.#memory.folioOf(this.#words[ARRAY.staging]!).bytes;
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
    this.#rows.unpack(this.#stagingBytes(), this.#words[ARRAY.stagedIndex]!);
    Atomics.store(this.#words, ARRAY.staged, 0);
  }

  #grow(rows: number): void {
    const memory = this.#memory;
    const layout = this.#layout;
    const bytes = ColumnRows.bytesFor(layout, Math.max(rows, 2 * this.#rows.capacity));
    const folio = memory.alloc(bytes);
    const grown = new ColumnRows(layout, folio, ColumnRows.capacityOf(layout, folio.size));
    const before = this.#before;
    const marks = before === undefined ? undefined : memory.alloc(grown.capacity);
    grown.copyFrom(this.#rows, this.length);
    if (marks !== undefined) {
      marks.bytes.set(before!.marks.subarray(0, this.length));
      memory.store(ARRAY.marks, memory.numberOf(marks));
    }
    memory.store(ARRAY.rows, memory.numberOf(folio));
    memory.store(ARRAY.capacity, grown.capacity);
    const oldMarks = this.#words[ARRAY.marks]!;
    memory.journal.commit();
    memory.free(this.#rows.folio);
    this.#rows = grown;
    if (marks === undefined) return;
    memory.free(memory.folioOf(oldMarks));
    before!.marks = marks.bytes;
  }

  /** A class whose objects have a row's fields as accessors. */
  #makeAccessor(): new (index: number) => State {
    const { fields, name: description } = this.#layout;
    class Row {
      readonly #index: number;
      constructor(index: number) {
        this.#index = index;
      }
      static indexOf(row: Row): number {
        return row.#index;
      }
    }
    const at = (row: Row, field: number): number => {
      const index = Row.indexOf(row);
      if (index >= this.length) this.#assertRow(index);
      return this.#rows.starts[field]! + index * fields[field]!.cell.size;
    };
    const view = (): DataView => this.#rows.view;
    for (const [i, field] of fields.entries()) {
      const { cell, name } = field;
      Object.defineProperty(Row.prototype, name, {
        enumerable: true,
        get(this: Row): unknown {
          return cell.read(view(), at(this, i));
        },
        set(this: Row, value: unknown) {
          writeField(description, field, view(), at(this, i), value);
        },
      });
    }
    return Row as unknown as new (
      index: number,
    ) => State;
  }

  #isOld(index: number): boolean {
    return this.#before !== undefined && this.#before.marks[index] !== 1;
  }

  #migrate(index: number): void {
    const { rows, conversion: way, marks } = this.#before!;
    const packed = new Uint8Array(rows.layout.size);
    const row = new Uint8Array(this.#layout.size);
    rows.pack(index, packed);
    way.convert(packed, 0, row, 0);
    this.#rows.unpack(row, index);
    marks[index] = 1;
  }

  #stored(): { rows: ColumnRows; conversion: Conversion; marks: Uint8Array } {
    const memory = this.#memory;
    const layout = storedLayout(memory, HEADER.before)!;
    const folio = memory.folioOf(this.#words[ARRAY.oldRows]!);
    return {
      rows: new ColumnRows(layout, folio, this.#words[ARRAY.oldCapacity]!),
      conversion: conversion(memory.name, layout, this.#layout),
      marks: memory.folioOf(this.#words[ARRAY.marks]!).bytes,
    };
  }

  #finishMigration(): void {
    const memory = this.#memory;
    const lost = [HEADER.before, ARRAY.oldRows, ARRAY.marks].map((word) =>
      memory.folioOf(this.#words[word]!),
    );
    for (const word of [HEADER.before, HEADER.beforeBytes, ARRAY.oldRows, ARRAY.oldCapacity, ARRAY.marks]) {
      memory.store(word, 0);
    }
    memory.journal.commit();
    this.#before = undefined;
    memory.free(...lost);
  }
}

const columnTypes: {
  readonly [kind: string]: (new (
    buffer: ArrayBuffer,
    offset: number,
    length: number,
  ) => unknown) & {
    readonly BYTES_PER_ELEMENT: number;
    readonly name: string;
  };
} = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
};

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * Opens the array `name` in physical memory, or makes it. `NOT_ALLOWED_NOW` before the memory is owned;
 * `COLLECTION_MISMATCH` when what is there can not be migrated to the description.
 */
export function openArray<State>(
  memory: PhysicalMemory,
  name: string,
  description: Description<State>,
  { capacity = FIRST_CAPACITY }: ArrayOptions = {},
): FolioArray<State> {
  const layout = rowLayout(description);
  const collection = new CollectionMemory(memory, name, "array", ARRAY_HEADER_BYTES);
  return collection.opening(() => {
    if (collection.isNew) create(collection, layout, capacity);
    else {
      freeLost(collection);
      adoptLayout(collection, layout);
    }
    const array = new FolioArray<State>(collection, layout);
    array.reserve(capacity);
    return array;
  });
}

function create(collection: CollectionMemory, layout: RowLayout, capacity: number): void {
  addRows(collection, layout, capacity);
  storeLayout(collection, layout);
  collection.journal.commit();
  collection.finish();
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

/** Begins a migration when the layout is another; one that another program had begun is finished first. */
function adoptLayout(collection: CollectionMemory, layout: RowLayout): void {
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
  new FolioArray(collection, stored).migrateStep(Number.POSITIVE_INFINITY); // stores a staged row, too
  const staging = words[ARRAY.staging]!;
  const [oldRows, oldCapacity] = [words[ARRAY.rows]!, words[ARRAY.capacity]!];
  const marks = collection.alloc(addRows(collection, layout, oldCapacity));
  storeLayout(collection, layout);
  beginMigration(collection);
  collection.store(ARRAY.oldRows, oldRows);
  collection.store(ARRAY.oldCapacity, oldCapacity);
  collection.store(ARRAY.marks, collection.numberOf(marks));
  collection.store(ARRAY.cursor, 0);
  collection.journal.commit();
  collection.free(collection.folioOf(staging));
}

function freeLost(collection: CollectionMemory): void {
  const { words } = collection;
  const own = [ARRAY.rows, ARRAY.oldRows, ARRAY.marks, ARRAY.staging].map((word) => words[word]!);
  collection.freeOthers([...layoutFolios(collection), ...own]);
}
