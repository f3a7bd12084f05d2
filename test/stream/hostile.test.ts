import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type AnyField,
  array,
  bitmap,
  blob,
  bytes,
  char,
  custom,
  type Description,
  defineState,
  f64,
  isKstateError,
  json,
  list,
  map,
  pointerArray,
  Registry,
  set,
  string,
  struct,
  typedArray,
  u8,
  u32,
} from "kstate";

const most = 0x7fffffff;
const item = defineState({ name: "item", id: 2, fields: [["n", u8]] });
const itemHeader = [2, 2, 0, 0];

/** A stream whose section's data are these u32 numbers. */
function streamOf(...numbers: number[]): Uint8Array {
  const all = Uint32Array.of(0x3b37778c, 2, 1, 0, 0, numbers.length * 4, ...numbers, 0xffffffff);
  return new Uint8Array(all.buffer);
}

const cases: [string, AnyField, number[]][] = [
  ["string", string({ max: most }), [most]],
  ["blob", blob({ max: most }), [most]],
  ["json", json({ max: most }), [most]],
  ["typedArray", typedArray(f64, { max: most }), [most]],
  ["list", list(u32, { max: most }), [most]],
  ["list of lists", list(list(u8, { max: most }), { max: most }), [most]],
  ["list of structs", list(struct(item), { max: most }), [...itemHeader, 4, most]],
  ["set", set(u8, { max: most }), [most]],
  ["map", map(u8, u8, { max: most }), [most]],
  ["map of structs", map(u8, struct(item), { max: most }), [...itemHeader, 4, most]],
  ["array", array(u32, most), [1]],
  ["array of structs", array(struct(item), 2 ** 26), [1]],
  ["bytes", bytes(most), [1]],
  ["char", char(2 ** 29 - 24), [1]],
  ["bitmap", bitmap(most), [1]],
  ["custom", custom("greedy@1", { save() {}, load: (reader) => reader.bytes(reader.u32()) }), [most]],
];

describe("hostile lengths", () => {
  for (const [name, field, numbers] of cases) {
    test(`${name}: a length of 2^31 - 1 is refused before anything is allocated`, () => {
      const registry = new Registry();
      const state = {};
      registry.register(defineState({ name: "d", id: 1, fields: [["x", field]] }), state as never);
      const stream = streamOf(...numbers);
      const before = process.memoryUsage();
      assert.throws(
        () => registry.load(stream, { foreign: true }),
        (error) => isKstateError(error, "STREAM_TRUNCATED") || isKstateError(error, "LIMIT_EXCEEDED"),
      );
      const after = process.memoryUsage();
      assert.ok(after.arrayBuffers - before.arrayBuffers < 1_000_000, "bytes were allocated");
      assert.ok(after.heapUsed - before.heapUsed < 20_000_000, "objects were allocated");
    });
  }

  test("pointerArray: a count of 2^32 - 1 is refused, also if its elements may take no bytes", () => {
    const nothing = custom("nothing@1", { save() {}, load: () => null });
    for (const element of [u8, nothing]) {
      const registry = new Registry();
      const description = defineState({
        name: "d",
        id: 1,
        fields: [
          ["n", u32],
          ["x", pointerArray(element, "n")],
        ],
      });
      registry.register(description, {} as never);
      assert.throws(
        () => registry.load(streamOf(0xffffffff), { foreign: true }),
        (error) => isKstateError(error, "LIMIT_EXCEEDED"),
      );
    }
  });

  test("structs in structs, deeper than the limit, are refused without overflowing the stack", () => {
    interface Tree {
      children: Tree[];
    }
    const tree: Description<Tree> = defineState({
      name: "d",
      id: 1,
      fields: [
        [
          "children",
          list(
            struct(() => tree),
            { max: 1 },
          ),
        ],
      ],
    });
    const depth = 100_000;
    const words = [0x3b37778c, 2, 1, 0, 0, depth * 24];
    for (let level = 1; level <= depth; level++) {
      words.push(2, 1, 0, 0, (depth - level) * 24 + 4, level < depth ? 1 : 0);
    }
    const stream = new Uint8Array(Uint32Array.from([...words, 0xffffffff]).buffer);
    const registry = new Registry();
    registry.register(tree, { children: [] });
    assert.throws(
      () => registry.load(stream, { foreign: true }),
      (error) => isKstateError(error, "DEPTH_EXCEEDED"),
    );
  });
});
