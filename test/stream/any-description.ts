/** Random descriptions, as fast-check generates them, with values of them. */

import fc from "fast-check";
import {
  type AnyField,
  array,
  bitmap,
  blob,
  bool,
  bytes,
  char,
  type Description,
  date,
  deadline,
  defineState,
  enumeration,
  type FieldList,
  f32,
  f64,
  i8,
  i16,
  i32,
  i64,
  json,
  list,
  map,
  oneOf,
  optional,
  pointer,
  record,
  ref,
  set,
  string,
  struct,
  typedArray,
  u8,
  u16,
  u32,
  u64,
} from "kstate";

/** A kind and values of it. */
interface Typed {
  readonly field: AnyField;
  readonly value: fc.Arbitrary<unknown>;
}

const wide = (lowest: bigint, highest: bigint) => fc.bigInt(lowest, highest);
const text = fc.string({ unit: "grapheme", maxLength: 12 });
const float32 = fc.float({ noNaN: false });

const leaves: readonly Typed[] = [
  { field: u8, value: fc.nat(0xff) },
  { field: u16, value: fc.nat(0xffff) },
  { field: u32, value: fc.nat(0xffffffff) },
  { field: i8, value: fc.integer({ min: -0x80, max: 0x7f }) },
  { field: i16, value: fc.integer({ min: -0x8000, max: 0x7fff }) },
  { field: i32, value: fc.integer() },
  { field: u64, value: wide(0n, 2n ** 64n - 1n) },
  { field: i64, value: wide(-(2n ** 63n), 2n ** 63n - 1n) },
  { field: u64.safe, value: fc.maxSafeNat() },
  { field: i64.safe, value: fc.maxSafeInteger() },
  { field: f32, value: float32 },
  { field: f64, value: fc.double() },
  { field: bool, value: fc.boolean() },
  { field: char(40), value: fc.string({ maxLength: 40 }).filter((value) => !value.includes("\0")) },
  { field: bytes(3), value: fc.uint8Array({ minLength: 3, maxLength: 3 }) },
  { field: string({ max: 500 }), value: text },
  { field: blob({ max: 20 }), value: fc.uint8Array({ maxLength: 20 }) },
  { field: typedArray(f64, { max: 9 }), value: fc.float64Array({ maxLength: 9 }) },
  { field: typedArray(u16, { max: 9 }), value: fc.uint16Array({ maxLength: 9 }) },
  { field: array(i32, 2), value: fc.int32Array({ minLength: 2, maxLength: 2 }) },
  { field: enumeration(["a", "b", "c"]), value: fc.constantFrom("a", "b", "c") },
  { field: bitmap(12), value: fc.tuple(fc.nat(255), fc.nat(15)).map((pair) => Uint8Array.from(pair)) },
  { field: date, value: fc.date({ noInvalidDate: true }) },
  { field: deadline, value: fc.maxSafeInteger() },
  {
    field: json({ max: 100_000 }),
    value: fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown),
  },
];

const keys: readonly Typed[] = leaves.filter(({ field }) =>
  ["u8", "u32", "i64", "string", "enumeration", "bool"].includes(field.kind.kind),
);

const leaf: fc.Arbitrary<Typed> = fc.constantFrom(...leaves);

const shape = (field: AnyField, value: fc.Arbitrary<unknown>): Typed => ({ field, value });

/** Kinds in kinds, three deep. Ids are given later, so that they are unique in a description. */
function nested(depth: number, nextId: () => number): fc.Arbitrary<Typed> {
  if (depth === 0) return leaf;
  const inner = nested(depth - 1, nextId);
  const members = fc.array(inner, { minLength: 1, maxLength: 3 }).map(pairsOf);
  return fc.oneof(
    leaf,
    inner.map(({ field, value }) => shape(optional(field), fc.option(value))),
    inner.map(({ field, value }) => shape(list(field, { max: 5 }), fc.array(value, { maxLength: 5 }))),
    inner.map(({ field, value }) => shape(pointer(field as typeof u8), boxed(field, value))),
    fc
      .tuple(fc.constantFrom(...keys), inner)
      .map(([key, { field, value }]) => shape(map(key.field, field, { max: 5 }), mapOf(key.value, value))),
    fc.constantFrom(...keys).map(({ field, value }) =>
      shape(
        set(field, { max: 5 }),
        fc.uniqueArray(value, { maxLength: 5 }).map((values) => new Set(values)),
      ),
    ),
    members.map(({ fields, value }) => shape(record(fields), value)),
    members.map(({ fields, value }) => structOf(fields, value, nextId())),
    members.map(({ fields, value }) => {
      const { field } = structOf(fields, value, nextId());
      return shape(list(field, { max: 5 }), fc.array(value, { maxLength: 5 }));
    }),
    members.map(({ fields, value }) => shape(ref(describedBy(fields, nextId())), fc.option(value))),
    fc
      .tuple(members, members)
      .map(([one, two]) =>
        shape(oneOf("tag", { one: one.fields, two: two.fields }), eitherOf(one.value, two.value)),
      ),
  );
}

function pairsOf(types: readonly Typed[]): { fields: FieldList; value: fc.Arbitrary<object> } {
  const fields = types.map(({ field }, i) => [`f${i}`, field] as const);
  const value = fc.record(Object.fromEntries(types.map((type, i) => [`f${i}`, type.value])));
  return { fields, value };
}

export function describedBy(fields: FieldList, id: number): Description {
  return defineState({ name: `d${id}`, id, fields });
}

function structOf(fields: FieldList, value: fc.Arbitrary<object>, id: number): Typed {
  return shape(struct(describedBy(fields, id)), value);
}

function boxed({ kind }: AnyField, value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return kind.kind === "struct" || kind.kind === "record" ? value : value.map((inner) => ({ value: inner }));
}

function mapOf(key: fc.Arbitrary<unknown>, value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const entries = fc.uniqueArray(fc.tuple(key, value), { maxLength: 5, selector: ([found]) => found });
  return entries.map((pairs) => new Map(pairs));
}

function eitherOf(one: fc.Arbitrary<object>, two: fc.Arbitrary<object>): fc.Arbitrary<object> {
  return fc.oneof(
    one.map((value) => ({ tag: "one", ...value })),
    two.map((value) => ({ tag: "two", ...value })),
  );
}

/** Fields with two values of them. */
export const cases = fc
  .constant(0)
  .chain(() => {
    let id = 1;
    return fc.array(
      nested(3, () => ++id),
      { minLength: 1, maxLength: 5 },
    );
  })
  .chain((types) => {
    const { fields, value } = pairsOf(types);
    return fc.tuple(fc.constant(fields), value, value);
  });

/** Plain prototypes everywhere: fast-check makes records without one. */
export function normal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normal);
  if (value instanceof Map) return new Map(Array.from(value, ([key, inner]) => [key, normal(inner)]));
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) === Date.prototype)
    return value;
  if (ArrayBuffer.isView(value) || value instanceof Set || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, normal(inner)]));
}
