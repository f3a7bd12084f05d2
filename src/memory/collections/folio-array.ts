import type { Description } from "../../description/index.ts";
import { KstateError } from "../../error/index.ts";
import type { RoomRequest } from "../owned-memory.ts";
import type { PhysicalMemory } from "../physical-memory.ts";
import { ArrayRows, adoptLayout, createRows, rowFolios } from "./array-rows.ts";
import { CollectionMemory } from "./collection-memory.ts";
import type { CollectionRecord } from "./collection-record.ts";
import { type Column, type ColumnConstructor, columnTypeOf } from "./column-type.ts";
import { ARRAY_HEADER_BYTES, COLLECTION_VERSIONS } from "./layout.ts";
import { notOpen } from "./not-open.ts";
import { arrayRoom } from "./opening-room.ts";
import { rowAccessor } from "./row-accessor.ts";
import { type RowLayout, rowLayout } from "./row-layout.ts";

/** What `openArray` may be told. */
export interface ArrayOptions {
  /**
   * Rows for which there is room without growing, 64 unless given. An array that grows beyond its capacity is copied to
   * a folio of twice the size, in one pause: give large ones the capacity that they will need.
   */
  readonly capacity?: number;
}

const FIRST_CAPACITY = 64;

interface Opened<State> {
  readonly rows: ArrayRows;
  readonly Accessor: new (index: number) => State;
}

/**
 * Rows of a description that live in folios, kept by column: the next version of the program finds them as they are.
 * `append`, `set` and `swapRemove` are there or not, wherever the program dies; what is stored through a column or an
 * accessor is there number by number. At most 4 GiB. `NOT_ALLOWED_NOW` until the memory is the program's.
 */
export class FolioArray<State> {
  /** Its name in the memory. */
  readonly name: string;
  readonly #layout: RowLayout;
  readonly #firstCapacity: number;
  #state: Opened<State> | undefined;

  /** @internal Use `openArray`. Errors: those of `rowLayout`. */
  constructor(name: string, description: Description<State>, options: ArrayOptions = {}) {
    this.name = name;
    this.#layout = rowLayout(description);
    this.#firstCapacity = options.capacity ?? FIRST_CAPACITY;
  }

  /** @internal What another program has to know of it before this one opens it. */
  get record(): CollectionRecord {
    const { text } = this.#layout;
    return { name: this.name, kind: "array", key: null, layout: text, versions: COLLECTION_VERSIONS.array };
  }

