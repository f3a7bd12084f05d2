import type { DescriptionRecord, FieldRecord, KindRecord, LockRecord } from "../description/index.ts";

/** The JSON pointer of a part of a lock record, found by identity; of the whole if it is no part of it. */
export function pointerOf(record: LockRecord, part: DescriptionRecord | FieldRecord): string {
  for (const [index, description] of record.descriptions.entries()) {
    const pointer = `/descriptions/${index}`;
    if (description === part) return pointer;
    const inside = inFields(description.fields, part, pointer);
    if (inside !== undefined) return inside;
  }
  return "";
}

function inFields(fields: readonly FieldRecord[], part: object, pointer: string): string | undefined {
  for (const [index, field] of fields.entries()) {
    const own = `${pointer}/fields/${index}`;
    const found = field === part ? own : inKind(field.kind, part, `${own}/kind`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function inKind(kind: KindRecord, part: object, pointer: string): string | undefined {
  for (const inner of ["element", "key", "value"] as const) {
    const nested = kind[inner];
    const found = nested === undefined ? undefined : inKind(nested, part, `${pointer}/${inner}`);
    if (found !== undefined) return found;
  }
  for (const [index, { fields }] of (kind.variants ?? []).entries()) {
    const found = inFields(fields, part, `${pointer}/variants/${index}`);
    if (found !== undefined) return found;
  }
  return inFields(kind.fields ?? [], part, pointer);
}
