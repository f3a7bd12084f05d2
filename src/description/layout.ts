/**
 * Comparing what two sides believe a version's bytes to be. Part of the layout: order, names (with `was`),
 * kinds, sizes, since and until, conditions, records and variants, names of nested descriptions, custom
 * formats. Not part: limits, defaults, hooks, checks; and lists of names may be continued at their end.
 */

import type { DescriptionRecord, FieldRecord, KindRecord } from "./lock-record.ts";
import { isInVersion } from "./versions.ts";

/** The fields that a version has, one line each, for messages. */
export function layoutLines(record: DescriptionRecord, versionId: number): readonly string[] {
  return fieldsIn(record.fields, versionId).map(
    (field) => `${field.name} ${kindText(field.kind, versionId)}${whenText(field)}`,
  );
}

/** Whether two records mean the same bytes by a version. */
export function isSameLayout(a: DescriptionRecord, b: DescriptionRecord, versionId: number): boolean {
  return sameFields(a.fields, b.fields, [versionId, versionId]);
}

/** Whether the newest versions of two records are the same bytes, whatever their numbers: objects in place stay so. */
export function isSameNewest(a: DescriptionRecord, b: DescriptionRecord): boolean {
  return sameFields(a.fields, b.fields, [a.versionId, b.versionId]);
}

/** The versions in which the two sides are looked at. */
type Versions = readonly [a: number, b: number];

/** The fields that a version has. */
export function fieldsIn(fields: readonly FieldRecord[], versionId: number): readonly FieldRecord[] {
  return fields.filter(({ since = 0, until = Number.POSITIVE_INFINITY }) =>
    isInVersion({ since, until }, versionId),
  );
}

function sameFields(a: readonly FieldRecord[], b: readonly FieldRecord[], versions: Versions): boolean {
  const left = fieldsIn(a, versions[0]);
  const right = fieldsIn(b, versions[1]);
  if (left.length !== right.length) return false;
  return left.every((field, index) => {
    const other = right[index] as FieldRecord;
    return (
      sameName(field, other) &&
      sameKind(field.kind, other.kind, versions) &&
      sameConditions(field, left, other, right) &&
      sameCount(field.kind.count, left, other.kind.count, right)
    );
  });
}

/** Whether two fields are one by their names. */
export function sameName(a: FieldRecord, b: FieldRecord): boolean {
  if (a.kind.kind === "unused") return true;
  return a.name === b.name || (a.was ?? []).includes(b.name) || (b.was ?? []).includes(a.name);
}

/** Whether two fields are there under the same conditions. */
export function sameConditions(
  a: FieldRecord,
  fieldsA: readonly FieldRecord[],
  b: FieldRecord,
  fieldsB: readonly FieldRecord[],
): boolean {
  const left = a.when ?? [];
  const right = b.when ?? [];
  return (
    left.length === right.length &&
    left.every((condition, index) => {
      const other = right[index]!;
      const sameField = positionOf(condition.field, fieldsA) === positionOf(other.field, fieldsB);
      return sameField && condition.operator === other.operator && condition.value === other.value;
    })
  );
}

/** Whether two counts, or the fields that hold them, are the same. */
export function sameCount(
  a: number | string | undefined,
  fieldsA: readonly FieldRecord[],
  b: number | string | undefined,
  fieldsB: readonly FieldRecord[],
): boolean {
  if (typeof a === "string" && typeof b === "string")
    return positionOf(a, fieldsA) === positionOf(b, fieldsB);
  return a === b;
}

function positionOf(name: string, fields: readonly FieldRecord[]): number {
  return fields.findIndex((field) => field.name === name);
}

function sameKind(a: KindRecord, b: KindRecord, versions: Versions): boolean {
  if (wire(a.kind) !== wire(b.kind)) return false;
  return (
    a.size === b.size &&
    a.of === b.of &&
    a.base === b.base &&
    a.format === b.format &&
    (typeof a.count === "string" || typeof b.count === "string" || a.count === b.count) &&
    sameNested(a.element, b.element, versions) &&
    sameNested(a.key, b.key, versions) &&
    sameNested(a.value, b.value, versions) &&
    samePrefix(a.names ?? [], b.names ?? [], (left, right) => left === right) &&
    sameFields(a.fields ?? [], b.fields ?? [], versions) &&
    samePrefix(
      a.variants ?? [],
      b.variants ?? [],
      (left, right) => left.name === right.name && sameFields(left.fields, right.fields, versions),
    )
  );
}

/** `u64` and `u64.safe` are the same bytes. */
export function wire(kind: string): string {
  return kind.replace(/\.safe$/, "");
}

function sameNested(a: KindRecord | undefined, b: KindRecord | undefined, versions: Versions): boolean {
  if (a === undefined || b === undefined) return a === b;
  return sameKind(a, b, versions);
}

function samePrefix<T>(a: readonly T[], b: readonly T[], same: (left: T, right: T) => boolean): boolean {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (!same(a[i] as T, b[i] as T)) return false;
  return true;
}

function whenText({ when = [] }: FieldRecord): string {
  return when.map(({ field, operator, value }) => ` when ${field} ${operator} ${value}`).join(" and");
}

/** A kind in one line: `map(u32, struct(player))`. */
export function kindText(kind: KindRecord, versionId: number): string {
  const inner = [kind.key, kind.value, kind.element].filter((nested) => nested !== undefined);
  const parts = [
    ...inner.map((nested) => kindText(nested, versionId)),
    ...[kind.size, kind.count, kind.of, kind.base, kind.format]
      .filter((part) => part !== undefined)
      .map(String),
    ...(kind.names ?? []),
    ...fieldsIn(kind.fields ?? [], versionId).map(
      (field) => `${field.name} ${kindText(field.kind, versionId)}`,
    ),
    ...(kind.variants ?? []).map(
      ({ name, fields }) =>
        `${name}: ${fieldsIn(fields, versionId)
          .map((field) => `${field.name} ${kindText(field.kind, versionId)}`)
          .join(" ")}`,
    ),
  ];
  return parts.length === 0 ? kind.kind : `${kind.kind}(${parts.join(", ")})`;
}
