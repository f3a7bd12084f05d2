/** Where two sides mean the same bytes and still not every value that one writes is one that the other reads. */

import { type FieldRecord, fieldsIn, isSameLayout, type KindRecord, sameName } from "../description/index.ts";
import { bothDirections, ends } from "./comparison.ts";
import type { Direction, Pair } from "./finding.ts";

export interface ValueChange {
  readonly type: "limit" | "range" | "names" | "variants";
  readonly path: string;
  readonly direction: Direction;
  /** The reader's field, and what the reader takes. */
  readonly reader: FieldRecord;
  readonly writerText: string;
  readonly readerText: string;
}

/** What the writer may write and the reader refuses, in each direction that works. */
export function valueChanges(pair: Pair): readonly ValueChange[] {
  return bothDirections.flatMap((direction) => {
    const versionId = pair.versionIds[direction];
    if (versionId === undefined || !isSameLayout(pair.old, pair.new, versionId)) return [];
    const { writer, reader } = ends(pair, direction);
    const found = listChanges(writer.fields, reader.fields, versionId, "");
    return Array.from(found, (change) => ({ ...change, direction }));
  });
}

type Found = Omit<ValueChange, "direction">;

function* listChanges(
  writer: readonly FieldRecord[],
  reader: readonly FieldRecord[],
  versionId: number,
  prefix: string,
): Generator<Found> {
  const theirs = fieldsIn(reader, versionId);
  for (const [index, field] of fieldsIn(writer, versionId).entries()) {
    const other = theirs[index]!;
    if (sameName(field, other))
      yield* kindChanges(field.kind, other.kind, versionId, {
        path: `${prefix}${other.name}`,
        reader: other,
      });
  }
}

function* kindChanges(
  writer: KindRecord,
  reader: KindRecord,
  versionId: number,
  place: Pick<Found, "path" | "reader">,
): Generator<Found> {
  const [most, least] = [writer.max ?? 0, reader.max ?? 0];
  if (most > least)
    yield { type: "limit", ...place, writerText: `at most ${most}`, readerText: `at most ${least}` };
  if (reader.kind === `${writer.kind}.safe`)
    yield { type: "range", ...place, writerText: writer.kind, readerText: reader.kind };
  yield* listed("names", writer.names ?? [], reader.names ?? [], place);
  const [variants, others] = [writer.variants ?? [], reader.variants ?? []];
  yield* listed("variants", variants.map(nameOf), others.map(nameOf), place);
  for (const inner of ["element", "key", "value"] as const) {
    if (writer[inner] !== undefined && reader[inner] !== undefined)
      yield* kindChanges(writer[inner], reader[inner], versionId, place);
  }
  yield* listChanges(writer.fields ?? [], reader.fields ?? [], versionId, `${place.path}.`);
  for (const [index, { name, fields }] of variants.entries()) {
    const other = others[index];
    if (other !== undefined) yield* listChanges(fields, other.fields, versionId, `${place.path}.${name}.`);
  }
}

function* listed(
  type: "names" | "variants",
  writer: readonly string[],
  reader: readonly string[],
  place: Pick<Found, "path" | "reader">,
): Generator<Found> {
  if (writer.length > reader.length)
    yield { type, ...place, writerText: writer.join(", "), readerText: reader.join(", ") };
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}
