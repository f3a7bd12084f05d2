import {
  type Description,
  type DescriptionRecord,
  type FieldModel,
  type FieldRecord,
  isInVersion,
  type Kind,
  type KindRecord,
  kindText,
  lockRecord,
  lockText,
  parseLockRecord,
} from "../../description/index.ts";
import { KstateError } from "../../error/index.ts";
import { type Cell, cellOf } from "./cell.ts";
import { damaged } from "./damaged.ts";

/** One field of a row. */
export interface RowField {
  readonly name: string;
  readonly cell: Cell;
  /** Where it begins in a packed row. */
  readonly offset: number;
  readonly checks: FieldModel["checks"];
  readonly was: readonly string[];
  /** Its kind in words, by which two layouts are compared. */
  readonly text: string;
}

/** How the rows of a description stand in memory: its newest version's fields, packed, each of a fixed size. */
export interface RowLayout {
  readonly name: string;
  readonly versionId: number;
  readonly fields: readonly RowField[];
  /** Bytes of a packed row. */
  readonly size: number;
  /** The description's lock record, by which other programs understand the rows. */
  readonly text: string;
  /** A packed row of the declared defaults, and zeros. */
  readonly defaults: Uint8Array;
}

/** The layout of a description; `DESCRIPTION_INVALID` names what has no fixed size or no meaning in memory. */
export function rowLayout(description: Description): RowLayout {
  const [record] = lockRecord([description]).descriptions;
  const models = description.fields.filter((field) => isInVersion(field, description.versionId));
  assertPlain(description);
  const records = fieldsIn(record!);
  const fields = placed(models, records, (field, problem) => {
    throw invalid(description, field, problem);
  });
  const size = sizeOf(fields);
  const defaults = new Uint8Array(size);
  const view = new DataView(defaults.buffer);
  for (const [index, { cell, offset, name }] of fields.entries()) {
    const fallback = models[index]!.fallback;
    if (fallback !== undefined) cell.write(view, offset, fallback(), `${description.name}.${name}`);
  }
  const text = lockText(lockRecord([description]));
  return { name: description.name, versionId: description.versionId, fields, size, text, defaults };
}

/** The layout that another program has left; `MEMORY_INVALID` names the collection when it is damaged. */
export function parseRowLayout(collection: string, text: string, defaults: Uint8Array): RowLayout {
  const fail = (cause: unknown): never => {
    throw damaged(collection, "what it says of its layout cannot be read", cause);
  };
  try {
    const record = parseLockRecord(text).descriptions[0]!;
    const records = fieldsIn(record);
    const models = records.map((field) => modelOf(field, record.versionId));
    const fields = placed(models, records, fail);
    const size = sizeOf(fields);
    const { name, versionId } = record;
    return { name, versionId, fields, size, text, defaults: defaults.slice(0, size) };
  } catch (cause) {
    return fail(cause);
  }
}

/** Writes an object as a packed row; `VALUE_INVALID` and `CHECK_FAILED` name the field. */
export function writeRow(layout: RowLayout, view: DataView, at: number, state: object): void {
  for (const field of layout.fields) {
    writeField(layout.name, field, view, at + field.offset, (state as Record<string, unknown>)[field.name]);
  }
}

/** Writes one field, if its checks are content. */
export function writeField(
  description: string,
  { name, cell, checks }: RowField,
  view: DataView,
  at: number,
  value: unknown,
): void {
  const path = `${description}.${name}`;
  for (const { predicate, why } of checks) {
    if (predicate(value)) continue;
    throw new KstateError("CHECK_FAILED", `cannot store ${path}: ${why}`, {
      path,
      description,
      offset: -1,
      why,
    });
  }
  cell.write(view, at, value, path);
}

/** Reads a packed row into a new object. */
export function readRow(layout: RowLayout, view: DataView, at: number): Record<string, unknown> {
  const state: Record<string, unknown> = {};
  for (const { name, cell, offset } of layout.fields) state[name] = cell.read(view, at + offset);
  return state;
}

function placed(
  models: readonly Pick<FieldModel, "kind" | "checks">[],
  records: readonly FieldRecord[],
  fail: (field: string, problem: string) => never,
): RowField[] {
  let offset = 0;
  return records.map(({ name, kind, was = [] }, index) => {
    const model = models[index]!;
    const cell = cellOf(model.kind);
    if (cell === undefined) {
      return fail(
        name,
        `${kind.kind} has no fixed size; records in memory have u8 to f64, bool, char, bytes, array and record`,
      );
    }
    const text = kindText(kind, 0).replaceAll(".safe", "");
    const field = { name, cell, offset, checks: model.checks, was, text };
    offset += cell.size;
    return field;
  });
}

function sizeOf(fields: readonly RowField[]): number {
  return fields.reduce((sum, { cell }) => sum + cell.size, 0);
}

function fieldsIn(record: DescriptionRecord): readonly FieldRecord[] {
  return record.fields.filter(({ since = 0, until = Number.POSITIVE_INFINITY }) =>
    isInVersion({ since, until }, record.versionId),
  );
}

function modelOf({ kind }: FieldRecord, versionId: number): Pick<FieldModel, "kind" | "checks"> {
  return { kind: kindOf(kind, versionId), checks: [] };
}

/** A kind from its record; kinds without a fixed size keep only their name, and have no cell. */
function kindOf(record: KindRecord, versionId: number): Kind {
  switch (record.kind) {
    case "char":
    case "bytes":
      return { kind: record.kind, size: record.size! };
    case "array":
      return { kind: "array", element: kindOf(record.element!, versionId), count: record.count as number };
    case "record":
      return {
        kind: "record",
        fields: record.fields!.map(
          (field) => ({ name: field.name, ...modelOf(field, versionId) }) as FieldModel,
        ),
      };
    default:
      return { kind: record.kind } as Kind;
  }
}

/** What means nothing where nobody saves and loads is refused, rather than ignored. */
function assertPlain(description: Description): void {
  const { hooks, subsections, checks, fields } = description;
  if (subsections.length > 0) throw invalid(description, null, "subsections are not kept in memory");
  if (checks.length > 0)
    throw invalid(description, null, "a check of the whole object is not made in memory");
  const hook = Object.entries(hooks).find(([, value]) => value !== undefined)?.[0];
  if (hook !== undefined) throw invalid(description, null, `the hook ${hook} never runs in memory`);
  const conditional = fields.find(({ conditions }) => conditions.length > 0);
  if (conditional !== undefined) throw invalid(description, conditional.name, "when() has no fixed size");
  if (fields.length === 0) throw invalid(description, null, "a row needs a field");
  for (const { name, kind } of fields) {
    const inner = nestedRecords(kind).find(
      ({ since, until, conditions }) => since > 0 || until < Infinity || conditions.length > 0,
    );
    if (inner !== undefined)
      throw invalid(description, `${name}.${inner.name}`, "a nested record has no versions in memory");
  }
}

function nestedRecords(kind: Kind): readonly FieldModel[] {
  if (kind.kind === "array") return nestedRecords(kind.element);
  if (kind.kind !== "record") return [];
  return kind.fields.flatMap((field) => [field, ...nestedRecords(field.kind)]);
}

function invalid(description: Description, field: string | null, problem: string): KstateError {
  const where = field === null ? description.name : `${description.name}.${field}`;
  return new KstateError("DESCRIPTION_INVALID", `cannot keep ${where} in a collection: ${problem}`, {
    description: description.name,
    field,
    problem,
  });
}
