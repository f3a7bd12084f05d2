/** The types that a description infers. What must not compile stands under `@ts-expect-error`. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  address,
  array,
  type Box,
  bitmap,
  blob,
  bool,
  bytes,
  char,
  custom,
  type Description,
  type date,
  type deadline,
  defineState,
  enumeration,
  equal,
  type Folio,
  f32,
  f64,
  folio,
  type i8,
  type i16,
  type i32,
  i64,
  json,
  list,
  map,
  oneOf,
  optional,
  pointer,
  pointerArray,
  Registry,
  record,
  ref,
  type StateOf,
  set,
  string,
  struct,
  typedArray,
  u8,
  u16,
  u32,
  u64,
  unused,
  type ValueOf,
} from "kstate";

/** Compiles only if the two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <_A, _B>(..._proof: Same<_A, _B> extends true ? [] : [never]): void => {};

const item = defineState({
  name: "item",
  id: 1,
  fields: [
    ["id", u32],
    ["weight", f64],
  ],
});
type Item = StateOf<typeof item>;

interface Node {
  value: number;
  next: Node | null;
}
const node: Description<Node> = defineState({
  name: "node",
  id: 2,
  fields: [
    ["value", u8],
    ["next", ref(() => node)],
  ],
});

describe("the types of a description", () => {
  test("each kind has its value's type", () => {
    same<ValueOf<typeof u8>, number>();
    same<ValueOf<typeof u16>, number>();
    same<ValueOf<typeof u32>, number>();
    same<ValueOf<typeof i8>, number>();
    same<ValueOf<typeof i16>, number>();
    same<ValueOf<typeof i32>, number>();
    same<ValueOf<typeof u64>, bigint>();
    same<ValueOf<typeof i64>, bigint>();
    same<ValueOf<typeof u64.safe>, number>();
    same<ValueOf<typeof i64.safe>, number>();
    same<ValueOf<typeof f32>, number>();
    same<ValueOf<typeof f64>, number>();
    same<ValueOf<typeof bool>, boolean>();
    same<ValueOf<typeof date>, Date>();
    same<ValueOf<typeof deadline>, number>();
    const kinds = {
      char: char(3),
      bytes: bytes(3),
      string: string({ max: 1 }),
      blob: blob({ max: 1 }),
      bitmap: bitmap(3),
      folio: folio(),
      address: address({ name: "a", at: 0n }),
      json: json({ max: 1 }),
      typedJson: json<{ a: number }>({ max: 9 }),
      custom: custom("a@1", { save() {}, load: () => 1 as const }),
    };
    same<ValueOf<typeof kinds.char>, string>();
    same<ValueOf<typeof kinds.bytes>, Uint8Array>();
    same<ValueOf<typeof kinds.string>, string>();
    same<ValueOf<typeof kinds.blob>, Uint8Array>();
    same<ValueOf<typeof kinds.bitmap>, Uint8Array>();
    same<ValueOf<typeof kinds.folio>, Folio>();
    same<ValueOf<typeof kinds.address>, bigint>();
    same<ValueOf<typeof kinds.json>, unknown>();
    same<ValueOf<typeof kinds.typedJson>, { a: number }>();
    same<ValueOf<typeof kinds.custom>, 1>();
    assert.equal(u64.safe.kind.kind, "u64.safe");
  });

  test("kinds with elements have theirs, nested as deep as one likes", () => {
    const kinds = {
      arrayOfNumbers: array(u16, 2),
      arrayOfBig: array(i64, 2),
      arrayOfFlags: array(bool, 2),
      arrayOfStructs: array(struct(item), 2),
      pointer: pointer(u64),
      pointerToStruct: pointer(struct(item)),
      pointerToRecord: pointer(record([["a", u8]])),
      pointers: pointerArray(u8, 2),
      typed: typedArray(f32, { max: 1 }),
      typedBig: typedArray(u64, { max: 1 }),
      optional: optional(u8),
      list: list(optional(struct(item)), { max: 1 }),
      set: set(string({ max: 1 }), { max: 1 }),
      map: map(u8, list(map(string({ max: 1 }), struct(item), { max: 1 }), { max: 1 }), { max: 1 }),
      enumeration: enumeration(["a", "b"]),
      ref: ref(item),
      equal: equal(u8),
      shape: oneOf("type", {
        circle: [["r", f32]],
        square: [
          ["side", u8],
          ["old", u8.until(1)],
        ],
      }),
    };
    same<ValueOf<typeof kinds.arrayOfNumbers>, Uint16Array>();
    same<ValueOf<typeof kinds.arrayOfBig>, BigInt64Array>();
    same<ValueOf<typeof kinds.arrayOfFlags>, boolean[]>();
    same<ValueOf<typeof kinds.arrayOfStructs>, Item[]>();
    same<ValueOf<typeof kinds.pointer>, Box<bigint>>();
    same<ValueOf<typeof kinds.pointerToStruct>, Item>();
    same<ValueOf<typeof kinds.pointerToRecord>, { a: number }>();
    same<ValueOf<typeof kinds.pointers>, number[]>();
    same<ValueOf<typeof kinds.typed>, Float32Array>();
    same<ValueOf<typeof kinds.typedBig>, BigUint64Array>();
    same<ValueOf<typeof kinds.optional>, number | null>();
    same<ValueOf<typeof kinds.list>, (Item | null)[]>();
    same<ValueOf<typeof kinds.set>, Set<string>>();
    same<ValueOf<typeof kinds.map>, Map<number, Map<string, Item>[]>>();
    same<ValueOf<typeof kinds.enumeration>, "a" | "b">();
    same<ValueOf<typeof kinds.ref>, Item | null>();
    same<ValueOf<typeof kinds.equal>, number>();
    same<ValueOf<typeof kinds.shape>, { type: "circle"; r: number } | { type: "square"; side: number }>();
    assert.equal(kinds.ref.kind.kind, "ref");
  });

  test("a state has the fields that the newest version has, and the subsections' fields", () => {
    const extra = defineState({ name: "extra", id: 4, fields: [["note", string({ max: 9 })]] });
    const more = defineState({ name: "more", id: 5, fields: [["flag", bool]] });
    const state = defineState({
      name: "state",
      id: 3,
      versionId: 3,
      fields: [
        ["id", u32],
        ["gone", u16.until(1)],
        ["hp", u16.until(1)],
        ["hp", u64.since(2)],
        ["added", f32.since(2, 1)],
        ["pad", unused(4)],
        ["item", struct(item)],
      ],
      subsections: [extra, more],
    });
    type State = StateOf<typeof state>;
    same<State, { id: number; hp: bigint; added: number; item: Item; note: string; flag: boolean }>();
    const value: State = { id: 1, hp: 1n, added: 1, item: { id: 1, weight: 1 }, note: "", flag: true };
    value.id = 2;
    assert.equal(value.id, 2);
  });

  test("an object that does not fit is refused by the compiler", () => {
    const registry = new Registry();
    registry.register(item, { id: 1, weight: 2 });
    registry.register(node, { value: 1, next: null });
    const wrong = new Registry();
    // @ts-expect-error weight is missing
    wrong.register(item, { id: 1 });
    // @ts-expect-error id is a number
    wrong.register(item, { id: "1", weight: 2 }, 1);
    // @ts-expect-error the default is a number
    u16.since(2, "100");
    // @ts-expect-error the predicate sees a number
    u16.check((value: string) => value === "", "must be empty");
    // @ts-expect-error fields are pairs
    assert.throws(() => defineState({ name: "x", id: 1, fields: { a: u8 } }));
    // @ts-expect-error a typed array has numbers
    typedArray(string({ max: 1 }), { max: 1 });
    assert.equal(wrong.size, 2, "types are not looked at when the program runs");
  });

  test("hooks see the state", () => {
    const hooked = defineState({
      name: "hooked",
      id: 9,
      fields: [["a", u8]],
      preSave: (state) => {
        same<typeof state, { a: number }>();
      },
      // @ts-expect-error there is no b
      needed: (state) => state.b === 1,
    });
    assert.equal(String(hooked), "hooked@0");
  });
});
