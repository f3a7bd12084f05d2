/** What can be known to be wrong with a description when it is defined. Every problem names its field and fix. */

import { KstateError } from "../error/index.ts";
import { expectation, fits, picture } from "./fit.ts";
import { engineLimits } from "./limits.ts";
import type { Condition, Description, FieldModel, Kind, Waiver } from "./model.ts";
import { isDeprecated, isInVersion } from "./versions.ts";
import { nestedKinds } from "./walk.ts";

const highest = 0x7fffffff;
const namePattern = /^[A-Za-z_][A-Za-z0-9_./-]*$/;

/** Throws `DESCRIPTION_INVALID` if the description can never work. */
export function validateDescription(description: Description): void {
  const fail = failing(description);
  checkHead(description, fail);
  checkFields(description.fields, description.versionId, "", fail);
  checkSubsections(description, fail);
  for (const waiver of description.waivers) checkWaiver(waiver, fail);
}

type Fail = (field: string | null, problem: string) => never;

function failing(description: Description): Fail {
  return (field, problem) => {
    const where = field === null ? "" : ` field ${field}:`;
    throw new KstateError(
      "DESCRIPTION_INVALID",
      `description ${String(description.name)}:${where} ${problem}`,
      {
        description: String(description.name),
        field,
        problem,
      },
    );
  };
}

function checkHead({ name, id, versionId, minVersionId }: Description, fail: Fail): void {
  if (typeof name !== "string" || !namePattern.test(name) || name.length > 255) {
    fail(null, "name must be 1 to 255 letters, digits and _ . / - and must not begin with a digit");
  }
  checkNumber(id, "id", fail);
  checkNumber(versionId, "versionId", fail);
  checkNumber(minVersionId, "minVersionId", fail);
  if (minVersionId > versionId) {
    fail(
      null,
      `minVersionId ${minVersionId} is above versionId ${versionId}; raise versionId or lower minVersionId`,
    );
  }
}

function checkNumber(value: number, what: string, fail: Fail): void {
  if (!Number.isInteger(value) || value < 0 || value > highest) {
    fail(null, `${what} must be an integer from 0 to ${highest}, is ${picture(value)}`);
  }
}

function checkWaiver({ rule, owner, expires, why }: Waiver, fail: Fail): void {
  for (const [what, text] of Object.entries({ rule, owner, why })) {
    if (typeof text !== "string" || text === "") fail(null, `a waiver needs ${what}, a text`);
  }
  const isDate = typeof expires === "string" && /^\d{4}-\d{2}-\d{2}$/.test(expires);
  if (!isDate || new Date(expires).toJSON()?.slice(0, 10) !== expires) {
    fail(null, `the waiver of ${rule} must say until when: expires: "2027-01-31", is ${picture(expires)}`);
  }
}

/** Also for the fields of records and variants, whose versions are those of the description around them. */
function checkFields(fields: readonly FieldModel[], versionId: number, prefix: string, fail: Fail): void {
  const byName = new Map<string, FieldModel[]>();
  fields.forEach((field, index) => {
    const path = `${prefix}${field.name}`;
    if (
      typeof field.name !== "string" ||
      field.name === "" ||
      field.name === "__proto__" ||
      field.name.length > 255
    ) {
      fail(path, "a field's name must be a string of 1 to 255 characters other than __proto__");
    }
    checkVersions(field, versionId, path, fail);
    for (const name of [field.name, ...field.was])
      for (const other of byName.get(name) ?? []) checkNames(field, other, path, fail);
    const same = byName.get(field.name);
    if (same === undefined) byName.set(field.name, [field]);
    else same.push(field);
    checkFallback(field, path, fail);
    for (const condition of field.conditions)
      checkCondition(field, condition, fields.slice(0, index), path, fail);
    if (field.kind.kind === "pointerArray") checkCountField(field, fields.slice(0, index), path, fail);
    checkKind(field.kind, versionId, path, fail);
  });
}

function checkVersions({ since, until }: FieldModel, versionId: number, path: string, fail: Fail): void {
  if (!Number.isInteger(since) || since < 0)
    fail(path, `since(${since}) must be a version: an integer from 0`);
  if (since > versionId) {
    fail(path, `since(${since}) is above versionId ${versionId}; raise versionId to ${since}`);
  }
  if (until === Number.POSITIVE_INFINITY) return;
  if (!Number.isInteger(until) || until < 0)
    fail(path, `until(${until}) must be a version: an integer from 0`);
  if (until < since) fail(path, `until(${until}) is below since(${since}); no version has the field`);
  if (until >= versionId) {
    fail(path, `until(${until}) must be below versionId ${versionId}; raise versionId to ${until + 1}`);
  }
}

function checkNames(field: FieldModel, other: FieldModel, path: string, fail: Fail): void {
  const overlap = Math.max(field.since, other.since) <= Math.min(field.until, other.until);
  if (field.name === other.name && overlap) {
    const version = Math.max(field.since, other.since);
    fail(
      path,
      `is there twice in version ${version}; end the first with until(${version - 1}) or rename one`,
    );
  }
  for (const old of field.was) {
    if (old === other.name && overlap)
      fail(path, `was(${JSON.stringify(old)}), but there is a field of that name`);
  }
}

