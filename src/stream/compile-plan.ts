/**
 * What generated code can do with a description, found out before any is generated. What it cannot do is left to the
 * reference interpreter, for the whole section:
 *
 * - on load: `equal` of composite values, checks of fields with descriptions inside and of objects inside others, sets
 *   and map keys that are not simply equal when their bytes are;
 * - on both: `ref` in subsections, or in deprecated fields.
 */

import {
  type Description,
  type FieldModel,
  isDeprecated,
  isInVersion,
  type Kind,
  nestedFields,
  nestedKinds,
  reachable,
  someKind,
} from "../description/index.ts";
import { entryHeaderSize } from "./format.ts";
import { isTypedName, typedArrays } from "./typed.ts";

export type VersionOf = (description: Description) => number;

/** Every description whose entries can stand inside the data of one; itself only if it is nested in itself. */
export function nestedDescriptions(root: Description): ReadonlySet<Description> {
  const direct = new Set<Description>();
  for (const field of root.fields) addOf(field.kind, direct);
  return reachable(direct);
}

function addOf(kind: Kind, found: Set<Description>): void {
  if (kind.kind === "struct" || kind.kind === "ref") found.add(kind.of());
  for (const nested of nestedKinds(kind)) addOf(nested, found);
  for (const fields of nestedFields(kind)) for (const field of fields) addOf(field.kind, found);
}

/** Fields that are in the stream of a version. */
export function presentFields(fields: readonly FieldModel[], versionId: number): FieldModel[] {
  return fields.filter((field) => isInVersion(field, versionId));
}

/** Whether code can be generated that saves the fields of a description. */
export function canSave(root: Description): boolean {
  return isRefFree(root, nestedDescriptions(root));
}

/** Whether code can be generated that validates and loads the fields of a description. */
export function canLoad(root: Description): boolean {
  const nested = nestedDescriptions(root);
  if (!isRefFree(root, nested)) return false;
  // Those that were found are bits of an int32.
  if ([...nested].some(({ subsections }) => subsections.length > 30)) return false;
  if ([...nested].some(({ checks }) => checks.length > 0)) return false;
  return [root, ...nested].every(({ fields }) => fields.every(canLoadField));
}

function canLoadField(field: FieldModel): boolean {
  if (field.checks.length > 0 && isComposite(field.kind) && !isData(field.kind)) return false;
  return canLoadKind(field.kind);
}

function canLoadKind(kind: Kind): boolean {
  if (kind.kind === "equal" && !isPlain(kind.element)) return false;
  if (kind.kind === "set" && distinctness(kind.element) === "unknown") return false;
  if (kind.kind === "map" && distinctness(kind.key) === "unknown") return false;
  const grouped = kind.kind === "map" ? kind.value : "element" in kind ? kind.element : undefined;
  if (isGroup(kind) && typeof grouped === "object" && grouped.kind === "struct") {
    if (grouped.of().subsections.some(({ subsections }) => subsections.length > 0)) return false;
  }
  return (
    nestedKinds(kind).every(canLoadKind) && nestedFields(kind).every((fields) => fields.every(canLoadField))
  );
}

/** Whether a value as it is in the stream is the value that objects have. */
function isPlain(kind: Kind): boolean {
  if (kind.kind === "folio" || kind.kind === "custom" || kind.kind === "struct" || kind.kind === "ref")
    return false;
  return nestedKinds(kind).length === 0 && nestedFields(kind).length === 0;
}

function isGroup({ kind }: Kind): boolean {
  return kind === "list" || kind === "set" || kind === "map";
}

/** Whether a value can be made for a check before anything else is: no hooks, no identity, nothing of the program's. */
function isData(kind: Kind): boolean {
  const isOther = (inner: Kind) => /^(struct|ref|equal|custom|folio)$/.test(inner.kind);
  return !someKind(kind, isOther) && nestedFieldsDeep(kind).every(({ load }) => load === undefined);
}

/** Not read as the value itself, so that a check needs an object made for it. */
function isComposite({ kind }: Kind): boolean {
  return /^(array|pointer|pointerArray|struct|record|list|set|map|oneOf|ref|optional|equal)$/.test(kind);
}

