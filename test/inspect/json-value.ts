import assert from "node:assert/strict";
import type { Description, FieldModel, Kind } from "#src/description/index.js";
import { isDeprecated } from "#src/description/index.js";

export interface JsonEntry {
  readonly name: string | null;
  readonly id: number;
  readonly versionId: number;
  readonly instanceId: number | string;
  readonly offset: number;
  readonly size: number;
  readonly fields: Record<string, unknown>;
  readonly elements?: readonly unknown[];
  readonly raw?: string;
  readonly subsections: readonly JsonEntry[];
}

export interface JsonStream {
  readonly sections: readonly JsonEntry[];
  readonly damages?: readonly { readonly offset: number; readonly problem: string }[];
}

/** The objects that references point to, wherever they were first met. */
function objectsIn(json: unknown, found = new Map<number, JsonEntry>()): Map<number, JsonEntry> {
  if (typeof json !== "object" || json === null) return found;
  const { objects } = json as { objects?: unknown };
  if (Array.isArray(objects) && "ref" in json)
    for (const object of objects as (JsonEntry & { number: number })[]) found.set(object.number, object);
  for (const inner of Object.values(json)) objectsIn(inner, found);
  return found;
}

/** Compares what the inspector says with the object that was saved, walking over the description and not over the stream. */
export function assertFields(description: Description, state: object, entry: JsonEntry): void {
  assertMembers(description.fields, state, entry.fields, objectsIn(entry));
}

type Objects = ReadonlyMap<number, JsonEntry>;

function assertMembers(fields: readonly FieldModel[], state: object, json: unknown, objects: Objects): void {
  const alive = fields.filter((field) => !isDeprecated(field) && field.kind.kind !== "unused");
  const members = json as Record<string, unknown>;
  assert.deepEqual(
    Object.keys(members).filter((name) => name !== "tag"),
    alive.map(({ name }) => name),
  );
  for (const { name, kind } of alive)
    assertValue(kind, (state as Record<string, unknown>)[name], members[name], objects);
}

function assertValue(kind: Kind, value: unknown, json: unknown, objects: Objects): void {
  switch (kind.kind) {
    case "u64":
    case "i64":
    case "u64.safe":
    case "i64.safe":
    case "deadline":
      return assert.equal(json, String(value));
    case "date":
      return assert.equal(json, (value as Date).toISOString());
    case "f32":
    case "f64":
      return assertNumber(value as number, json);
    case "bytes":
    case "blob":
    case "bitmap":
      return assert.equal(json, Buffer.from(value as Uint8Array).toString("hex"));
    case "array":
    case "typedArray": {
      const element = typeof kind.element === "string" ? ({ kind: kind.element } as Kind) : kind.element;
      return assertList(element, Array.from(value as Iterable<unknown>), json, objects);
    }
    case "pointer": {
      const isBare = kind.element.kind === "struct" || kind.element.kind === "record";
      return assertValue(kind.element, isBare ? value : (value as { value: unknown }).value, json, objects);
    }
    case "optional":
      return value === null ? assert.equal(json, null) : assertValue(kind.element, value, json, objects);
    case "list":
    case "set":
      return assertList(kind.element, [...(value as Iterable<unknown>)], json, objects);
    case "map":
      return assertMap(kind, value as Map<unknown, unknown>, json, objects);
    case "record":
      return assertMembers(kind.fields, value as object, json, objects);
    case "oneOf": {
      const name = (value as Record<string, string>)[kind.tag]!;
      assert.equal((json as Record<string, unknown>)[kind.tag], name);
      const variant = kind.variants.find((candidate) => candidate.name === name)!;
      return assertMembers(variant.fields, value as object, json, objects);
    }
    case "struct":
      return assertMembers(kind.of().fields, value as object, (json as JsonEntry).fields, objects);
    case "ref": {
      if (value === null) return assert.equal(json, null);
      const { fields } = objects.get((json as { ref: number }).ref)!;
      return assertMembers(kind.of().fields, value as object, fields, objects);
    }
    default:
      return assert.deepEqual(json, value);
  }
}

function assertNumber(value: number, json: unknown): void {
  if (Number.isFinite(value)) assert.ok(Object.is(json, value), `${String(json)} is not ${value}`);
  else assert.equal(json, String(value));
}

function assertList(element: Kind, values: readonly unknown[], json: unknown, objects: Objects): void {
  const isGroup = element.kind === "struct" && !Array.isArray(json);
  const list = (isGroup ? (json as JsonEntry).elements : json) as readonly unknown[];
  assert.equal(list.length, values.length);
  for (const [index, value] of values.entries()) {
    if (isGroup) assertMembers(element.of().fields, value as object, list[index], objects);
    else assertValue(element, value, list[index], objects);
  }
}

function assertMap(
  kind: Extract<Kind, { kind: "map" }>,
  value: Map<unknown, unknown>,
  json: unknown,
  objects: Objects,
): void {
  const isGroup = kind.value.kind === "struct";
  const pairs = (isGroup ? (json as JsonEntry).elements : json) as readonly (readonly [unknown, unknown])[];
  assert.equal(pairs.length, value.size);
  for (const [index, [key, inner]] of [...value].entries()) {
    assertValue(kind.key, key, pairs[index]![0], objects);
    if (kind.value.kind === "struct")
      assertMembers(kind.value.of().fields, inner as object, pairs[index]![1], objects);
    else assertValue(kind.value, inner, pairs[index]![1], objects);
  }
}