function checkFallback(field: FieldModel, path: string, fail: Fail): void {
  if (field.fallback === undefined) return;
  if (isDeprecated(field))
    fail(path, "has a default though the newest version does not have the field; remove the default");
  const value = field.fallback();
  if (!fits(field.kind, value)) {
    fail(path, `its default must be ${expectation(field.kind)}, is ${picture(value)}`);
  }
}

function checkCondition(
  field: FieldModel,
  condition: Condition,
  earlier: readonly FieldModel[],
  path: string,
  fail: Fail,
): void {
  const { field: name, operator, value } = condition;
  const subjects = earlier.filter((other) => other.name === name);
  if (subjects.length === 0)
    fail(path, `when(${JSON.stringify(name)}, …) must name an earlier field of the same object`);
  if (!["==", "!=", "<", "<=", ">", ">="].includes(operator))
    fail(path, `when(…): ${picture(operator)} is no comparison`);
  for (const subject of subjects) {
    if (!isComparable(subject.kind))
      fail(path, `when(${JSON.stringify(name)}, …): ${subject.kind.kind} cannot be compared`);
    if (!fits(subject.kind, value) && typeof value !== typeof subject.fallback?.()) {
      fail(
        path,
        `when(${JSON.stringify(name)}, …): the value must be ${expectation(subject.kind)}, is ${picture(value)}`,
      );
    }
  }
  checkCoverage(field, subjects, `when(${JSON.stringify(name)}, …)`, path, fail);
}

/** Every version that has the field has one of the subjects. */
function checkCoverage(
  field: FieldModel,
  subjects: readonly FieldModel[],
  what: string,
  path: string,
  fail: Fail,
): void {
  const last = Math.min(field.until, highest);
  for (let version = field.since; version <= last; ) {
    const subject = subjects.find((other) => isInVersion(other, version));
    if (subject === undefined) {
      fail(path, `${what}: version ${version} does not have that field; use since and until`);
    }
    if (subject.until >= last) return;
    version = subject.until + 1;
  }
}

function isComparable({ kind }: Kind): boolean {
  return /^([ui](8|16|32|64)(\.safe)?|f32|f64|bool|char|string|enumeration|deadline)$/.test(kind);
}

/** What two programs can compare without knowing more. */
function isPlain(kind: Kind): boolean {
  if (kind.kind === "array" || kind.kind === "optional") return isPlain(kind.element);
  return (
    isComparable(kind) || ["bytes", "blob", "typedArray", "bitmap", "date", "address"].includes(kind.kind)
  );
}

function checkKind(kind: Kind, versionId: number, path: string, fail: Fail): void {
  switch (kind.kind) {
    case "char":
      checkCount(kind.size, "its size", 1, path, fail, engineLimits.text);
      checkLone(kind.lone, path, fail);
      break;
    case "bytes":
    case "unused":
      checkCount(kind.size, "its size", 1, path, fail);
      break;
    case "bitmap":
    case "array":
      checkCount(kind.count, "its count", 1, path, fail, mostElements(kind));
      break;
    case "string":
      checkCount(kind.max, "max", 0, path, fail);
      checkLone(kind.lone, path, fail);
      break;
    case "blob":
    case "json":
      checkCount(kind.max, "max", 0, path, fail);
      break;
    case "list":
    case "set":
    case "map":
      checkCount(kind.max, "max", 0, path, fail);
      checkElements(kind, path, fail);
      break;
    case "pointerArray":
      if (typeof kind.count === "number")
        checkCount(kind.count, "its count", 1, path, fail, engineLimits.elements);
      break;
    case "record":
      checkFields(kind.fields, versionId, `${path}.`, fail);
      break;
    case "oneOf":
      checkVariants(kind, versionId, path, fail);
      break;
    case "enumeration":
      if (kind.names.length > 0x10000) fail(path, "enumeration can have at most 65536 names");
      checkUnique(kind.names, "names", path, fail);
      break;
    case "equal":
      if (!isPlain(kind.element))
        fail(path, `equal(${kind.element.kind}) cannot be compared; use a scalar, text or bytes`);
      break;
    case "typedArray":
      if (!isTypedScalar({ kind: kind.element })) {
        fail(path, `typedArray: ${kind.element} has no typed array; use list`);
      }
      checkCount(kind.max, "max", 0, path, fail);
      break;
    case "custom":
      if (!/^[^@\s]+@\d+$/.test(kind.format))
        fail(path, 'custom: the format must be a name and a version, such as "geo@1"');
      break;
    default:
      break;
  }
  for (const nested of nestedKinds(kind)) {
    if (nested.kind === "unused" || nested.kind === "equal") {
      fail(path, `${nested.kind} is a field of its own and cannot be inside ${kind.kind}`);
    }
    if (nested.kind === "pointerArray" && typeof nested.count === "string") {
      fail(path, `a pointerArray counted by ${JSON.stringify(nested.count)} must be a field of its own`);
    }
    checkKind(nested, versionId, path, fail);
  }
}

