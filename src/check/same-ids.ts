import type { DescriptionRecord } from "../description/index.ts";
import type { Comparison } from "./finding.ts";

export interface SameId {
  readonly old: DescriptionRecord;
  readonly next: DescriptionRecord;
  /** Whether a stream of the one can have it where the other is expected. */
  readonly meet: boolean;
  /** The old name is gone, the new one is new, and the fields are called the same. */
  readonly isRename: boolean;
}

/** Descriptions of one id and different names. */
export function* sameIds(comparison: Comparison): Generator<SameId> {
  const byId = new Map(Array.from(comparison.old.values(), (record) => [record.id, record]));
  for (const next of comparison.new.values()) {
    const old = byId.get(next.id);
    if (old === undefined || old.name === next.name) continue;
    const isReplaced = !comparison.new.has(old.name) && !comparison.old.has(next.name);
    const isRename = isReplaced && namesOf(old) === namesOf(next);
    yield { old, next, meet: meet(comparison, old, next), isRename };
  }
}

/** Sections are found by their id, and so are the subsections of one parent. Others have their parent's layout around them. */
function meet(comparison: Comparison, old: DescriptionRecord, next: DescriptionRecord): boolean {
  if (old.section === true && next.section === true) return true;
  for (const parent of comparison.new.values()) {
    const before = comparison.old.get(parent.name);
    if (before?.subsections.includes(old.name) === true && parent.subsections.includes(next.name))
      return true;
  }
  return false;
}

function namesOf({ fields }: DescriptionRecord): string {
  return fields.map(({ name }) => name).join("\n");
}