/** References are numbered within a section, so a subsection that has them belongs to the reference. */
function isRefFree(root: Description, nested: ReadonlySet<Description>): boolean {
  const all = [root, ...nested];
  if (!all.some(({ fields }) => fields.some(hasRef))) return true;
  const isInSubsection = all.some(({ subsections }) =>
    subsections.some((subsection) => reachesRef(subsection)),
  );
  const isInDeprecated = all.some(({ fields }) => fields.some((field) => isDeprecatedRef(field)));
  return !isInSubsection && !isInDeprecated;
}

function reachesRef(subsection: Description): boolean {
  return [...reachable([subsection])].some(({ fields }) => fields.some(hasRef));
}

export function hasRef(field: FieldModel): boolean {
  return someKind(field.kind, ({ kind }) => kind === "ref");
}

function isDeprecatedRef(field: FieldModel): boolean {
  if (isDeprecated(field) && reachesRefKind(field.kind)) return true;
  return nestedFieldsDeep(field.kind).some(isDeprecatedRef);
}

function reachesRefKind(kind: Kind): boolean {
  return someKind(
    kind,
    (inner) => inner.kind === "ref" || (inner.kind === "struct" && reachesRef(inner.of())),
  );
}

function nestedFieldsDeep(kind: Kind): FieldModel[] {
  return [...nestedFields(kind).flat(), ...nestedKinds(kind).flatMap(nestedFieldsDeep)];
}

/**
 * How to see that elements of a set or keys of a map are there once: by their bytes, by their values, not at all
 * because each is an object of its own, or not by generated code.
 */
export function distinctness(kind: Kind): "bytes" | "values" | "always" | "unknown" {
  switch (kind.kind) {
    case "f32":
    case "f64":
      return "values";
    case "json":
    case "custom":
    case "ref":
    case "equal":
      return "unknown";
    case "optional":
      return distinctness(kind.element) === "bytes" ? "bytes" : "unknown";
    case "bool":
    case "char":
    case "string":
    case "enumeration":
    case "deadline":
    case "address":
    case "u64.safe":
    case "i64.safe":
      return "bytes";
    default:
      return isTypedName(kind.kind) ? "bytes" : "always";
  }
}

/** How many bytes a value takes in these versions, if that is always the same. */
export function fixedSize(
  kind: Kind,
  versionId: number,
  versionOf: VersionOf,
  inside: readonly Description[] = [],
): number | undefined {
  switch (kind.kind) {
    case "bool":
      return 1;
    case "enumeration":
      return 2;
    case "u64.safe":
    case "i64.safe":
    case "address":
    case "folio":
    case "date":
    case "deadline":
      return 8;
    case "char":
    case "bytes":
    case "unused":
      return kind.size;
    case "bitmap":
      return Math.ceil(kind.count / 8);
    case "array":
      return times(fixedSize(kind.element, versionId, versionOf, inside), kind.count);
    case "pointerArray":
      return typeof kind.count === "number"
        ? times(fixedSize(kind.element, versionId, versionOf, inside), kind.count)
        : undefined;
    case "pointer":
    case "equal":
      return fixedSize(kind.element, versionId, versionOf, inside);
    case "record":
      return fieldsSize(kind.fields, versionId, versionOf, inside);
    case "struct":
      return structSize(kind.of(), versionOf, inside);
    default:
      return isTypedName(kind.kind) ? typedArrays[kind.kind].BYTES_PER_ELEMENT : undefined;
  }
}

/** The size of all fields of a version, if that is always the same. */
export function fieldsSize(
  fields: readonly FieldModel[],
  versionId: number,
  versionOf: VersionOf,
  inside: readonly Description[] = [],
): number | undefined {
  let size = 0;
  for (const field of presentFields(fields, versionId)) {
    const own = field.conditions.length > 0 ? undefined : fixedSize(field.kind, versionId, versionOf, inside);
    if (own === undefined) return undefined;
    size += own;
  }
  return size;
}

function structSize(
  description: Description,
  versionOf: VersionOf,
  inside: readonly Description[],
): number | undefined {
  if (description.subsections.length > 0 || inside.includes(description)) return undefined;
  const size = fieldsSize(description.fields, versionOf(description), versionOf, [...inside, description]);
  return size === undefined ? undefined : entryHeaderSize + size;
}

/** Large arrays are better written by a loop that is sure of its room, but room is asked for in one piece. */
function times(size: number | undefined, count: number): number | undefined {
  const all = size === undefined ? undefined : size * count;
  return all !== undefined && all <= 0x100000 ? all : undefined;
}
