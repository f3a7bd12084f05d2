import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type { Condition, Description, FieldModel, Kind, Waiver } from "./model.ts";
import { reachable, someKind } from "./walk.ts";

/**
 * Descriptions as plain JSON: what `kstate.lock.json` holds and what travels in a stream's trailer. Sorted by
 * name, so that it does not depend on the order of registration.
 */
export interface LockRecord {
  readonly format: 1;
  readonly descriptions: readonly DescriptionRecord[];
}

export interface DescriptionRecord {
  readonly name: string;
  readonly id: number;
  readonly versionId: number;
  readonly minVersionId: number;
  readonly fields: readonly FieldRecord[];
  /** Names of the subsections. */
  readonly subsections: readonly string[];
  /** Whether it was registered itself, not only as part of others. */
  readonly section?: true;
  /** Whether `needed` may leave it out. */
  readonly needed?: true;
  readonly waivers?: readonly Waiver[];
}

export interface FieldRecord {
  readonly name: string;
  readonly kind: KindRecord;
  readonly since?: number;
  readonly until?: number;
  readonly was?: readonly string[];
  /** The default as text. */
  readonly default?: string;
  readonly when?: readonly { readonly field: string; readonly operator: string; readonly value: string }[];
  /** A deprecated field that can be written for older versions. */
  readonly save?: true;
  /** A deprecated field whose value is taken over from older versions. */
  readonly load?: true;
}

/** A kind as JSON; nested descriptions by name. */
export interface KindRecord {
  readonly kind: string;
  readonly size?: number;
  readonly count?: number | string;
  readonly max?: number;
  readonly element?: KindRecord;
  readonly key?: KindRecord;
  readonly value?: KindRecord;
  readonly of?: string;
  readonly base?: string;
  readonly format?: string;
  readonly names?: readonly string[];
  readonly fields?: readonly FieldRecord[];
  readonly tag?: string;
  readonly variants?: readonly { readonly name: string; readonly fields: readonly FieldRecord[] }[];
}

/** The lock record of descriptions and all that they contain. */
export function lockRecord(descriptions: Iterable<Description>): LockRecord {
  const sections = new Set(descriptions);
  const records = [...reachable(sections)].map((description) =>
    descriptionRecord(description, sections.has(description)),
  );
  records.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return { format: 1, descriptions: records };
}

/** The SHA-256 of a lock record, in hex. Equal hashes mean equal descriptions. */
export function lockHash(record: LockRecord): string {
  return lockTextHash(utf8ToBytes(lockText(record)));
}

/** The records of a description and of all that it contains, as far as they are known. */
export function recordClosure(
  name: string,
  records: ReadonlyMap<string, DescriptionRecord>,
): readonly DescriptionRecord[] {
  const found = new Map<string, DescriptionRecord>();
  addClosure(name, records, found);
  return [...found.values()];
}

/**
 * Adds the records of a description and of all that it contains. What is there already is not looked into again: it was
 * added with all that it contains.
 */
export function addClosure(
  name: string,
  records: ReadonlyMap<string, DescriptionRecord>,
  into: Map<string, DescriptionRecord>,
): void {
  const names = new Set([name]);
  for (const next of names) {
    const record = records.get(next);
    if (record === undefined || into.has(next)) continue;
    into.set(next, record);
    for (const subsection of record.subsections) names.add(subsection);
    for (const field of record.fields) addNames(field.kind, names);
  }
}

/** The names of those that hold a `ref` themselves or in what they contain; each record is looked at once. */
export function namesWithReferences(records: Iterable<DescriptionRecord>): ReadonlySet<string> {
  const containers = new Map<string, string[]>();
  const found = new Set<string>();
  for (const record of records) {
    const parts = new Set(record.subsections);
    for (const { kind } of record.fields) addNames(kind, parts);
    for (const part of parts) {
      const names = containers.get(part);
      if (names === undefined) containers.set(part, [record.name]);
      else names.push(record.name);
    }
    if (record.fields.some(({ kind }) => isReference(kind))) found.add(record.name);
  }
  for (const name of found) for (const container of containers.get(name) ?? []) found.add(container);
  return found;
}

function addNames(kind: KindRecord, names: Set<string>): void {
  if (kind.of !== undefined) names.add(kind.of);
  for (const nested of [kind.element, kind.key, kind.value])
    if (nested !== undefined) addNames(nested, names);
  for (const field of kind.fields ?? []) addNames(field.kind, names);
  for (const variant of kind.variants ?? []) for (const field of variant.fields) addNames(field.kind, names);
}

/** Whether any field of these records is a `ref`, whose numbers mean something only beside their section. */
export function hasReferences(records: readonly DescriptionRecord[]): boolean {
  return records.some(({ fields }) => fields.some(({ kind }) => isReference(kind)));
}