function checkCount(
  count: number,
  what: string,
  lowest: number,
  path: string,
  fail: Fail,
  most: number = highest,
): void {
  if (!Number.isInteger(count) || count < lowest || count > most) {
    fail(path, `${what} must be an integer from ${lowest} to ${most}, is ${picture(count)}`);
  }
}

/** A `max` may be above what the engine holds and then counts as that; so many elements there must be. */
function mostElements(kind: Extract<Kind, { kind: "bitmap" | "array" }>): number {
  const isArray = kind.kind === "array" && !isTypedScalar(kind.element);
  return isArray ? engineLimits.elements : highest;
}

function isTypedScalar({ kind }: Kind): boolean {
  return /^([ui](8|16|32|64)|f32|f64)$/.test(kind);
}

function checkLone(lone: unknown, path: string, fail: Fail): void {
  if (lone !== undefined && lone !== "refuse" && lone !== "replace")
    fail(path, `lone must be "refuse" or "replace", is ${picture(lone)}`);
}

function checkElements(
  kind: Extract<Kind, { kind: "list" | "set" | "map" }>,
  path: string,
  fail: Fail,
): void {
  if (kind.kind === "map" && !isComparable(kind.key) && kind.key.kind !== "ref") {
    fail(
      path,
      `${kind.key.kind} cannot be the key of a map; use a scalar, a string, an enumeration or a ref`,
    );
  }
  if (kind.kind !== "list" && isRounded(kind.kind === "map" ? kind.key : kind.element)) {
    fail(path, `f32 rounds, so that two of a ${kind.kind} could become one; use f64`);
  }
  const element = kind.kind === "map" ? kind.value : kind.element;
  const empty = element.kind === "record" && element.fields.every((field) => field.kind.kind === "unused");
  if (kind.kind !== "map" && empty) fail(path, "its elements have no fields; describe what is in them");
}

function isRounded(kind: Kind): boolean {
  return kind.kind === "optional" ? isRounded(kind.element) : kind.kind === "f32";
}

/** `pointerArray(kind, "n")`: every version that has it has an integer field n before it, without conditions. */
function checkCountField(field: FieldModel, earlier: readonly FieldModel[], path: string, fail: Fail): void {
  if (field.kind.kind !== "pointerArray" || typeof field.kind.count === "number") return;
  const { count } = field.kind;
  const what = `its count ${JSON.stringify(count)}`;
  const subjects = earlier.filter((other) => other.name === count);
  if (subjects.length === 0) fail(path, `${what} must name an earlier field of the same object`);
  for (const { kind, conditions } of subjects) {
    if (!/^[ui](8|16|32)$/.test(kind.kind)) {
      fail(path, `${what} must be an integer of at most 32 bits, is ${kind.kind}`);
    }
    if (conditions.length > 0) fail(path, `${what} must always be there, but has when(…)`);
  }
  checkCoverage(field, subjects, what, path, fail);
}

function checkVariants(
  kind: Extract<Kind, { kind: "oneOf" }>,
  versionId: number,
  path: string,
  fail: Fail,
): void {
  if (kind.variants.length > 0xffff) fail(path, "oneOf can have at most 65535 variants");
  checkUnique(
    kind.variants.map(({ name }) => name),
    "variants",
    path,
    fail,
  );
  for (const { name, fields } of kind.variants) {
    if (fields.some((field) => field.name === kind.tag)) {
      fail(
        `${path}.${name}`,
        `a field is called ${JSON.stringify(kind.tag)} like the tag; rename one of them`,
      );
    }
    checkFields(fields, versionId, `${path}.${name}.`, fail);
  }
}

function checkUnique(names: readonly string[], what: string, path: string, fail: Fail): void {
  if (names.length === 0) fail(path, `has no ${what}`);
  if (names.some((name) => typeof name !== "string")) fail(path, `its ${what} must be strings`);
  if (new Set(names).size !== names.length) fail(path, `has ${what} that are there twice`);
}

function checkSubsections(description: Description, fail: Fail): void {
  const known = [description as Description];
  const names = new Set(
    description.fields.filter((field) => !isDeprecated(field)).map((field) => field.name),
  );
  for (const subsection of description.subsections) {
    if (typeof subsection?.name !== "string") fail(null, "subsections must be descriptions");
    for (const other of known) {
      if (other.id === subsection.id)
        fail(null, `subsection ${subsection.name} has the id ${other.id} of ${other.name}`);
      if (other.name === subsection.name) fail(null, `there are two subsections called ${subsection.name}`);
    }
    if (subsection.subsections.length > 0) {
      fail(null, `subsection ${subsection.name} has subsections itself; list them beside it`);
    }
    for (const field of subsection.fields) {
      if (isDeprecated(field)) continue;
      if (names.has(field.name)) {
        fail(
          field.name,
          `is also in subsection ${subsection.name}, which describes the same object; rename one`,
        );
      }
      names.add(field.name);
    }
    known.push(subsection);
  }
}
