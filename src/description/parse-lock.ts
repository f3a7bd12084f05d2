import { KstateError } from "../error/index.ts";
import { picture } from "./fit.ts";
import type { DescriptionRecord, FieldRecord, KindRecord, LockRecord } from "./lock-record.ts";

const depthLimit = 64;
/** Of names of descriptions and fields, in UTF-16 units, as where they are defined. */
const nameLimit = 255;

/** What a kind that this kstate knows cannot be read without. One that it does not know is kept as it is. */
const needed: { readonly [kind in string]?: readonly (keyof KindRecord)[] } = {
  char: ["size"],
  bytes: ["size"],
  unused: ["size"],
  bitmap: ["count"],
  array: ["element", "count"],
  pointerArray: ["element", "count"],
  pointer: ["element"],
  optional: ["element"],
  equal: ["element"],
  typedArray: ["element"],
  list: ["element"],
  set: ["element"],
  map: ["key", "value"],
  struct: ["of"],
  ref: ["of"],
  address: ["base"],
  custom: ["format"],
  record: ["fields"],
  oneOf: ["variants"],
  enumeration: ["names"],
};

/**
 * Reads the JSON of a lock record that came from elsewhere. Nothing is believed that was not looked at, and
 * nothing that is not part of a record is kept. Throws `STREAM_CORRUPT`.
 */
export function parseLockRecord(text: string): LockRecord {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw wrong("JSON", String((cause as Error).message));
  }
  const { format, descriptions } = members(json, "a lock record");
  if (format !== 1) throw wrong("a lock record of format 1", `format ${picture(format)}`);
  const records = array(descriptions, "descriptions").map(descriptionOf);
  assertOnce(
    records.map(({ name: own }) => own),
    "description",
  );
  return { format: 1, descriptions: records };
}

function assertOnce(names: readonly string[], what: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw wrong(`each ${what} once`, `${picture(name)} again`);
    seen.add(name);
  }
}

/** A name may stand twice in versions that do not overlap. */
function assertNamesApart(fields: readonly FieldRecord[]): void {
  const last = new Map<string, number>();
  const since = (field: FieldRecord): number => field.since ?? 0;
  for (const field of [...fields].sort((a, b) => since(a) - since(b))) {
    const before = last.get(field.name);
    if (before !== undefined && since(field) <= before)
      throw wrong("each field once in a version", `${picture(field.name)} again`);
    last.set(field.name, field.until ?? Number.POSITIVE_INFINITY);
  }
}

function descriptionOf(json: unknown): DescriptionRecord {
  const { name, id, versionId, minVersionId, fields, subsections, section, needed, waivers } = members(
    json,
    "a description",
  );
  return {
    name: nameOf(name),
    id: integer(id, "an id"),
    versionId: integer(versionId, "a versionId"),
    minVersionId: integer(minVersionId, "a minVersionId"),
    fields: fieldsOf(fields, 0),
    subsections: array(subsections, "subsections").map(nameOf),
    ...(section === true ? { section: true } : {}),
    ...(needed === true ? { needed: true } : {}),
    ...(waivers === undefined ? {} : { waivers: array(waivers, "waivers").map(waiverOf) }),
  };
}

function waiverOf(json: unknown) {
  const { rule, field, owner, expires, why } = members(json, "a waiver");
  return {
    rule: string(rule, "a rule"),
    ...(field === undefined ? {} : { field: string(field, "a name") }),
    owner: string(owner, "an owner"),
    expires: string(expires, "a date"),
    why: string(why, "a reason"),
  };
}

function fieldsOf(json: unknown, depth: number): readonly FieldRecord[] {
  const fields = array(json, "fields").map((field) => fieldOf(field, depth));
  assertNamesApart(fields);
  return fields;
}

