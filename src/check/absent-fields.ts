/** Fields that a reader has in its newest version, and that the version which is exchanged does not have. */

import { type FieldRecord, fieldsIn, type KindRecord, sameName } from "../description/index.ts";
import { bothDirections, ends } from "./comparison.ts";
import type { Direction, Pair } from "./finding.ts";

export interface AbsentField {
  readonly path: string;
  readonly direction: Direction;
  /** In which version the description goes. */
  readonly versionId: number;
  readonly field: FieldRecord;
  /** The field of the same name which that version has and the reader's newest version has not. */
  readonly predecessor: FieldRecord | undefined;
  /** The writer's own, of its newest version. */
  readonly writers: FieldRecord | undefined;
}

/** In each direction that works. */
export function absentFields(pair: Pair): readonly AbsentField[] {
  return bothDirections.flatMap((direction) => {
    const versionId = pair.versionIds[direction];
    if (versionId === undefined) return [];
    const { writer, reader } = ends(pair, direction);
    const newest = { writer: writer.versionId, reader: reader.versionId };
    const found = absentIn(writer.fields, reader.fields, versionId, newest, "");
    return Array.from(found, (absent) => ({ ...absent, direction, versionId }));
  });
}

/** Fields of the new program that a rollback does not write, and that the old program does not know either. */
export function unwrittenFields(
  pair: Pair,
): readonly { readonly path: string; readonly field: FieldRecord }[] {
  const versionId = pair.versionIds.rollback;
  if (versionId === undefined) return [];
  const newest = { writer: pair.old.versionId, reader: pair.new.versionId };
  const found = absentIn(pair.old.fields, pair.new.fields, versionId, newest, "");
  return [...found].filter(({ writers, predecessor }) => writers === undefined && predecessor === undefined);
}

type Found = Omit<AbsentField, "direction" | "versionId">;
interface Newest {
  readonly writer: number;
  readonly reader: number;
}

function* absentIn(
  writer: readonly FieldRecord[],
  reader: readonly FieldRecord[],
  versionId: number,
  newest: Newest,
  prefix: string,
): Generator<Found> {
  const exchanged = fieldsIn(reader, versionId);
  const known = fieldsIn(writer, newest.writer);
  for (const field of fieldsIn(reader, newest.reader)) {
    if (field.kind.kind === "unused") continue;
    const path = `${prefix}${field.name}`;
    const writers = known.find((other) => other.kind.kind !== "unused" && sameName(other, field));
    if (exchanged.includes(field)) {
      if (writers !== undefined) yield* absentInside(writers.kind, field.kind, versionId, newest, path);
      continue;
    }
    const predecessor = exchanged.find((other) => other.kind.kind !== "unused" && sameName(other, field));
    yield { path, field, predecessor, writers };
  }
}

function* absentInside(
  writer: KindRecord,
  reader: KindRecord,
  versionId: number,
  newest: Newest,
  path: string,
): Generator<Found> {
  yield* absentIn(writer.fields ?? [], reader.fields ?? [], versionId, newest, `${path}.`);
  for (const { name, fields } of reader.variants ?? []) {
    const other = writer.variants?.find((variant) => variant.name === name);
    if (other !== undefined) yield* absentIn(other.fields, fields, versionId, newest, `${path}.${name}.`);
  }
  for (const inner of ["element", "key", "value"] as const) {
    if (writer[inner] !== undefined && reader[inner] !== undefined)
      yield* absentInside(writer[inner], reader[inner], versionId, newest, path);
  }
}
