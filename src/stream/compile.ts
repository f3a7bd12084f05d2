/**
 * Generated code for descriptions, made once for each combination of versions, and only when it is worth it: a
 * description whose objects may be many at the first use, any other when some kilobytes went through it.
 *
 * Generated code either does all of an entry's data or throws before anything counts; then the reference interpreter
 * does it, or makes the error.
 */

import { type Description, type Kind, nestedFields, nestedKinds } from "../description/index.ts";
import type { ByteWriter } from "./byte-writer.ts";
import type { CodecChoice } from "./codec-choice.ts";
import { loadUnit } from "./compile-load.ts";
import { canLoad, canSave, hasRef, nestedDescriptions, type VersionOf } from "./compile-plan.ts";
import { saveUnit } from "./compile-save.ts";
import type { Unit } from "./compile-text.ts";
import { unitOf } from "./compiled-code.ts";
import type { FillContext } from "./decoded.ts";
import type { Distinct } from "./distinct.ts";

/** Writes the fields of an object. Throws whatever if it cannot. */
export type SaveRun = (
  writer: ByteWriter,
  state: object,
  sectionType: number,
  depth: number,
  custom: (kind: Kind, value: unknown) => void,
) => void;

export interface LoadRun {
  /** Throws `OtherVersion` if a nested version is another, and whatever else if it cannot. */
  check(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    sectionType: number,
    depth: number,
    meet: (description: Description, versionId: number) => void,
    distinct: Distinct,
    readCustom: ReadCustom,
  ): Customs | undefined;
  fill(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    object: object,
    isNew: boolean,
    applier: FillContext,
    customs: Customs | undefined,
  ): void;
}

/** Reads or passes over a custom field between two places. */
export type ReadCustom = (kind: Kind, start: number, end: number, isSkipped: boolean) => CustomValue;

export interface CustomValue {
  readonly value: unknown;
  readonly end: number;
}

/** Values of custom fields by their places. */
export type Customs = ReadonlyMap<number, CustomValue>;

/** What is known about a description. */
interface Units {
  readonly nested: readonly Description[];
  readonly mayBeLarge: boolean;
  /** Their numbers belong to the section, so in a subsection they belong to the reference. */
  readonly hasRefs: boolean;
  readonly canSave: boolean;
  readonly canLoad: boolean;
  readonly saves: Map<string, SaveRun | undefined>;
  readonly loads: Map<string, LoadRun | undefined>;
  bytes: number;
}

const known = new WeakMap<Description, Units>();
/** From so many bytes on the time to generate code comes back at once. */
const worthwhile = 4096;

/** Generated code that saves these versions; undefined if there is none. */
export function compiledSave(
  description: Description,
  versionOf: VersionOf,
  choice: CodecChoice,
  isSubsection: boolean,
): SaveRun | undefined {
  if (choice === "reference") return undefined;
  const units = unitsOf(description);
  if (!units.canSave || (isSubsection && units.hasRefs)) return undefined;
  const isWorthIt = choice === "compiled" || units.mayBeLarge || units.bytes >= worthwhile;
  return found(units.saves, description, units, versionOf, isWorthIt, () => {
    const { text, constants } = saveUnit(description, versionOf);
    return unitOf(text)?.(constants) as SaveRun | undefined;
  });
}

/** Generated code that loads these versions; undefined if there is none. */
export function compiledLoad(
  description: Description,
  versionOf: VersionOf,
  choice: CodecChoice,
  isSubsection: boolean,
): LoadRun | undefined {
  if (choice === "reference") return undefined;
  const units = unitsOf(description);
  if (!units.canLoad || (isSubsection && units.hasRefs)) return undefined;
  const isWorthIt = choice === "compiled" || units.bytes >= worthwhile;
  return found(units.loads, description, units, versionOf, isWorthIt, () => {
    const { text, constants } = loadUnit(description, versionOf);
    return unitOf(text)?.(constants) as LoadRun | undefined;
  });
}

/** Generates now what a save or a load of these versions may ask for, where objects may be many. */
export function generateCode(use: "save" | "load", description: Description, versionOf: VersionOf): void {
  for (const part of [description, ...description.subsections]) {
    if (!unitsOf(part).mayBeLarge) continue;
    const generate = use === "save" ? compiledSave : compiledLoad;
    generate(part, versionOf, "compiled", part !== description);
  }
}

/** What saves and what loads a description; undefined where only the reference can. */
export function compilableUses(
  description: Description,
  versionOf: VersionOf,
  isSubsection: boolean,
): readonly { readonly use: "save" | "load"; readonly unit: Unit | undefined }[] {
  const units = unitsOf(description);
  const isLeft = isSubsection && units.hasRefs;
  return [
    { use: "save", unit: !isLeft && units.canSave ? saveUnit(description, versionOf) : undefined },
    { use: "load", unit: !isLeft && units.canLoad ? loadUnit(description, versionOf) : undefined },
  ];
}

/** Counts what went through a description. */
export function noteBytes(description: Description, size: number): void {
  unitsOf(description).bytes += size;
}

function found<Run>(
  runs: Map<string, Run | undefined>,
  description: Description,
  { nested }: Units,
  versionOf: VersionOf,
  isWorthIt: boolean,
  make: () => Run | undefined,
): Run | undefined {
  let key = String(versionOf(description));
  for (const inner of nested) key += `,${versionOf(inner)}`;
  if (isWorthIt && runs.size < mostVersions && !runs.has(key)) runs.set(key, make());
  return runs.get(key);
}

/** A stream must not make us generate code without end. */
const mostVersions = 32;

function unitsOf(description: Description): Units {
  let units = known.get(description);
  if (units === undefined) {
    const nested = [...nestedDescriptions(description)];
    const all = [description, ...nested];
    units = {
      nested,
      mayBeLarge: all.some(({ fields }) => fields.some(({ kind }) => isMany(kind))),
      hasRefs: all.some(({ fields }) => fields.some(hasRef)),
      canSave: canSave(description),
      canLoad: canLoad(description),
      saves: new Map(),
      loads: new Map(),
      bytes: 0,
    };
    known.set(description, units);
  }
  return units;
}

function isMany(kind: Kind): boolean {
  if (kind.kind === "ref") return true;
  if ((kind.kind === "list" || kind.kind === "set" || kind.kind === "map") && kind.max > few) return true;
  return (
    nestedKinds(kind).some(isMany) ||
    nestedFields(kind)
      .flat()
      .some((field) => isMany(field.kind))
  );
}

/** So many elements are not worth generating code for, until they were seen often. */
const few = 64;