  /** @internal What {@link openIn} will allocate in memory that another program still owns. */
  roomIn(memory: PhysicalMemory): RoomRequest[] {
    return arrayRoom(memory, this.name, this.#layout, this.#firstCapacity);
  }

  /** @internal Finds the array in memory that the program owns, or makes it. Errors: those of `openArray`. */
  openIn(memory: PhysicalMemory): void {
    const layout = this.#layout;
    const collection = new CollectionMemory(memory, this.name, "array", ARRAY_HEADER_BYTES);
    collection.opening(() => {
      if (collection.isNew) createRows(collection, layout, this.#firstCapacity);
      else {
        collection.freeOthers(rowFolios(collection));
        adoptLayout(collection, layout, this.#firstCapacity);
      }
      const rows = new ArrayRows(collection, layout);
      rows.reserve(this.#firstCapacity);
      this.#state = { rows, Accessor: rowAccessor<State>(layout, rows) };
    });
  }

  get #opened(): Opened<State> {
    return this.#state ?? notOpen("array", this.name);
  }

  /** Whether it can be used: from `ready()` on. */
  get isOpen(): boolean {
    return this.#state !== undefined;
  }

  /** Rows. */
  get length(): number {
    return this.#opened.rows.length;
  }

  /** Rows for which there is room. Growing beyond it moves them, and columns have to be taken anew. */
  get capacity(): number {
    return this.#opened.rows.rows.capacity;
  }

  /** Whether rows of an earlier layout are left; they are converted when they are read, until `migrateStep` is done. */
  get isMigrating(): boolean {
    return this.#opened.rows.isMigrating;
  }

  /** A copy of a row. `ROW_INVALID` when there is none. */
  get(index: number): State {
    const { rows } = this.#opened;
    rows.assertRow(index);
    rows.touch(index);
    return rows.rows.read(index) as State;
  }

  /** Stores a whole row. `VALUE_INVALID` and `CHECK_FAILED` name the field, and nothing has changed. */
  set(index: number, state: State): void {
    this.#opened.rows.set(index, state as object);
  }

  /**
   * An object whose properties are the row's fields, in place. It stands for the index, whatever is there later.
   * `ROW_INVALID` when there is no such row.
   */
  at(index: number): State {
    const { rows, Accessor } = this.#opened;
    rows.assertRow(index);
    rows.touch(index);
    return new Accessor(index);
  }

  /** Adds a row at the end and returns its index. `MEMORY_FULL` when there is no room; nothing has changed then. */
  append(state: State): number {
    return this.#opened.rows.append(state as object);
  }

  /** Removes a row by putting the last one in its place. */
  swapRemove(index: number): void {
    this.#opened.rows.swapRemove(index);
  }

  /** Makes room for so many rows, so that growing makes no pause later. */
  reserve(rows: number): void {
    this.#opened.rows.reserve(rows);
  }

  /**
   * A field of all rows as a typed array over the memory, as long as the array; several elements a row for `array`,
   * and bytes for what is no number. Valid until the array grows beyond its capacity: what is stored in it after that
   * may hit other memory. `type` fixes the type and is compared. `NOT_ALLOWED_NOW` while rows are migrated.
   */
  column<Name extends keyof State & string>(name: Name): Column<State[Name]>;
  column<T>(
    name: keyof State & string,
    type: new (buffer: ArrayBufferLike, offset: number, length: number) => T,
  ): T;
  column(name: string, type?: unknown): unknown {
    const { rows } = this.#opened;
    if (rows.isMigrating) {
      throw new KstateError(
        "NOT_ALLOWED_NOW",
        `cannot view the column ${name} of ${this.name}: rows are being migrated; call migrateStep() until it says false`,
        { call: "column", phase: "migrating" },
      );
    }
    const index = this.#layout.fields.findIndex((field) => field.name === name);
    const { cell } = this.#layout.fields[index] ?? this.#refuse(name, "there is no such field");
    const found: ColumnConstructor<unknown> = columnTypeOf(
      cell.kind.kind === "array" ? cell.kind.element.kind : cell.kind.kind,
    );
    if (type !== undefined && found !== type) this.#refuse(name, `its type is ${found.name}`);
    const { bytes, starts } = rows.rows;
    const length = (rows.length * cell.size) / found.BYTES_PER_ELEMENT;
    return new found(bytes.buffer, bytes.byteOffset + starts[index]!, length);
  }

  /** Copies of all rows, in order. */
  *[Symbol.iterator](): Generator<State> {
    for (let index = 0; index < this.length; index += 1) yield this.get(index);
  }

  /**
   * Brings up to `maxRows` rows into the present layout, and says whether any are left; rows are served meanwhile.
   * `live.memory` does it by itself, between requests.
   */
  migrateStep(maxRows = 1000): boolean {
    return this.#opened.rows.migrateStep(maxRows);
  }

  #refuse(column: string, problem: string): never {
    const message = `cannot view the column ${column} of ${this.name}: ${problem}`;
    throw new KstateError("COLLECTION_MISMATCH", message, { collection: this.name, problem });
  }
}

/**
 * Opens the array `name` in physical memory, or makes it. `NOT_ALLOWED_NOW` before the memory is owned;
 * `COLLECTION_MISMATCH` when what is there can not be migrated to the description; `DESCRIPTION_INVALID` when a field is
 * not of fixed size.
 */
export function openArray<State>(
  memory: PhysicalMemory,
  name: string,
  description: Description<State>,
  options?: ArrayOptions,
): FolioArray<State> {
  const array = new FolioArray<State>(name, description, options);
  array.openIn(memory);
  return array;
}
