/**
 * Why two sides disagree about the bytes of a version: what happened to which field. Only asked when `isSameLayout` says
 * that they disagree.
 */

import {
  type FieldRecord,
  fieldsIn,
  isSameLayout,
  type KindRecord,
  kindText,
  sameConditions,
  sameCount,
  sameName,
  wire,
} from "../description/index.ts";
import { exchangedVersions } from "./comparison.ts";
import type { Direction, Pair } from "./finding.ts";

export type FieldChangeType =
  | "removed"
  | "inserted"
  | "moved"
  | "renamed"
  | "versions"
  | "condition"
  | "kind"
  | "width"
  | "format"
  | "names"
  | "variants";

export interface FieldChange {
  readonly type: FieldChangeType;
  readonly path: string;
  readonly before: FieldRecord | undefined;
  readonly after: FieldRecord | undefined;
  readonly beforeText: string | null;
  readonly afterText: string | null;
  readonly versionId: number;
  readonly directions: readonly Direction[];
}

type Found = Omit<FieldChange, "versionId" | "directions">;

/** The changes in the versions that are exchanged. Not empty where a layout differs. */
export function fieldChanges(pair: Pair): readonly FieldChange[] {
  return exchangedVersions(pair).flatMap(([versionId, directions]) =>
    changesIn(pair, versionId).map((found) => ({ ...found, versionId, directions })),
  );
}

function changesIn({ old, new: next }: Pair, versionId: number): readonly Found[] {
  if (isSameLayout(old, next, versionId)) return [];
  return [...listChanges(old.fields, next.fields, versionId, "")];
}

function* listChanges(
  old: readonly FieldRecord[],
  next: readonly FieldRecord[],
  versionId: number,
  prefix: string,
): Generator<Found> {
  const before = fieldsIn(old, versionId);
  const after = fieldsIn(next, versionId);
  const matches = matched(before, after);
  yield* unmatched(before, after, matches, { old, next, versionId, prefix });
  const kept = inOrder(before.map((field) => matches.get(field)).filter((index) => index !== undefined));
  for (const field of before) {
    const index = matches.get(field);
    if (index === undefined) continue;
    const other = after[index]!;
    const path = `${prefix}${other.name}`;
    if (!kept.has(index)) {
      const texts = [`${before.indexOf(field) + 1}.`, `${index + 1}.`] as const;
      yield { type: "moved", path, before: field, after: other, beforeText: texts[0], afterText: texts[1] };
    }
    const found = { path, before: field, after: other };
    if (!sameConditions(field, before, other, after))
      yield { type: "condition", ...found, beforeText: whenText(field), afterText: whenText(other) };
    yield* kindChanges(field.kind, other.kind, versionId, found);
    if (!sameCount(field.kind.count, before, other.kind.count, after))
      yield { type: "width", ...found, ...texts(field.kind, other.kind, versionId) };
  }
}

/** Which field of the other side each field is, by name. Unused bytes have no name and follow their order. */
function matched(before: readonly FieldRecord[], after: readonly FieldRecord[]): Map<FieldRecord, number> {
  const matches = new Map<FieldRecord, number>();
  const taken = new Set<number>();
  for (const field of before) {
    const isUnused = field.kind.kind === "unused";
    const index = after.findIndex((other, at) => {
      if (taken.has(at) || (other.kind.kind === "unused") !== isUnused) return false;
      return sameName(field, other);
    });
    if (index < 0) continue;
    taken.add(index);
    matches.set(field, index);
  }
  return matches;
}

interface Lists {
  readonly old: readonly FieldRecord[];
  readonly next: readonly FieldRecord[];
  readonly versionId: number;
  readonly prefix: string;
}

