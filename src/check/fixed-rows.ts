import { type DescriptionRecord, fieldsIn, type KindRecord } from "../description/index.ts";

/** Whether objects of the description could be kept in place: its newest version has fields of fixed sizes only. */
export function isFixed(record: DescriptionRecord): boolean {
  const { fields, subsections, needed, versionId } = record;
  const newest = fieldsIn(fields, versionId);
  if (newest.length === 0 || subsections.length > 0 || needed === true) return false;
  return newest.every(({ kind, when }) => when === undefined && isFixedKind(kind));
}

function isFixedKind(kind: KindRecord): boolean {
  if (/^([ui](8|16|32|64)(\.safe)?|f32|f64|bool|char|bytes)$/.test(kind.kind)) return true;
  if (kind.kind === "array") return kind.element !== undefined && isFixedKind(kind.element);
  const inner = kind.kind === "record" ? kind.fields : undefined;
  return inner?.every(({ kind: nested, when }) => when === undefined && isFixedKind(nested)) ?? false;
}
