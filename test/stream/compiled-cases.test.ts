import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type AnyField,
  bool,
  char,
  type Description,
  defineState,
  type FieldList,
  f64,
  isKstateError,
  list,
  map,
  optional,
  Registry,
  record,
  ref,
  string,
  struct,
  u8,
  u16,
  u32,
} from "kstate";

const max = 1000;
const point = record([
  ["x", u32],
  ["y", f64],
]);

/** Loads the same stream with generated code and with the reference into states made by `before`. */
function loadedBoth(description: Description, stream: Uint8Array, before: () => object): object {
  const [compiled, reference] = (["compiled", "reference"] as const).map((codec) => {
    const registry = new Registry({ codec });
    const state = before();
    registry.register(description, state as never);
    const report = registry.load(stream);
    assert.equal(registry.codecUse.compiledLoads, codec === "compiled" ? 1 : 0);
    return { state, report };
  }) as [{ state: object; report: unknown }, { state: object; report: unknown }];
  assert.deepStrictEqual(compiled, reference);
  return compiled.state;
}

function defined(fields: FieldList): Description {
  return defineState({ name: "d", id: 1, fields });
}

function saved(description: Description, state: object): Uint8Array {
  const registry = new Registry({ codec: "compiled" });
  registry.register(description, state as never);
  const stream = registry.save();
  assert.equal(registry.codecUse.referenceSaves, 0);
  return stream;
}