/** One that went and one of the same kind that came in its place are one that was renamed. */
function* unmatched(
  before: readonly FieldRecord[],
  after: readonly FieldRecord[],
  matches: ReadonlyMap<FieldRecord, number>,
  { old, next, versionId, prefix }: Lists,
): Generator<Found> {
  const taken = new Set(matches.values());
  const came = new Set(after.filter((_, index) => !taken.has(index)));
  const text = (field: FieldRecord) => kindText(field.kind, versionId);
  for (const [index, field] of before.entries()) {
    if (matches.has(field)) continue;
    const path = `${prefix}${field.name}`;
    const other = next.find((candidate) => sameName(field, candidate));
    const successor = after[index];
    if (other !== undefined && field.kind.kind !== "unused") {
      yield versionsChanged(path, field, other);
    } else if (successor !== undefined && came.has(successor) && text(successor) === text(field)) {
      came.delete(successor);
      const names = { beforeText: field.name, afterText: successor.name };
      yield {
        type: "renamed",
        path: `${prefix}${successor.name}`,
        before: field,
        after: successor,
        ...names,
      };
    } else {
      yield {
        type: "removed",
        path,
        before: field,
        after: undefined,
        beforeText: text(field),
        afterText: null,
      };
    }
  }
  for (const field of came) {
    const path = `${prefix}${field.name}`;
    const other = old.find((candidate) => sameName(candidate, field));
    if (other !== undefined && field.kind.kind !== "unused") yield versionsChanged(path, other, field);
    else
      yield {
        type: "inserted",
        path,
        before: undefined,
        after: field,
        beforeText: null,
        afterText: text(field),
      };
  }
}

function versionsChanged(path: string, before: FieldRecord, after: FieldRecord): Found {
  return {
    type: "versions",
    path,
    before,
    after,
    beforeText: versionsText(before),
    afterText: versionsText(after),
  };
}

/** The positions that stand in ascending order, as many as possible: the others have moved. */
function inOrder(positions: readonly number[]): Set<number> {
  const best: number[][] = [];
  for (const [index, position] of positions.entries()) {
    let longest: readonly number[] = [];
    for (let i = 0; i < index; i++) {
      if (positions[i]! < position && best[i]!.length > longest.length) longest = best[i]!;
    }
    best.push([...longest, position]);
  }
  return new Set(best.reduce((a, b) => (b.length > a.length ? b : a), []));
}

function* kindChanges(
  before: KindRecord,
  after: KindRecord,
  versionId: number,
  place: Pick<Found, "path" | "before" | "after">,
): Generator<Found> {
  const found = { ...place, ...texts(before, after, versionId) };
  if (wire(before.kind) !== wire(after.kind)) {
    yield { type: isWider(before.kind, after.kind) ? "width" : "kind", ...found };
    return;
  }
  if (before.of !== after.of || before.base !== after.base) yield { type: "kind", ...found };
  if (before.format !== after.format) yield { type: "format", ...found };
  if (before.size !== after.size) yield { type: "width", ...found };
  for (const inner of ["element", "key", "value"] as const) {
    if (before[inner] !== undefined && after[inner] !== undefined)
      yield* kindChanges(before[inner], after[inner], versionId, place);
  }
  if (!startAlike(before.names ?? [], after.names ?? [])) yield { type: "names", ...found };
  yield* listChanges(before.fields ?? [], after.fields ?? [], versionId, `${place.path}.`);
  const [variants, others] = [before.variants ?? [], after.variants ?? []];
  if (!startAlike(variants.map(nameOf), others.map(nameOf))) {
    yield { type: "variants", ...found, beforeText: namesText(variants), afterText: namesText(others) };
    return;
  }
  for (const [index, { name, fields }] of variants.entries()) {
    const other = others[index];
    if (other !== undefined) yield* listChanges(fields, other.fields, versionId, `${place.path}.${name}.`);
  }
}

function texts(before: KindRecord, after: KindRecord, versionId: number) {
  return { beforeText: kindText(before, versionId), afterText: kindText(after, versionId) };
}

/** Numbers that differ in their width alone. */
function isWider(before: string, after: string): boolean {
  const [a, b] = [before, after].map((kind) => /^([uif])(8|16|32|64)(\.safe)?$/.exec(kind)?.[1]);
  return a !== undefined && a === b;
}

function startAlike(a: readonly string[], b: readonly string[]): boolean {
  return a.slice(0, b.length).every((name, index) => name === b[index]);
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}

function namesText(variants: readonly { readonly name: string }[]): string {
  return variants.map(nameOf).join(", ");
}

/** `when mode == 2`, or nothing. */
export function whenText({ when = [] }: FieldRecord): string {
  return (
    when.map(({ field, operator, value }) => `when ${field} ${operator} ${value}`).join(" and ") || "always"
  );
}

/** `versions 2 to 4`. */
export function versionsText({ since = 0, until }: FieldRecord): string {
  return until === undefined ? `since version ${since}` : `versions ${since} to ${until}`;
}
