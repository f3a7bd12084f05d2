import { commonVersion, type DescriptionRecord, type LockRecord } from "../description/index.ts";
import type { Comparison, Direction, Pair } from "./finding.ts";

/** Puts two lock records side by side, and what their functions are where that is known. */
export function compareRecords(old: LockRecord, next: LockRecord, code: Comparison["code"] = {}): Comparison {
  const sides = { old: byName(old), new: byName(next) };
  const pairs: Pair[] = [];
  for (const record of next.descriptions) {
    const before = sides.old.get(record.name);
    if (before === undefined) continue;
    const versionIds = { update: commonVersion(before, record), rollback: commonVersion(record, before) };
    pairs.push({ name: record.name, old: before, new: record, versionIds });
  }
  return { ...sides, pairs, code };
}

function byName({ descriptions }: LockRecord): ReadonlyMap<string, DescriptionRecord> {
  return new Map(descriptions.map((record) => [record.name, record]));
}

/** Who writes and who reads in a direction. */
export function ends(
  pair: Pair,
  direction: Direction,
): { readonly writer: DescriptionRecord; readonly reader: DescriptionRecord } {
  return direction === "update"
    ? { writer: pair.old, reader: pair.new }
    : { writer: pair.new, reader: pair.old };
}

export const bothDirections: readonly Direction[] = ["update", "rollback"];

/** The versions that are exchanged, each with the directions that use it. */
export function exchangedVersions({
  versionIds,
}: Pair): readonly (readonly [number, readonly Direction[]])[] {
  const { update, rollback } = versionIds;
  if (update !== undefined && update === rollback) return [[update, bothDirections]];
  return bothDirections.flatMap((direction) => {
    const versionId = versionIds[direction];
    return versionId === undefined ? [] : [[versionId, [direction]] as const];
  });
}
