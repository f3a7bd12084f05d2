import { KstateError } from "../../error/index.ts";
import type { RowLayout } from "./row-layout.ts";

interface Copy {
  readonly from: number;
  readonly to: number;
  readonly size: number;
}

/** How packed rows of one layout become rows of another. */
export interface Conversion {
  /** Fields that only the other layout has: they get its defaults. */
  readonly added: readonly string[];
  /** Fields that are left out. */
  readonly removed: readonly string[];
  /** Makes a packed row of the other layout; the arrays must not overlap. */
  convert(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number): void;
}

/**
 * Finds the fields of one layout in the other, by name and `was`. `COLLECTION_MISMATCH` names a field that is of
 * another kind there, and `LAYOUT_MISMATCH` lists both sides when the version is the same.
 */
export function conversion(collection: string, from: RowLayout, to: RowLayout): Conversion {
  const copies: Copy[] = [];
  const added: string[] = [];
  const found = new Set<string>();
  for (const field of to.fields) {
    const source = from.fields.find(
      ({ name, was }) => name === field.name || field.was.includes(name) || was.includes(field.name),
    );
    if (source === undefined) {
      added.push(field.name);
      continue;
    }
    found.add(source.name);
    if (source.text !== field.text) throw retyped(collection, from, to, field.name, source.text, field.text);
    copies.push({ from: source.offset, to: field.offset, size: field.cell.size });
  }
  const removed = from.fields.map(({ name }) => name).filter((name) => !found.has(name));
  if (from.versionId === to.versionId) throw unversioned(from, to);
  return {
    added,
    removed,
    convert: (source, fromAt, target, toAt) => {
      target.set(to.defaults, toAt);
      for (const copy of copies) {
        for (let i = 0; i < copy.size; i += 1) target[toAt + copy.to + i] = source[fromAt + copy.from + i]!;
      }
    },
  };
}

/** Whether rows of both layouts have the same bytes. */
export function isSameRows(a: RowLayout, b: RowLayout): boolean {
  return (
    a.fields.length === b.fields.length &&
    a.fields.every(({ name, text, was }, index) => {
      const other = b.fields[index]!;
      return (
        text === other.text && (name === other.name || was.includes(other.name) || other.was.includes(name))
      );
    })
  );
}

function retyped(
  collection: string,
  from: RowLayout,
  to: RowLayout,
  field: string,
  before: string,
  after: string,
) {
  const problem = `the field ${field} is ${before} there, and ${after} in ${to.name}@${to.versionId}`;
  const fix = "keep the kind and add a field of another name";
  return new KstateError(
    "COLLECTION_MISMATCH",
    `cannot open ${collection} of ${from.name}@${from.versionId}: ${problem}; ${fix}`,
    { collection, problem },
  );
}

function unversioned(from: RowLayout, to: RowLayout): KstateError {
  const lines = ({ fields }: RowLayout): string[] => fields.map(({ name, text }) => `${name} ${text}`);
  return new KstateError(
    "LAYOUT_MISMATCH",
    `${to.name}@${to.versionId} has other fields in memory than this program gives it: ${lines(from).join(", ")} there, ${lines(to).join(", ")} here; raise versionId and use since and until`,
    { description: to.name, versionId: to.versionId, writer: lines(from), reader: lines(to) },
  );
}