describe("generated code", () => {
  const points = Array.from({ length: 20 }, (_, i) => ({ x: 100 + i, y: i / 2 }));

  test("fills the objects that are in a list", () => {
    const description = defined([["points", list(point, { max })]]);
    const before = Array.from({ length: 12 }, () => ({ x: 0, y: 0.5 }));
    const registry = new Registry({ codec: "compiled" });
    const state = { points: [...before] };
    registry.register(description, state as never);
    registry.load(saved(description, { points }));
    assert.deepEqual(state.points, points);
    before.forEach((object, i) => {
      assert.equal(state.points[i], object);
    });
  });

  test("fills an object that stands twice in a list once", () => {
    const description = defined([["points", list(point, { max })]]);
    const stream = saved(description, { points });
    for (const [first, second] of [
      [0, 11],
      [3, 4],
      [10, 11],
    ] as const) {
      const state = loadedBoth(description, stream, () => {
        const objects = Array.from({ length: 12 }, (_, i) => ({ x: i, y: 0.5 }));
        objects[second] = objects[first]!;
        return { points: objects };
      }) as { points: object[] };
      assert.deepEqual(state.points, points);
      assert.notEqual(state.points[first], state.points[second]);
    }
  });

  test("fills an object that stands in two lists once", () => {
    const description = defined([
      ["a", list(point, { max })],
      ["b", list(point, { max })],
      ["one", point],
    ]);
    const stream = saved(description, { a: points, b: points.slice(5), one: { x: 1, y: 2 } });
    const state = loadedBoth(description, stream, () => {
      const objects = Array.from({ length: 12 }, () => ({ x: 0, y: 0.5 }));
      return { a: objects, b: objects.toReversed(), one: objects[7] };
    }) as { a: object[]; b: object[]; one: object };
    assert.equal(new Set([...state.a, ...state.b, state.one]).size, 36);
  });

  test("does not take accessors of a class for a place to make marks", () => {
    const calls: number[] = [];
    class Point {
      #x = 0;
      y = 0.5;
      get x(): number {
        return this.#x;
      }
      set x(value: number) {
        calls.push(value);
        this.#x = value;
      }
    }
    const description = defined([["points", list(point, { max })]]);
    const registry = new Registry({ codec: "compiled" });
    const state = { points: Array.from({ length: 12 }, () => new Point()) };
    registry.register(description, state as never);
    registry.load(saved(description, { points }), { undo: false });
    assert.deepEqual(
      calls,
      points.slice(0, 12).map(({ x }) => x),
    );
  });

  test("loads nested structs in the version in which they were written", () => {
    const at = (versionId: number, fields: FieldList) =>
      defineState({ name: "inner", id: 2, versionId, fields });
    const older = at(1, [["a", u8]]);
    const newer = at(3, [
      ["a", u8],
      ["b", u16.since(2, 7)],
      ["c", string({ max: 9 }).since(3)],
    ]);
    const holding = (inner: Description) =>
      defined([
        ["one", struct(inner)],
        ["many", list(struct(inner), { max })],
        ["byName", map(string({ max: 9 }), struct(inner), { max })],
      ]);
    const state = { one: { a: 1 }, many: [{ a: 2 }, { a: 3 }], byName: new Map([["k", { a: 4 }]]) };
    const stream = saved(holding(older), state);
    const into = () => ({ one: { a: 0, b: 1, c: "kept" }, many: [], byName: new Map() });
    assert.deepEqual(loadedBoth(holding(newer), stream, into), {
      one: { a: 1, b: 7, c: "kept" },
      many: [
        { a: 2, b: 7, c: "" },
        { a: 3, b: 7, c: "" },
      ],
      byName: new Map([["k", { a: 4, b: 7, c: "" }]]),
    });
  });

  test("calls hooks as often and in the same order as the reference", () => {
    const logs = (["compiled", "reference"] as const).map((codec) => {
      const log: string[] = [];
      const inner = defineState({
        name: "inner",
        id: 2,
        versionId: 2,
        fields: [
          ["n", u8],
          ["old", u8.until(1, { save: () => 5, load: (_, value) => log.push(`old ${value}`) })],
        ],
        preLoad: (state) => log.push(`pre ${JSON.stringify(state)}`),
        postLoad: (state, versionId) => log.push(`post ${state.n} ${versionId}`),
        create: () => ({ made: true }),
      });
      const description = defined([
        ["one", struct(inner)],
        ["many", list(struct(inner), { max })],
        ["shared", list(ref(inner), { max })],
      ]);
      const same = { n: 9 };
      const writer = new Registry({ codec });
      writer.register(description, {
        one: { n: 1 },
        many: [{ n: 2 }, { n: 3 }],
        shared: [same, null, same],
      } as never);
      const stream = writer.save({ versionIds: { inner: 1 } });
      const reader = new Registry({ codec });
      const state = { one: { n: 0 }, many: [{ n: 0 }], shared: [] as unknown[] };
      reader.register(description, state as never);
      reader.load(stream);
      assert.equal(reader.codecUse.compiledLoads, codec === "compiled" ? 1 : 0);
      assert.equal(state.shared[0], state.shared[2]);
      return { log, state };
    });
    assert.deepStrictEqual(logs[0], logs[1]);
    assert.ok(logs[0]!.log.length > 10);
  });

  test("keeps fields under conditions, and refuses the same keys that are there twice", () => {
    const description = defined([
      ["mode", u8],
      ["name", string({ max: 20 }).when("mode", ">", 1)],
      ["deep", bool.when("name", "==", "yes")],
      ["byChar", map(char(4), optional(u8), { max })],
    ]);
    const states = [
      { mode: 0, name: "yes", deep: true },
      { mode: 2, name: "yes", deep: true },
      { mode: 2, name: "no", deep: true },
    ].map((state) => ({
      ...state,
      byChar: new Map<string, number | null>([
        ["a", 1],
        ["abcd", null],
      ]),
    }));
    for (const state of states) {
      const stream = saved(description, state);
      loadedBoth(description, stream, () => ({}));
      loadedBoth(description, stream, () => ({
        mode: 9,
        name: "x",
        deep: false,
        byChar: new Map([["abcd", 3]]),
      }));
    }
  });

  test("a chain of a million objects goes through", () => {
    interface Node {
      next: Node | null;
    }
    const node: Description<Node> = defineState({ name: "node", id: 2, fields: [["next", ref(() => node)]] });
    const description = defined([["first", ref(node) as AnyField]]);
    let first: Node = { next: null };
    for (let i = 1; i < 1_000_000; i++) first = { next: first };
    const registry = new Registry({ codec: "compiled" });
    const state: { first: Node | null } = { first: null };
    registry.register(description, state as never);
    registry.load(saved(description, { first }), { undo: false });
    let length = 0;
    for (let at = state.first; at !== null; at = at.next) length++;
    assert.equal(length, 1_000_000);
    assert.equal(registry.codecUse.compiledLoads, 1);
  });

  test("a buffer that is exactly large enough is written to the end, a smaller one is STREAM_FULL", () => {
    const description = defined([
      ["name", string({ max: 100 })],
      ["names", list(string({ max: 100 }), { max })],
    ]);
    const state = { name: "größer", names: ["one", "zwölf", "x".repeat(60)] };
    const registry = new Registry({ codec: "compiled" });
    registry.register(description, state as never);
    const stream = registry.save();
    assert.deepEqual(registry.save({ into: new Uint8Array(stream.length) }), stream);
    for (const size of [0, 10, 30, stream.length - 1]) {
      assert.throws(
        () => registry.save({ into: new Uint8Array(size) }),
        (error) => isKstateError(error, "STREAM_FULL"),
      );
    }
  });

  test("a save inside of a save, and a load inside of a load, do not disturb it", () => {
    const registry = new Registry({ codec: "compiled" });
    let inner: Uint8Array | undefined;
    const description: Description = defineState({
      name: "d",
      id: 1,
      fields: [
        ["n", u8.check(() => nested(), "always")],
        ["names", list(string({ max: 9 }), { max })],
      ],
    });
    const other = new Registry({ codec: "compiled" });
    let depth = 0;
    function nested(): boolean {
      if (depth > 0) return true;
      depth++;
      inner = other.save();
      depth--;
      return true;
    }
    registry.register(description, { n: 1, names: ["a", "b"] } as never);
    other.register(description, { n: 2, names: ["c"] } as never);
    const outer = registry.save();
    const read = { n: 0, names: [] };
    const reader = new Registry({ codec: "compiled" });
    reader.register(description, read as never);
    reader.load(outer);
    assert.deepEqual(read, { n: 1, names: ["a", "b"] });
    reader.load(inner!);
    assert.deepEqual(read, { n: 2, names: ["c"] });
  });
});