function isReference(kind: KindRecord): boolean {
  if (kind.kind === "ref") return true;
  const nested = [kind.element, kind.key, kind.value].filter((inner) => inner !== undefined);
  const fields = [...(kind.fields ?? []), ...(kind.variants ?? []).flatMap((variant) => variant.fields)];
  return nested.some(isReference) || fields.some((field) => isReference(field.kind));
}

/** The hash of a lock record's text as it stands, whoever wrote it. */
export function lockTextHash(text: Uint8Array): string {
  return bytesToHex(sha256(text));
}

/** The one JSON text of a lock record: keys sorted, no white space. */
export function lockText(record: LockRecord): string {
  return canonical(record);
}

function canonical(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const known = texts.get(value);
  if (known !== undefined) return known;
  const names = Object.keys(value).sort();
  let text = "";
  for (const name of names) {
    const member = (value as Record<string, unknown>)[name];
    if (member === undefined) continue;
    text += `${text === "" ? "" : ","}${quoted(name)}:${typeof member === "string" ? quoted(member) : canonical(member)}`;
  }
  return `{${text}}`;
}

/** Names are mostly such that need no escapes, and then it is quicker without looking for any. */
function quoted(text: string): string {
  return /^[\w./@ -]*$/.test(text) ? `"${text}"` : JSON.stringify(text);
}

function descriptionRecord(description: Description, isSection: boolean): DescriptionRecord {
  return {
    name: description.name,
    id: description.id,
    versionId: description.versionId,
    minVersionId: description.minVersionId,
    fields: description.fields.map(fieldRecord),
    subsections: description.subsections.map(({ name }) => name),
    ...(isSection ? { section: true } : {}),
    ...(description.hooks.needed === undefined ? {} : { needed: true }),
    ...(description.waivers.length === 0 ? {} : { waivers: description.waivers }),
  };
}

function fieldRecord(field: FieldModel): FieldRecord {
  return {
    name: field.name,
    kind: sharedRecord(field.kind),
    ...(field.since === 0 ? {} : { since: field.since }),
    ...(field.until === Number.POSITIVE_INFINITY ? {} : { until: field.until }),
    ...(field.was.length === 0 ? {} : { was: field.was }),
    ...(field.fallback === undefined ? {} : { default: valueText(field.fallback()) }),
    ...(field.conditions.length === 0 ? {} : { when: field.conditions.map(conditionRecord) }),
    ...(field.save === undefined ? {} : { save: true }),
    ...(field.load === undefined ? {} : { load: true }),
  };
}

/** Kinds are shared by many fields: their records and texts are made once. Not where a default stands inside. */
function sharedRecord(kind: Kind): KindRecord {
  if (someKind(kind, (inner) => inner.kind === "record" || inner.kind === "oneOf")) return kindRecord(kind);
  let record = shared.get(kind);
  if (record === undefined) {
    record = kindRecord(kind);
    shared.set(kind, record);
    texts.set(record, canonical(record));
  }
  return record;
}

const shared = new WeakMap<Kind, KindRecord>();
const texts = new WeakMap<object, string>();

function conditionRecord({ field, operator, value }: Condition) {
  return { field, operator, value: valueText(value) };
}

function valueText(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  const text = JSON.stringify(value, (_key, member) => (typeof member === "bigint" ? `${member}n` : member));
  return text === undefined ? "undefined" : text;
}

function kindRecord(kind: Kind): KindRecord {
  switch (kind.kind) {
    case "char":
    case "bytes":
    case "unused":
      return { kind: kind.kind, size: kind.size };
    case "array":
    case "pointerArray":
      return { kind: kind.kind, element: kindRecord(kind.element), count: kind.count };
    case "bitmap":
      return { kind: kind.kind, count: kind.count };
    case "pointer":
    case "optional":
    case "equal":
      return { kind: kind.kind, element: kindRecord(kind.element) };
    case "struct":
    case "ref":
      return { kind: kind.kind, of: kind.of().name };
    case "address":
      return { kind: kind.kind, base: kind.base.name };
    case "custom":
      return { kind: kind.kind, format: kind.format };
    case "string":
    case "blob":
    case "json":
      return { kind: kind.kind, max: kind.max };
    case "typedArray":
      return { kind: kind.kind, element: { kind: kind.element }, max: kind.max };
    case "list":
    case "set":
      return { kind: kind.kind, element: kindRecord(kind.element), max: kind.max };
    case "map":
      return { kind: kind.kind, key: kindRecord(kind.key), value: kindRecord(kind.value), max: kind.max };
    case "record":
      return { kind: kind.kind, fields: kind.fields.map(fieldRecord) };
    case "oneOf":
      return {
        kind: kind.kind,
        tag: kind.tag,
        variants: kind.variants.map(({ name, fields }) => ({ name, fields: fields.map(fieldRecord) })),
      };
    case "enumeration":
      return { kind: kind.kind, names: kind.names };
    default:
      return { kind: kind.kind };
  }
}
