import { carriedRecords, type DescriptionRecord } from "../description/index.ts";
import { bothDirections } from "./comparison.ts";
import type { Comparison, Direction } from "./finding.ts";

export interface SameId {
  readonly old: DescriptionRecord;
  readonly next: DescriptionRecord;
  /** Directions in which a stream can have the one where its reader has the other, or carries it beside the other. */
  readonly meetIn: readonly Direction[];
  /** The old name is gone, the new one is new, and the fields are called the same. */
  readonly isRename: boolean;
}

/** Descriptions of one id and different names. */
export function* sameIds(comparison: Comparison): Generator<SameId> {
  const sent: Record<Direction, ReadonlySet<DescriptionRecord>> = {
    update: new Set(carriedRecords(comparison.old, comparison.new)),
    rollback: new Set(carriedRecords(comparison.new, comparison.old)),
  };
  const byId = new Map(Array.from(comparison.old.values(), (record) => [record.id, record]));
  for (const next of comparison.new.values()) {
    const old = byId.get(next.id);
    if (old === undefined || old.name === next.name) continue;
    const isReplaced = !comparison.new.has(old.name) && !comparison.old.has(next.name);
    const isRename = isReplaced && namesOf(old) === namesOf(next);
    const meetIn = bothDirections.filter((direction) =>
      sent[direction].has(direction === "update" ? old : next),
    );
    yield { old, next, meetIn, isRename };
  }
}

function namesOf({ fields }: DescriptionRecord): string {
  return fields.map(({ name }) => name).join("\n");
}
