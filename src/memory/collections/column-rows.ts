import type { Folio } from "../folio.ts";
import type { CollectionMemory } from "./collection-memory.ts";
import { damaged } from "./damaged.ts";
import type { RowField, RowLayout } from "./row-layout.ts";

const COLUMN_ALIGNMENT = 8;

/** Rows by column in one folio, in one layout. */
export class ColumnRows {
  readonly layout: RowLayout;
  readonly folio: Folio;
  readonly capacity: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Where each field's column begins in the folio. */
  readonly starts: readonly number[];

  constructor(memory: CollectionMemory, layout: RowLayout, folio: Folio, capacity: number) {
    this.layout = layout;
    this.folio = folio;
    this.capacity = capacity;
    this.bytes = memory.viewOf(folio, Uint8Array);
    const { buffer, byteOffset, length } = this.bytes;
    this.view = new DataView(buffer, byteOffset, length);
    ColumnRows.assertRoom(memory.name, layout, capacity, folio.size);
    let at = 0;
    this.starts = layout.fields.map(({ cell }) => {
      const start = at;
      at += columnBytes(cell.size, capacity);
      return start;
    });
  }

  /** `MEMORY_INVALID` when a header gives so many rows to a folio of so many bytes that does not hold them. */
  static assertRoom(collection: string, { fields }: RowLayout, capacity: number, folioBytes: number): void {
    const bytes = fields.reduce((sum, { cell }) => sum + columnBytes(cell.size, capacity), 0);
    if (bytes <= folioBytes) return;
    throw damaged(collection, `there is no room for ${capacity} rows where they should be`);
  }

  /** The rows that fit into so many bytes. */
  static capacityOf({ fields, size }: RowLayout, bytes: number): number {
    return Math.floor((bytes - fields.length * COLUMN_ALIGNMENT) / size);
  }

  /** The bytes that so many rows need. */
  static bytesFor({ fields, size }: RowLayout, rows: number): number {
    return rows * size + fields.length * COLUMN_ALIGNMENT;
  }

  read(index: number): Record<string, unknown> {
    const state: Record<string, unknown> = {};
    for (const [i, { name, cell }] of this.layout.fields.entries()) {
      state[name] = cell.read(this.view, this.starts[i]! + index * cell.size);
    }
    return state;
  }

  /** Copies a row to a packed one. */
  pack(index: number, row: Uint8Array): void {
    this.#each(index, (field, at) => {
      const { bytes } = this;
      for (let i = 0; i < field.cell.size; i += 1) row[field.offset + i] = bytes[at + i]!;
    });
  }

  /** Copies a packed row to its columns. */
  unpack(row: Uint8Array, index: number): void {
    this.#each(index, (field, at) => {
      const { bytes } = this;
      for (let i = 0; i < field.cell.size; i += 1) bytes[at + i] = row[field.offset + i]!;
    });
  }

  /** Copies the first rows from others of the same layout. */
  copyFrom(other: ColumnRows, length: number): void {
    for (const [i, { cell }] of this.layout.fields.entries()) {
      const from = other.starts[i]!;
      this.bytes.set(other.bytes.subarray(from, from + length * cell.size), this.starts[i]!);
    }
  }

  #each(index: number, visit: (field: RowField, at: number) => void): void {
    for (const [i, field] of this.layout.fields.entries()) {
      visit(field, this.starts[i]! + index * field.cell.size);
    }
  }
}

function columnBytes(cellBytes: number, rows: number): number {
  return Math.ceil((rows * cellBytes) / COLUMN_ALIGNMENT) * COLUMN_ALIGNMENT;
}