function fieldOf(json: unknown, depth: number): FieldRecord {
  const { name, kind, since, until, was, default: fallback, when, save, load } = members(json, "a field");
  return {
    name: nameOf(name),
    kind: kindOf(kind, depth + 1),
    ...(since === undefined ? {} : { since: integer(since, "since") }),
    ...(until === undefined ? {} : { until: integer(until, "until") }),
    ...(was === undefined ? {} : { was: array(was, "was").map(nameOf) }),
    ...(fallback === undefined ? {} : { default: string(fallback, "a default") }),
    ...(when === undefined ? {} : { when: array(when, "when").map(conditionOf) }),
    ...(save === true ? { save: true } : {}),
    ...(load === true ? { load: true } : {}),
  };
}

function conditionOf(json: unknown) {
  const { field, operator, value } = members(json, "a condition");
  return {
    field: string(field, "a name"),
    operator: string(operator, "an operator"),
    value: string(value, "a value"),
  };
}

function kindOf(json: unknown, depth: number): KindRecord {
  if (depth > depthLimit) throw wrong(`kinds at most ${depthLimit} deep`, "deeper ones");
  const { kind, size, count, max, element, key, value, of, base, format, names, fields, tag, variants } =
    members(json, "a kind");
  const record: KindRecord = {
    kind: string(kind, "a kind"),
    ...(size === undefined ? {} : { size: integer(size, "a size") }),
    ...(count === undefined ? {} : { count: typeof count === "string" ? count : integer(count, "a count") }),
    ...(max === undefined ? {} : { max: integer(max, "a max") }),
    ...(element === undefined ? {} : { element: kindOf(element, depth + 1) }),
    ...(key === undefined ? {} : { key: kindOf(key, depth + 1) }),
    ...(value === undefined ? {} : { value: kindOf(value, depth + 1) }),
    ...(of === undefined ? {} : { of: string(of, "a name") }),
    ...(base === undefined ? {} : { base: string(base, "a name") }),
    ...(format === undefined ? {} : { format: string(format, "a format") }),
    ...(names === undefined ? {} : { names: array(names, "names").map((item) => string(item, "a name")) }),
    ...(fields === undefined ? {} : { fields: fieldsOf(fields, depth) }),
    ...(tag === undefined ? {} : { tag: string(tag, "a tag") }),
    ...(variants === undefined
      ? {}
      : { variants: array(variants, "variants").map((item) => variantOf(item, depth)) }),
  };
  assertWhole(record);
  return record;
}

/** Whoever reads by a kind that was checked here need not ask again what is there. */
function assertWhole(record: KindRecord): void {
  const { kind, count, names = [], variants = [] } = record;
  for (const member of Object.hasOwn(needed, kind) ? needed[kind]! : [])
    if (record[member] === undefined) throw wrong(`${kind} with ${member}`, "none");
  if ((kind === "array" || kind === "bitmap") && typeof count !== "number")
    throw wrong(`${kind} with a number as its count`, picture(count));
  assertOnce(names, "name of an enumeration");
  assertOnce(
    variants.map(({ name }) => name),
    "variant",
  );
}

function variantOf(json: unknown, depth: number) {
  const { name, fields } = members(json, "a variant");
  return {
    name: string(name, "a name"),
    fields: fieldsOf(fields, depth),
  };
}

function members(json: unknown, what: string): Record<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw wrong(what, typeof json);
  return json as Record<string, unknown>;
}

function array(json: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(json)) throw wrong(`an array of ${what}`, typeof json);
  return json;
}

function string(json: unknown, what: string): string {
  if (typeof json !== "string") throw wrong(what, typeof json);
  return json;
}

function nameOf(json: unknown): string {
  const name = string(json, "a name");
  if (name === "" || name.length > nameLimit || name === "__proto__")
    throw wrong(`a name of 1 to ${nameLimit} characters other than __proto__`, picture(name));
  return name;
}

function integer(json: unknown, what: string): number {
  if (typeof json !== "number" || !Number.isInteger(json) || json < 0 || json > 0xffffffff)
    throw wrong(what, picture(json));
  return json;
}

function wrong(expected: string, found: string): KstateError {
  return new KstateError(
    "STREAM_CORRUPT",
    `cannot read the lock record: expected ${expected}, found ${found}`,
    { path: "trailer.lock", description: "", offset: -1, expected, found },
  );
}
