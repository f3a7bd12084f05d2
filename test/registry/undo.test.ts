import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type AnyField,
  blob,
  type Description,
  defineState,
  isKstateError,
  type KstateError,
  list,
  map,
  pointer,
  Registry,
  ref,
  set,
  string,
  struct,
  typedArray,
  u8,
  u32,
} from "kstate";

const text = string({ max: 100 });
const item = defineState({ name: "item", id: 1, fields: [["n", u8]] });

/** A registry whose load fails when everything has been filled in, after `before` was called. */
function failing(description: ReturnType<typeof worldOf>, state: object, before: () => void = () => {}) {
  const last = defineState({
    name: "last",
    id: 99,
    fields: [["n", u8]],
    postLoad: () => {
      before();
      throw new Error("boom");
    },
  });
  const registry = new Registry();
  registry.register(description, state as never);
  registry.register(last, { n: 0 });
  return (saved: object): KstateError => {
    const writer = new Registry();
    writer.register(description, saved as never);
    writer.register(last, { n: 1 });
    try {
      registry.load(writer.save());
    } catch (error) {
      assert.ok(isKstateError(error, "HOOK_FAILED"), String(error));
      assert.match(error.message, /^cannot load: postLoad of last threw an Error: boom/);
      return error;
    }
    throw new Error("the load did not fail");
  };
}

const worldOf = (kind: AnyField) =>
  defineState({
    name: "world",
    id: 2,
    fields: [
      ["a", u8],
      ["held", kind],
      ["z", u8],
    ] as [["a", typeof u8], ["held", AnyField], ["z", typeof u8]],
  });

