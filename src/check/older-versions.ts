import type { FieldRecord, KindRecord } from "../description/index.ts";
import { exchangedVersions } from "./comparison.ts";
import type { Pair } from "./finding.ts";

/** Versions that both sides load and that are not exchanged: one for each run of versions with the same fields. */
export function olderVersions(pair: Pair): readonly number[] {
  const { old, new: next } = pair;
  const lowest = Math.max(old.minVersionId, next.minVersionId);
  const highest = Math.min(old.versionId, next.versionId);
  const begins = new Set([lowest]);
  for (const { fields } of [old, next]) addBegins(fields, begins);
  const exchanged = new Set(exchangedVersions(pair).map(([versionId]) => versionId));
  return [...begins]
    .filter((versionId) => lowest <= versionId && versionId <= highest && !exchanged.has(versionId))
    .sort((a, b) => b - a);
}

/** Where the fields that a version has change. */
function addBegins(fields: readonly FieldRecord[], begins: Set<number>): void {
  for (const { since, until, kind } of fields) {
    if (since !== undefined) begins.add(since);
    if (until !== undefined) begins.add(until + 1);
    addInside(kind, begins);
  }
}

function addInside(kind: KindRecord, begins: Set<number>): void {
  for (const inner of [kind.element, kind.key, kind.value]) if (inner !== undefined) addInside(inner, begins);
  addBegins(kind.fields ?? [], begins);
  for (const { fields } of kind.variants ?? []) addBegins(fields, begins);
}
