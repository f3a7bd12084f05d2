/** Values at the edges of their kinds: what is saved comes back and is saved to the same bytes, or is refused by its path. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  type AnyField,
  array,
  bitmap,
  blob,
  bool,
  bytes,
  char,
  custom,
  date,
  deadline,
  defineState,
  type ErrorCode,
  enumeration,
  equal,
  f32,
  f64,
  i8,
  i16,
  i32,
  i64,
  isKstateError,
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
  set,
  string,
  struct,
  typedArray,
  u8,
  u16,
  u32,
  u64,
} from "kstate";
import { described, loadedAgain, refusedBoth, savedBoth } from "./both-codecs.ts";

const max = 64;
const inner = defineState({ name: "inner", id: 2, fields: [["n", f32]] });

/** Every kind, with other kinds inside. */
const kinds: readonly (readonly [string, AnyField])[] = [
  ...Object.entries({ u8, u16, u32, u64, i8, i16, i32, i64, f32, f64, bool, date, deadline }),
  ["u64.safe", u64.safe],
  ["i64.safe", i64.safe],
  ["char", char(8)],
  ["char, mended", char(8, { lone: "replace" })],
  ["string", string({ max })],
  ["string, mended", string({ max, lone: "replace" })],
  ["bytes", bytes(3)],
  ["blob", blob({ max })],
  ["bitmap", bitmap(12)],
  ["enumeration", enumeration(["a", "b"])],
  ["json", json({ max: 4096 })],
  ["json, lossy", json({ max: 4096, lossy: true })],
  ["typedArray(u8)", typedArray(u8, { max })],
  ["typedArray(f64)", typedArray(f64, { max })],
  ["typedArray(i64)", typedArray(i64, { max })],
  ["array(u8)", array(u8, 3)],
  ["array(f32)", array(f32, 1)],
  ["array(f64)", array(f64, 1)],
  ["array(string)", array(string({ max }), 1)],
  ["optional(f32)", optional(f32)],
  ["pointer(f32)", pointer(f32)],
  ["pointerArray(i8)", pointerArray(i8, 1)],
  ["equal(f32)", equal(f32)],
  ["equal(i32)", equal(i32)],
  ["list(f32)", list(f32, { max })],
  ["list(i32)", list(i32, { max })],
  ["set(f64)", set(f64, { max })],
  ["set(string)", set(string({ max, lone: "replace" }), { max })],
  ["map(string, f64)", map(string({ max, lone: "replace" }), f64, { max })],
  ["map(char, json)", map(char(9, { lone: "replace" }), json({ max }), { max })],
  ["record", record([["n", f32]])],
  ["struct", struct(inner)],
  ["list(struct)", list(struct(inner), { max })],
  ["oneOf", oneOf("tag", { a: [["n", i32]] })],
  ["ref", ref(inner)],
  [
    "custom",
    custom("n@1", {
      save: (value: { n: number }, writer) => writer.f64(value.n),
      load: (reader) => ({ n: reader.f64() }),
    }),
  ],
];

/** Each compiled once. */
const descriptions = kinds.map(([name, field]) => [name, described(field)] as const);

function payloadNaN(): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, 0xfff8_dead_beef_0001n);
  return view.getFloat64(0);
}

