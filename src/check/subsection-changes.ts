import {
  type DescriptionRecord,
  hasReferences,
  type KindRecord,
  recordClosure,
} from "../description/index.ts";
import type { Comparison } from "./finding.ts";

export interface SubsectionChange {
  readonly parent: DescriptionRecord;
  readonly subsection: DescriptionRecord;
  /** Whether the side that does not know it carries it: never inside nested structs, nor with references. */
  readonly isCarried: boolean;
}

/** Subsections that only one side's description has. */
export function* subsectionChanges(
  comparison: Comparison,
  change: "removed" | "added",
): Generator<SubsectionChange> {
  const [having, other] = change === "removed" ? (["old", "new"] as const) : (["new", "old"] as const);
  const nested = nestedNames(comparison[having]);
  const alsoNested = nestedNames(comparison[other]);
  for (const pair of comparison.pairs) {
    for (const name of pair[having].subsections) {
      if (pair[other].subsections.includes(name)) continue;
      const subsection = comparison[having].get(name);
      if (subsection === undefined || isTaken(comparison, pair[other], subsection, other)) continue;
      const isInside = nested.has(pair.name) && alsoNested.has(pair.name);
      const isCarried = !isInside && !hasReferences(recordClosure(name, comparison[having]));
      yield { parent: pair[other], subsection, isCarried };
    }
  }
}

/** Whether the other side has another subsection under the same id, which is found out as a reused one. */
function isTaken(
  comparison: Comparison,
  parent: DescriptionRecord,
  { id }: DescriptionRecord,
  side: "old" | "new",
): boolean {
  return parent.subsections.some((name) => comparison[side].get(name)?.id === id);
}

/** Names of the descriptions that are part of others by struct or ref. */
function nestedNames(records: ReadonlyMap<string, DescriptionRecord>): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (kind: KindRecord): void => {
    if (kind.of !== undefined) names.add(kind.of);
    for (const inner of [kind.element, kind.key, kind.value]) if (inner !== undefined) visit(inner);
    for (const field of kind.fields ?? []) visit(field.kind);
    for (const { fields } of kind.variants ?? []) for (const field of fields) visit(field.kind);
  };
  for (const { fields } of records.values()) for (const { kind } of fields) visit(kind);
  return names;
}