describe("an undo goes on to its end", () => {
  test("past setters that throw, which are added to the first error", () => {
    const description = defineState({
      name: "world",
      id: 2,
      fields: [
        ["a", u8],
        ["b", u8],
        ["c", u8],
        ["d", u8],
      ],
    });
    let isShut = false;
    const throwing = (name: string, value: number) => ({
      get: () => value,
      set(next: number) {
        if (isShut) throw new Error(`${name} is shut`);
        value = next;
      },
    });
    const state = Object.defineProperties(
      { a: 1, d: 4 } as unknown as Record<"a" | "b" | "c" | "d", number>,
      {
        b: throwing("b", 2),
        c: throwing("c", 3),
      },
    );
    const load = failing(description as never, state, () => {
      isShut = true;
    });
    const error = load({ a: 11, b: 12, c: 13, d: 14 });
    assert.equal(
      error.message,
      "cannot load: postLoad of last threw an Error: boom; and could not be put back: c of an Object (c is shut), b of an Object (b is shut)",
    );
    assert.deepEqual(
      error.suppressed?.map((other) => (other as Error).message),
      ["c is shut", "b is shut"],
    );
    assert.equal((error.cause as Error).message, "boom");
    assert.deepEqual([state.a, state.b, state.c, state.d], [1, 12, 13, 4]);
  });

  test("past objects that were frozen, sealed or deleted from meanwhile", () => {
    const description = defineState({
      name: "world",
      id: 2,
      fields: [
        ["list", list(struct(item), { max: 9 })],
        ["n", u8],
      ],
    });
    const state = { list: [{ n: 1 }, { n: 2 }], n: 3 };
    const [first] = state.list;
    const load = failing(description as never, state, () => {
      Object.freeze(state.list);
      Object.freeze(first);
    });
    const error = load({ list: [{ n: 11 }], n: 13 });
    assert.equal(error.suppressed?.length, 2);
    assert.match(error.message, /could not be put back: an Array of 1 \(.*\), n of an Object \(.*\)$/);
    assert.equal(state.n, 3);
  });

  test("past memory that was transferred away, which is no target for a load either", () => {
    const held = Uint32Array.of(1, 2);
    const gone = new Uint8Array(2);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    const description = defineState({
      name: "world",
      id: 2,
      fields: [
        ["typed", typedArray(u32, { max: 9 })],
        ["blob", blob({ max: 9 })],
        ["n", u8],
      ],
    });
    const state = { typed: held, blob: gone, n: 3 };
    const load = failing(description as never, state, () => {
      structuredClone(held.buffer, { transfer: [held.buffer] });
    });
    const error = load({ typed: Uint32Array.of(5, 6), blob: Uint8Array.of(7, 8), n: 13 });
    assert.equal(error.suppressed?.length, 1);
    assert.match(error.message, /transferred or resized/);
    assert.deepEqual([state.n, state.blob === gone, state.typed === held], [3, true, true]);
    const writer = new Registry();
    writer.register(description, { typed: Uint32Array.of(5), blob: Uint8Array.of(7, 8), n: 13 });
    const reader = new Registry();
    reader.register(description, state);
    reader.load(writer.save());
    assert.deepEqual([state.n, state.blob, state.typed], [13, Uint8Array.of(7, 8), Uint32Array.of(5)]);
  });

  for (const what of ["map", "set"] as const) {
    test(`with a ${what} of the program's own class: its methods are asked, and where they fail the language's`, () => {
      let mode: "books" | "throws" | "forgets" = "books";
      const calls: string[] = [];
      class OwnMap extends Map<string, number> {
        override clear(): void {
          calls.push("clear");
          if (mode === "throws") throw new Error("never cleared");
          super.clear();
        }
        override set(key: string, value: number): this {
          if (mode === "forgets" && key === "two") return this;
          return super.set(key, value);
        }
        override *[Symbol.iterator](): MapIterator<[string, number]> {}
      }
      class OwnSet extends Set<string> {
        override clear(): void {
          calls.push("clear");
          if (mode === "throws") throw new Error("never cleared");
          super.clear();
        }
        override add(value: string): this {
          if (mode === "forgets" && value === "two") return this;
          return super.add(value);
        }
        override *[Symbol.iterator](): SetIterator<string> {}
      }
      const kind = what === "map" ? map(text, u8, { max: 9 }) : set(text, { max: 9 });
      const plain = what === "map" ? new Map([["three", 3]]) : new Set(["three"]);
      const entries = [
        ["one", 1],
        ["two", 2],
      ] as const;
      const fill = (held: Map<string, number> | Set<string>) => {
        for (const [key, value] of entries) held instanceof Map ? held.set(key, value) : held.add(key);
        return held;
      };
      for (const then of ["books", "throws", "forgets"] as const) {
        mode = "books";
        const held = fill(what === "map" ? new OwnMap() : new OwnSet());
        const state = { a: 1, held, z: 2 };
        const load = failing(worldOf(kind), state, () => {
          mode = then;
          calls.length = 0;
        });
        const error = load({ a: 3, held: plain, z: 4 });
        assert.equal(error.suppressed, undefined, then);
        assert.deepEqual([state.a, state.held === held, state.z], [1, true, 2]);
        assert.deepEqual([...held.keys()], ["one", "two"]);
        assert.deepEqual(calls, ["clear"]);
      }
    });
  }

  test("with proxies, whose traps may throw", () => {
    let isShut = false;
    const target = { n: 1 };
    const proxy = new Proxy(target, {
      getPrototypeOf(object) {
        if (isShut) throw new Error("shut");
        return Reflect.getPrototypeOf(object);
      },
      set(object, name, value) {
        if (isShut) throw new Error("shut");
        return Reflect.set(object, name, value);
      },
    });
    const state = { a: 1, held: proxy, z: 2 };
    const load = failing(worldOf(struct(item)), state, () => {
      isShut = true;
    });
    const error = load({ a: 3, held: { n: 4 }, z: 5 });
    assert.equal(error.suppressed?.length, 1);
    assert.match(error.message, /could not be put back: n of an object \(shut\)$/);
    assert.deepEqual([state.a, state.z], [1, 2]);
  });

  test("with a value that is thrown and cannot be told", () => {
    const description = defineState({ name: "world", id: 2, fields: [["n", u8]] });
    const state = {
      get n() {
        return 1;
      },
      set n(_: number) {
        throw Object.create(null);
      },
    };
    const registry = new Registry();
    registry.register(description, state);
    const writer = new Registry();
    writer.register(description, { n: 2 });
    assert.throws(
      () => registry.load(writer.save()),
      (error) =>
        isKstateError(error, "APPLY_FAILED") &&
        error.message ===
          "cannot load world: the object did not take the values: an object: it cannot be said why",
    );
  });

  test("with what one object is in two descriptions", () => {
    const one = defineState({ name: "one", id: 1, fields: [["n", u8]] });
    const two = defineState({ name: "two", id: 3, fields: [["m", u8]] });
    const description = defineState({
      name: "world",
      id: 2,
      fields: [
        ["one", ref(one)],
        ["two", ref(two)],
      ],
    });
    const shared = { n: 1, m: 2 };
    const state = { one: shared, two: shared };
    const load = failing(description as never, state);
    load({ one: { n: 3 }, two: { m: 4 } });
    assert.deepEqual(shared, { n: 1, m: 2 });
  });

  test("an object that cannot be read before it is changed is named, and nothing is changed", () => {
    const description = defineState({
      name: "world",
      id: 2,
      fields: [
        ["a", u8],
        ["b", u8],
      ],
    });
    const state = {
      a: 1,
      get b(): number {
        throw new Error("not yet");
      },
      set b(_: number) {},
    };
    const registry = new Registry();
    registry.register(description, state, 5);
    const writer = new Registry();
    writer.register(description, { a: 2, b: 3 }, 5);
    assert.throws(
      () => registry.load(writer.save()),
      (error) =>
        isKstateError(error, "APPLY_FAILED") &&
        error.message === "cannot load world#5: the object did not take the values: an Error: not yet",
    );
    assert.equal(state.a, 1);
  });
});

describe("a circle of structs as a target", () => {
  interface Node {
    n: number;
    boxes: Node[];
  }
  const node: Description<Node> = defineState({
    name: "node",
    id: 5,
    fields: [
      ["n", u8],
      ["boxes", list(pointer(struct(() => node)), { max: 9 })],
    ],
  });

  test("is undone", () => {
    const circle: Node = { n: 1, boxes: [] };
    const other: Node = { n: 2, boxes: [circle, circle] };
    circle.boxes = [other, circle];
    const boxes = circle.boxes;
    const load = failing(node as never, circle);
    load({ n: 7, boxes: [{ n: 8, boxes: [{ n: 9, boxes: [] }] }] });
    assert.deepEqual([circle.n, other.n, circle.boxes === boxes], [1, 2, true]);
    assert.ok(circle.boxes[0] === other && circle.boxes[1] === circle && circle.boxes.length === 2);
    assert.ok(other.boxes[0] === circle && other.boxes[1] === circle && other.boxes.length === 2);
  });
});
