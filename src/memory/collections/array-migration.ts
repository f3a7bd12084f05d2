import type { CollectionMemory } from "./collection-memory.ts";
import { ColumnRows } from "./column-rows.ts";
import { type Conversion, conversion } from "./conversion.ts";
import { ARRAY, HEADER } from "./layout.ts";
import type { RowLayout } from "./row-layout.ts";
import { storedLayout } from "./stored-layout.ts";

/**
 * The rows of an array in the layout before. A byte for each row says whether it has come into the present layout; those
 * that have not are converted when they are asked for.
 */
export class ArrayMigration {
  readonly #memory: CollectionMemory;
  readonly #rows: ColumnRows;
  readonly #conversion: Conversion;
  #marks: Uint8Array;

  private constructor(memory: CollectionMemory, before: RowLayout, layout: RowLayout) {
    const { words } = memory;
    this.#memory = memory;
    const oldRows = memory.folioOf(words[ARRAY.oldRows]!);
    this.#rows = new ColumnRows(memory, before, oldRows, words[ARRAY.oldCapacity]!);
    this.#conversion = conversion(memory.name, before, layout);
    this.#marks = memory.viewOf(memory.folioOf(words[ARRAY.marks]!), Uint8Array);
  }

  /** The migration that is under way; undefined when all rows are in the present layout. */
  static stored(memory: CollectionMemory, layout: RowLayout): ArrayMigration | undefined {
    if (memory.words[ARRAY.oldRows] === 0) return undefined;
    return new ArrayMigration(memory, storedLayout(memory, HEADER.before)!, layout);
  }

  isOld(index: number): boolean {
    return this.#marks[index] !== 1;
  }

  /** A row at this index is in the present layout. */
  mark(index: number): void {
    this.#marks[index] = 1;
  }

  /** Converts a row to its place among `rows`. */
  migrate(index: number, rows: ColumnRows): void {
    const packed = new Uint8Array(this.#rows.layout.size);
    const row = new Uint8Array(rows.layout.size);
    this.#rows.pack(index, packed);
    this.#conversion.convert(packed, 0, row, 0);
    rows.unpack(row, index);
    this.mark(index);
  }

  /** Adds the store that gives marks to more rows, and returns what ends it after the commit. */
  grow(capacity: number, length: number): () => void {
    const memory = this.#memory;
    const before = memory.folioOf(memory.words[ARRAY.marks]!);
    const marks = memory.alloc(capacity);
    const bytes = memory.viewOf(marks, Uint8Array);
    bytes.set(this.#marks.subarray(0, length));
    memory.store(ARRAY.marks, memory.numberOf(marks));
    return () => {
      this.#marks = bytes;
      memory.free(before);
    };
  }

  /** All rows are in the present layout. */
  finish(): void {
    const memory = this.#memory;
    const { words } = memory;
    const lost = [HEADER.before, ARRAY.oldRows, ARRAY.marks].map((word) => memory.folioOf(words[word]!));
    for (const word of [HEADER.before, HEADER.beforeBytes, ARRAY.oldRows, ARRAY.oldCapacity, ARRAY.marks]) {
      memory.store(word, 0);
    }
    memory.journal.commit();
    memory.free(...lost);
  }
}