function detached(): Uint8Array {
  const view = new Uint8Array(3);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

function withOwn<T extends object>(value: T, name: string, own: unknown): T {
  return Object.defineProperty(value, name, { value: own });
}

const numbers = [
  0,
  -0,
  1,
  -1,
  1.5,
  255,
  2 ** 31,
  2 ** 53,
  1e40,
  -1e40,
  3.4028235677973366e38,
  1e-50,
  0.1,
  1e21,
];
const texts = ["", "a", "a\0b", "\ud800", "x\udc00y", "\ud83d\ude00", "ß".repeat(5), "\ufffd", "\ufeffa"];

const scalars: readonly (() => unknown)[] = [
  ...[...numbers, ...texts, Number.NaN, Infinity, -Infinity, null, undefined, true].map(
    (value) => () => value,
  ),
  ...[0n, -1n, 2n ** 63n, 2n ** 64n].map((value) => () => value),
  payloadNaN,
  () => new Date(0),
  () => new Date(Number.NaN),
  () => withOwn(new Date(5), "getTime", () => 1.5),
  () => Object.create(Date.prototype) as object,
  () => Symbol("s"),
  () => () => 1,
  detached,
  () => new Uint8Array(3),
  () => Uint8Array.of(1, 2, 0xff),
  () => withOwn(new Uint8Array(5), "length", 3),
  () => withOwn(new Uint8Array(3), "length", 5),
  () => withOwn(new Uint8Array(0), "length", 3),
  () => Object.create(Uint8Array.prototype) as object,
  () => new Proxy(new Uint8Array(3), { get: (view, name) => Reflect.get(view, name) as unknown }),
  () => Buffer.from("abc"),
  () => Float64Array.of(payloadNaN()),
  () => withOwn(new Float64Array(2), "length", 1),
  () => withOwn(new Float64Array(1), "byteLength", 64),
  () => Float32Array.of(Number.NaN),
  () => new BigInt64Array(2),
  () => new DataView(new ArrayBuffer(3)),
  () => JSON.parse('{"__proto__":{"a":-0}}') as object,
  () => Object.create(null) as object,
  () => Object.create(Map.prototype) as object,
  () => /b/.exec("abc"),
  () => new Array(2),
  () => ({ toJSON: () => 1 }),
  () => ({ [Symbol("s")]: 1 }),
  () => Object.defineProperty({}, "hidden", { value: 1, enumerable: false }),
];

const one = fc.constantFrom(...scalars);
const value: fc.Arbitrary<() => unknown> = fc.oneof(
  { weight: 4, arbitrary: one },
  one.map((make) => () => [make()]),
  fc.tuple(one, one).map(
    ([a, b]) =>
      () =>
        new Set([a(), b()]),
  ),
  fc.tuple(one, one, one).map(
    ([a, b, c]) =>
      () =>
        new Map([
          [a(), b()],
          [b(), c()],
        ]),
  ),
  one.map((make) => () => ({ tag: "a", n: make(), value: make() })),
  one.map((make) => () => [{ n: make() }]),
  fc.tuple(one, one).map(([a, b]) => () => ({ deep: [{ a: a() }, b()] })),
);

describe("hostile values of every kind", () => {
  test("are saved to the same bytes by both codecs and again after a load, or refused by their path", () => {
    const seen = { saved: 0, refused: 0 };
    fc.assert(
      fc.property(fc.constantFrom(...descriptions), value, ([name, description], make) => {
        const saved = savedBoth(description, () => ({ x: make() }));
        if ("stream" in saved) {
          seen.saved++;
          loadedAgain(description, saved.stream);
          return;
        }
        seen.refused++;
        assert.match(saved.message, /^cannot save \w+@0 at d\.x/, name);
        assert.ok(["VALUE_INVALID", "LIMIT_EXCEEDED", "HOOK_FAILED"].includes(saved.code), saved.message);
      }),
      { numRuns: 2500, seed: 14 },
    );
    assert.ok(seen.saved > 100 && seen.refused > 1000, JSON.stringify(seen));
  });

  test("numbers: zero has no sign where it is an integer, f32 never becomes infinite, NaN is one value", () => {
    for (const field of [u8, i32, i64.safe, deadline]) {
      const saved = savedBoth(described(field), () => ({ x: -0 }));
      assert.ok("stream" in saved);
      assert.ok(Object.is(loadedAgain(described(field), saved.stream).x, 0));
    }
    for (const field of [f32, f64]) {
      const saved = savedBoth(described(field), () => ({ x: -0 }));
      assert.ok("stream" in saved);
      assert.ok(Object.is(loadedAgain(described(field), saved.stream).x, -0));
      assert.deepEqual(
        savedBoth(described(field), () => ({ x: payloadNaN() })),
        savedBoth(described(field), () => ({ x: Number.NaN })),
      );
    }
    for (const x of [1e40, -1e40, 2 ** 128 - 2 ** 103])
      refusedBoth(
        described(f32),
        () => ({ x }),
        "VALUE_INVALID",
        "at d.x: expected a number that f32 can hold",
      );
    assert.ok("stream" in savedBoth(described(f32), () => ({ x: 2 ** 128 - 2 ** 103 - 2 ** 76 })));
    assert.throws(() => described(f32.since(0, 1e40)), /its default must be a number that f32 can hold/);
    assert.throws(() => described(set(optional(f32), { max })), /f32 rounds/);
  });

  test("a check sees what a load will see", () => {
    const field = f32.check((x) => x !== 0.1, "not a tenth");
    const saved = savedBoth(described(field), () => ({ x: 0.1 }));
    assert.ok("stream" in saved);
    loadedAgain(described(field), saved.stream);
  });

  test("bytes whose memory is gone, or whose length is the program's own, are not taken for others", () => {
    for (const field of [bytes(3), blob({ max }), typedArray(u8, { max }), array(u8, 3)])
      refusedBoth(described(field), () => ({ x: detached() }), "VALUE_INVALID", "at d.x");
    refusedBoth(described(blob({ max })), () => ({ x: detached() }), "VALUE_INVALID", "was transferred");
    const saved = savedBoth(described(blob({ max })), () => ({
      x: withOwn(Uint8Array.of(1, 2, 3), "length", 1),
    }));
    assert.ok("stream" in saved);
    assert.deepEqual(loadedAgain(described(blob({ max })), saved.stream).x, Uint8Array.of(1, 2, 3));
  });
});

describe("text with half of a character", () => {
  const half = "a\ud800b";

  test("is refused with its path, where it is and what can be done", () => {
    const players = map(string({ max }), record([["name", string({ max })]]), { max });
    const state = () => ({ x: new Map([["p7", { name: half }]]) });
    refusedBoth(
      described(players),
      state,
      "VALUE_INVALID",
      'at d.x["p7"].name: expected a string without lone surrogates',
      "at index 1",
      "toWellFormed()",
      'string({ max, lone: "replace" })',
    );
    refusedBoth(described(char(9)), () => ({ x: half }), "VALUE_INVALID", 'char(9, { lone: "replace" })');
  });

  test("is replaced where the field says so, by the same bytes as the replacement has", () => {
    const fields = [string({ max, lone: "replace" }), char(9, { lone: "replace" })];
    for (const field of fields) {
      const saved = savedBoth(described(field), () => ({ x: half }));
      assert.ok("stream" in saved);
      assert.equal(loadedAgain(described(field), saved.stream).x, "a\ufffdb");
      const paired = savedBoth(described(field), () => ({ x: "\ud83d\ude00" }));
      assert.ok("stream" in paired);
      assert.equal(loadedAgain(described(field), paired.stream).x, "\ud83d\ude00");
    }
  });

  test("as a key is replaced too, and two that become one are refused", () => {
    const field = map(string({ max, lone: "replace" }), u8, { max });
    const saved = savedBoth(described(field), () => ({
      x: new Map([
        [half, 1],
        ["b", 2],
      ]),
    }));
    assert.ok("stream" in saved);
    assert.deepEqual(
      [...(loadedAgain(described(field), saved.stream).x as Map<string, number>).keys()],
      ["a\ufffdb", "b"],
    );
    const two = () => ({
      x: new Map([
        [half, 1],
        ["a\udc00b", 2],
      ]),
    });
    refusedBoth(described(field), two, "VALUE_INVALID", "that are there once");
  });

  test("says nothing in the lock record, so that versions with and without it are the same", () => {
    const saved = savedBoth(described(string({ max })), () => ({ x: "a" }));
    assert.deepEqual(
      saved,
      savedBoth(described(string({ max, lone: "replace" })), () => ({ x: "a" })),
    );
  });

  test("comes back from json as it was", () => {
    const saved = savedBoth(described(json({ max })), () => ({ x: [half] }));
    assert.ok("stream" in saved);
    assert.deepEqual(loadedAgain(described(json({ max })), saved.stream).x, [half]);
  });

  test("lone is one of two words", () => {
    assert.throws(
      () => described(string({ max, lone: "drop" as "replace" })),
      /lone must be "refuse" or "replace"/,
    );
  });
});

describe("json", () => {
  const field = json({ max: 1e6 });

  test("comes back exactly: zero with its sign, members called __proto__, keys in their order", () => {
    const make = () =>
      JSON.parse('{"__proto__":{"a":-0},"b":[1e21,-1.5,"\\u0000\\"\\\\"],"1":null,"":false}') as object;
    const saved = savedBoth(described(field), () => ({ x: make() }));
    assert.ok("stream" in saved);
    const { x } = loadedAgain(described(field), saved.stream) as { x: object };
    assert.deepStrictEqual(x, make());
    assert.deepEqual(Object.keys(x), Object.keys(make()));
    assert.equal(Object.getPrototypeOf(x), Object.prototype);
  });

  test("refuses by its path what would come back as something else", () => {
    class Point {
      x = 1;
    }
    const wrong: readonly (readonly [unknown, string])[] = [
      [Number.NaN, "got NaN"],
      [-Infinity, "got -Infinity"],
      [undefined, "got undefined"],
      [1n, "got 1n"],
      [new Map([[1, 2]]), "got a Map of 1, which is no plain object"],
      [new Set(), "got a Set of 0, which is no plain object"],
      [new Date(0), "got a Date, which is no plain object"],
      [new Point(), "got a Point, which is no plain object"],
      [Object.create(null), "which is no plain object"],
      [{ toJSON: () => 1 }, "got a function"],
      [Symbol("s"), "got a symbol"],
      [{ [Symbol("s")]: 1 }, "with symbols or hidden members"],
      [new Array(1), "got a hole in the array"],
      [/b/.exec("abc"), "with members that have names"],
      [new (class extends Array {})(), "of a class"],
    ];
    for (const [value, found] of wrong) {
      const state = () => ({ x: { list: [0, { "a b": value }] } });
      refusedBoth(described(field), state, "VALUE_INVALID", 'at d.x.list[1]["a b"]', found, "lossy: true");
    }
  });

  test("takes what JSON.stringify makes of it where the field says so", () => {
    const lossy = json({ max: 1e6, lossy: true });
    const state = () => ({ x: { n: Number.NaN, u: undefined, m: new Map([[1, 2]]), d: new Date(0) } });
    const saved = savedBoth(described(lossy), state);
    assert.ok("stream" in saved);
    assert.deepEqual(loadedAgain(described(lossy), saved.stream).x, {
      n: null,
      m: {},
      d: "1970-01-01T00:00:00.000Z",
    });
    refusedBoth(described(lossy), () => ({ x: undefined }), "VALUE_INVALID", "at d.x");
  });

  test("is as deep when it is loaded as when it is saved", () => {
    const nested = (depth: number) => {
      let value: unknown = 1;
      for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
      return value;
    };
    const saved = savedBoth(described(field), () => ({ x: nested(512) }));
    assert.ok("stream" in saved);
    loadedAgain(described(field), saved.stream);
    const circle: unknown[] = [];
    circle.push(circle);
    for (const kind of [field, json({ max: 1e6, lossy: true })])
      refusedBoth(described(kind), () => ({ x: nested(513) }), "DEPTH_EXCEEDED", "nested deeper than 512");
    refusedBoth(described(field), () => ({ x: circle }), "DEPTH_EXCEEDED", "in a circle");
    for (const [text, code] of [
      [`${"[".repeat(513)}${"]".repeat(513)}`, "DEPTH_EXCEEDED"],
      [`${"[".repeat(5000)}${"]".repeat(5000)}`, "DEPTH_EXCEEDED"],
      ["[1e400]", "VALUE_INVALID"],
      [`["1e400",${"9".repeat(400)}]`, "VALUE_INVALID"],
    ] as const) {
      // A string has the same bytes as JSON text.
      const stream = savedBoth(described(string({ max: 1e6 })), () => ({ x: text }));
      assert.ok("stream" in stream);
      const body = stream.stream.slice(0, 24 + 4 + text.length + 4);
      for (const codec of ["compiled", "reference"] as const) loadRefused(codec, field, body, code);
    }
  });
});

function loadRefused(
  codec: "compiled" | "reference",
  field: AnyField,
  body: Uint8Array,
  code: ErrorCode,
): void {
  const registry = new Registry({ codec });
  const state = {};
  registry.register(described(field), state as never);
  assert.throws(
    () => registry.load(body, { foreign: true }),
    (error) => isKstateError(error, code),
  );
  assert.deepEqual(state, {});
}
