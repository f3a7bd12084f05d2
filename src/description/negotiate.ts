import { KstateError } from "../error/index.ts";
import { isSameLayout, layoutLines } from "./layout.ts";
import type { DescriptionRecord, FieldRecord, KindRecord, LockRecord } from "./lock-record.ts";
import { type ReusedId, reusedByCarried } from "./reused-ids.ts";
import { isInVersion } from "./versions.ts";

/** Which version to write, by name of description. Those not named are written in their newest. */
export type VersionIds = Readonly<Record<string, number>>;

/**
 * Decides in which versions a writer saves for a reader: for each description that both know, the highest that
 * the writer can write and the reader can load. Throws `NO_COMMON_VERSION` naming every description without
 * one, `LAYOUT_MISMATCH` if the two disagree about the fields of the version, and `DESCRIPTION_MISMATCH` if the reader would
 * carry a description beside another one of its id or name.
 */
export function negotiate(writer: LockRecord, reader: LockRecord): { readonly versionIds: VersionIds } {
  const readers = new Map(reader.descriptions.map((record) => [record.name, record]));
  const versionIds: Record<string, number> = Object.create(null) as Record<string, number>;
  const without: [DescriptionRecord, DescriptionRecord][] = [];
  for (const own of writer.descriptions) {
    const other = readers.get(own.name);
    if (other === undefined) continue;
    const version = commonVersion(own, other);
    if (version === undefined) without.push([own, other]);
    else versionIds[own.name] = version;
  }
  if (without.length > 0) throw noCommonVersion(without);
  for (const own of writer.descriptions) {
    const other = readers.get(own.name);
    if (other !== undefined) assertSameLayout(own, other, versionIds[own.name] as number);
  }
  const reused = reusedByCarried(
    new Map(writer.descriptions.map((record) => [record.name, record])),
    readers,
  );
  if (reused !== undefined) throw idReused("the versions cannot be negotiated", reused);
  return { versionIds };
}

/** Throws `DESCRIPTION_MISMATCH` or `LAYOUT_MISMATCH` unless both records mean the same bytes by a version. */
export function assertSameLayout(
  writer: DescriptionRecord,
  reader: DescriptionRecord,
  versionId: number,
): void {
  if (writer.id !== reader.id || writer.name !== reader.name) {
    throw new KstateError(
      "DESCRIPTION_MISMATCH",
      `the writer's ${writer.name} has id ${writer.id}, the reader's ${reader.name} has id ${reader.id}; names and ids must stay as they were`,
      { id: reader.id, writer: writer.name, reader: reader.name },
    );
  }
  if (isSameLayout(writer, reader, versionId)) return;
  const lines = { writer: layoutLines(writer, versionId), reader: layoutLines(reader, versionId) };
  throw new KstateError(
    "LAYOUT_MISMATCH",
    `writer and reader disagree about ${writer.name}@${versionId}; a change of fields needs a new versionId\n${sideBySide(lines.writer, lines.reader)}`,
    { description: writer.name, versionId, ...lines },
  );
}

/** For a description that cannot be carried, because its id or its name is another one's here. */
export function idReused(call: string, { writer, reader }: ReusedId): KstateError<"DESCRIPTION_MISMATCH"> {
  const fact =
    writer.name === reader.name
      ? `it has the id ${writer.id} in the stream and ${reader.id} here`
      : `its id ${writer.id} is that of ${reader.name} here`;
  return new KstateError(
    "DESCRIPTION_MISMATCH",
    `${call}: ${writer.name} cannot be carried: ${fact}; ids and names are never used again, so give ${reader.name} others`,
    { id: writer.id, writer: writer.name, reader: reader.name },
  );
}

/** At most 40 rows of 60 characters a side: the writer's names come from the stream. */
function sideBySide(writer: readonly string[], reader: readonly string[]): string {
  const [left, right] = [writer, reader].map((lines) => lines.slice(0, 40).map(shortened)) as [
    string[],
    string[],
  ];
  const width = Math.max(6, ...left.map((line) => line.length));
  const rows = [`  ${"writer".padEnd(width)} | reader`];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [ours = "", theirs = ""] = [left[i], right[i]];
    rows.push(`${writer[i] === reader[i] ? "  " : "> "}${ours.padEnd(width)} | ${theirs}`);
  }
  const more = Math.max(writer.length, reader.length) - rows.length + 1;
  return [...rows, ...(more > 0 ? [`  … ${more} more`] : [])].join("\n");
}

