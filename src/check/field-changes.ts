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
  wire,
} from "../description/index.ts";
import { exchangedVersions } from "./comparison.ts";
import type { Direction, Pair } from "./finding.ts";
import { SameFields } from "./same-fields.ts";

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
  for (const [place, field] of before.entries()) {
    const index = matches.get(field);
    if (index === undefined) continue;
    const other = after[index]!;
    const path = `${prefix}${other.name}`;
    if (!kept.has(index)) {
      const texts = [`${place + 1}.`, `${index + 1}.`] as const;
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
  const others = new SameFields(after);
  const matches = new Map<FieldRecord, number>();
  for (const field of before) {
    const index = others.take(field);
    if (index !== undefined) matches.set(field, index);
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
  const [olds, nexts] = [new SameFields(old), new SameFields(next)];
  const text = (field: FieldRecord) => kindText(field.kind, versionId);
  for (const [index, field] of before.entries()) {
    if (matches.has(field)) continue;
    const path = `${prefix}${field.name}`;
    const other = field.kind.kind === "unused" ? undefined : nexts.find(field);
    const successor = after[index];
    if (other !== undefined) {
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
    const other = field.kind.kind === "unused" ? undefined : olds.find(field);
    if (other !== undefined) yield versionsChanged(path, other, field);
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

/** The positions that stand in ascending order, as many as possible, the first ones if in doubt: the others have moved. */
function inOrder(positions: readonly number[]): Set<number> {
  const lengths = lengthsFrom(positions);
  let wanted = lengths.reduce((a, b) => Math.max(a, b), 0);
  let last = -1;
  const kept = new Set<number>();
  for (const [index, position] of positions.entries()) {
    if (lengths[index] !== wanted || position < last) continue;
    kept.add(position);
    last = position;
    wanted -= 1;
  }
  return kept;
}

/** How many positions, at most, stand in ascending order from each on. */
function lengthsFrom(positions: readonly number[]): readonly number[] {
  /** The greatest first position of an ascending row of each length. */
  const firsts: number[] = [];
  const lengths: number[] = [];
  for (let index = positions.length - 1; index >= 0; index--) {
    let [shorter, above] = [0, firsts.length];
    while (shorter < above) {
      const middle = (shorter + above) >> 1;
      if (firsts[middle]! > positions[index]!) shorter = middle + 1;
      else above = middle;
    }
    firsts[shorter] = positions[index]!;
    lengths[index] = shorter + 1;
  }
  return lengths;
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
