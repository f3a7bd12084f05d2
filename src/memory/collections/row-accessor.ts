import type { ColumnRows } from "./column-rows.ts";
import { type RowLayout, writeField } from "./row-layout.ts";

/** What an accessor reads and writes. */
export interface RowSource {
  readonly length: number;
  readonly rows: ColumnRows;
  assertRow(index: number): void;
}

/** A class whose objects have a row's fields as accessors, in place. */
export function rowAccessor<State>(
  { fields, name: description }: RowLayout,
  source: RowSource,
): new (
  index: number,
) => State {
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
    if (index >= source.length) source.assertRow(index);
    return source.rows.starts[field]! + index * fields[field]!.cell.size;
  };
  for (const [i, field] of fields.entries()) {
    const { cell, name } = field;
    Object.defineProperty(Row.prototype, name, {
      enumerable: true,
      get(this: Row): unknown {
        return cell.read(source.rows.view, at(this, i));
      },
      set(this: Row, value: unknown) {
        writeField(description, field, source.rows.view, at(this, i), value);
      },
    });
  }
  return Row as unknown as new (
    index: number,
  ) => State;
}