function shortened(line: string): string {
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}

/** The version in which a writer saves a description for a reader; undefined if there is none. */
export function commonVersion(writer: DescriptionRecord, reader: DescriptionRecord): number | undefined {
  const lowest = Math.max(writer.minVersionId, reader.minVersionId);
  const unwritable = [...unwritableVersions(writer.fields, 0, Number.POSITIVE_INFINITY)];
  unwritable.sort((a, b) => b.until - a.until);
  let version = Math.min(writer.versionId, reader.versionId);
  for (const { since, until } of unwritable) if (until >= version && since <= version) version = since - 1;
  return version >= lowest ? version : undefined;
}

/** Versions that a writer cannot write, because they have a deprecated field without `save`. */
function* unwritableVersions(
  fields: readonly FieldRecord[],
  lowest: number,
  highest: number,
): Generator<{ readonly since: number; readonly until: number }> {
  for (const { since = 0, until = Number.POSITIVE_INFINITY, kind, save } of fields) {
    const range = { since: Math.max(lowest, since), until: Math.min(highest, until) };
    if (range.since > range.until || kind.kind === "unused") continue;
    if (until === Number.POSITIVE_INFINITY) yield* unwritableInside(kind, range.since, range.until);
    else if (save === undefined) yield range;
  }
}

function* unwritableInside(
  kind: KindRecord,
  lowest: number,
  highest: number,
): ReturnType<typeof unwritableVersions> {
  yield* unwritableVersions(kind.fields ?? [], lowest, highest);
  for (const { fields } of kind.variants ?? []) yield* unwritableVersions(fields, lowest, highest);
  for (const nested of [kind.key, kind.value, kind.element])
    if (nested !== undefined) yield* unwritableInside(nested, lowest, highest);
}

/** The first deprecated field of a version that has no `save`, also inside records and variants. */
export function unwritableField(fields: readonly FieldRecord[], versionId: number): string | undefined {
  for (const field of fields) {
    const { since = 0, until = Number.POSITIVE_INFINITY, kind } = field;
    if (!isInVersion({ since, until }, versionId) || kind.kind === "unused") continue;
    if (until !== Number.POSITIVE_INFINITY) {
      if (field.save === undefined) return field.name;
      continue;
    }
    const nested = unwritableNested(kind, versionId);
    if (nested !== undefined) return `${field.name}.${nested}`;
  }
  return undefined;
}

function unwritableNested(kind: KindRecord, versionId: number): string | undefined {
  const lists = [kind.fields ?? [], ...(kind.variants ?? []).map(({ fields }) => fields)];
  for (const fields of lists) {
    const name = unwritableField(fields, versionId);
    if (name !== undefined) return name;
  }
  for (const nested of [kind.key, kind.value, kind.element]) {
    const name = nested === undefined ? undefined : unwritableNested(nested, versionId);
    if (name !== undefined) return name;
  }
  return undefined;
}

function noCommonVersion(without: readonly [DescriptionRecord, DescriptionRecord][]): KstateError {
  const descriptions = without.map(([writer, reader]) => ({
    name: writer.name,
    writer: [writer.minVersionId, writer.versionId] as const,
    reader: [reader.minVersionId, reader.versionId] as const,
  }));
  const texts = without.map(([writer, reader]) => {
    const deprecated = unwritableField(writer.fields, Math.min(writer.versionId, reader.versionId));
    const why = deprecated === undefined ? "" : ` (field ${deprecated} has no save in its until)`;
    return `${writer.name}: written ${writer.minVersionId} to ${writer.versionId}, loaded ${reader.minVersionId} to ${reader.versionId}${why}`;
  });
  return new KstateError(
    "NO_COMMON_VERSION",
    `no version in common for ${texts.join("; ")}; widen minVersionId, or give the field until(…, { save })`,
    { descriptions },
  );
}
