import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import {
  type Description,
  defineState,
  equal,
  isKstateError,
  list,
  map,
  Registry,
  record,
  ref,
  string,
  struct,
  u8,
  u16,
} from "kstate";

const text = string({ max: 50 });

describe("hooks", () => {
  test("they are called around save and load, inner objects first, subsections before their section's end", () => {
    const calls: string[] = [];
    const hooks = (name: string) => ({
      preSave: () => void calls.push(`preSave ${name}`),
      postSave: () => void calls.push(`postSave ${name}`),
      preLoad: () => void calls.push(`preLoad ${name}`),
      postLoad: (_state: unknown, versionId: number) => void calls.push(`postLoad ${name} ${versionId}`),
    });
    const inner = defineState({ name: "inner", id: 1, versionId: 3, fields: [["a", u8]], ...hooks("inner") });
    const extra = defineState({ name: "extra", id: 2, fields: [["b", u8]], ...hooks("extra") });
    const outer = defineState({
      name: "outer",
      id: 3,
      versionId: 2,
      fields: [["inner", struct(inner)]],
      subsections: [extra],
      ...hooks("outer"),
    });
    const registry = new Registry();
    registry.register(outer, { inner: { a: 1 }, b: 2 });
    const stream = registry.save();
    assert.deepEqual(calls, [
      "preSave outer",
      "preSave inner",
      "postSave inner",
      "preSave extra",
      "postSave extra",
      "postSave outer",
    ]);
    calls.length = 0;
    registry.load(stream);
    assert.deepEqual(calls, [
      "preLoad outer",
      "preLoad inner",
      "preLoad extra",
      "postLoad inner 3",
      "postLoad extra 0",
      "postLoad outer 2",
    ]);
  });

  test("postSave follows a successful preSave even if the save fails", () => {
    let open = 0;
    const description = defineState({
      name: "d",
      id: 1,
      fields: [["a", u8]],
      preSave: () => void open++,
      postSave: () => void open--,
    });
    const registry = new Registry();
    registry.register(description, { a: 999 });
    assert.throws(
      () => registry.save(),
      (error) =>
        isKstateError(error, "VALUE_INVALID") &&
        error.message === "cannot save d@0 at d.a: expected an integer from 0 to 255, got 999",
    );
    assert.equal(open, 0);
  });

  test("a postSave that throws does not hide why the save failed, wherever it is", () => {
    const cause = new Error("still open");
    const hooks = {
      preSave: () => {},
      postSave: () => {
        throw cause;
      },
    };
    const inner = defineState({ name: "inner", id: 1, fields: [["a", u8]], ...hooks });
    const fields = [["a", u8]] as const;
    const cases: readonly (readonly [string, Description, object])[] = [
      ["d.a", defineState({ name: "d", id: 2, fields, ...hooks }), { a: 999 }],
      [
        "d.inner.a",
        defineState({ name: "d", id: 2, fields: [["inner", struct(inner)]] }),
        { inner: { a: 999 } },
      ],
      ["d.next.a", defineState({ name: "d", id: 2, fields: [["next", ref(inner)]] }), { next: { a: 999 } }],
      [
        "d.all[1].a",
        defineState({ name: "d", id: 2, fields: [["all", list(struct(inner), { max: 9 })]] }),
        { all: [{ a: 1 }, { a: 999 }] },
      ],
      ["d.a", defineState({ name: "d", id: 2, fields: [], subsections: [inner] }), { a: 999 }],
    ];
    for (const codec of ["compiled", "reference"] as const) {
      for (const [path, description, state] of cases) {
        const registry = new Registry({ codec });
        registry.register(description, state as never);
        assert.throws(
          () => registry.save(),
          (error) => {
            assert.ok(isKstateError(error), String(error));
            const isList = path.includes("[");
            const first = isList ? "HOOK_FAILED" : "VALUE_INVALID";
            assert.equal(error.code, first, `${codec} ${path}: ${error.message}`);
            if (isList) return true; // its first element's postSave is the first error
            assert.ok(error.message.includes(`at ${path}: expected an integer from 0 to 255, got 999`));
            assert.match(error.message, /; and the save could not be ended: postSave \(.*still open\)$/);
            assert.equal(error.suppressed?.length, 1);
            assert.equal((error.suppressed[0] as Error).cause, cause);
            return true;
          },
        );
      }
    }
  });

  test("of a getter that throws and a postSave that throws the getter is the cause", () => {
    const [getter, after] = [new Error("no value"), new Error("still open")];
    const inner = defineState({
      name: "inner",
      id: 1,
      fields: [["a", u8]],
      postSave: () => assert.fail(after),
    });
    const outer = defineState({
      name: "outer",
      id: 2,
      fields: [["inner", struct(inner)]],
      postSave: () => assert.fail(after),
    });
    for (const codec of ["compiled", "reference"] as const) {
      const registry = new Registry({ codec });
      const state = {
        get a(): number {
          throw getter;
        },
      };
      registry.register(outer, { inner: state });
      assert.throws(
        () => registry.save(),
        (error) =>
          isKstateError(error, "HOOK_FAILED") &&
          error.message.startsWith(
            "cannot save inner@0 at outer.inner.a: the program's own code threw an Error: no value",
          ) &&
          error.cause === getter &&
          error.suppressed?.length === 2,
      );
    }
  });

  test("what a hook throws while saving is the cause of an error that names it", () => {
    const cause = new Error("not now");
    const description = defineState({
      name: "d",
      id: 1,
      fields: [["a", u8]],
      preSave: () => {
        throw cause;
      },
    });
    const registry = new Registry();
    registry.register(description, { a: 9 });
    assert.throws(
      () => registry.save(),
      (error) =>
        isKstateError(error, "HOOK_FAILED") && error.cause === cause && error.message.endsWith("not now"),
    );
  });

  test("every hook that throws is named, and one that returns a promise is refused", () => {
    const hooks = ["preSave", "postSave", "needed", "block", "preLoad", "postLoad"] as const;
    for (const hook of hooks) {
      for (const [run, reason] of [
        [
          () => {
            throw new Error("no");
          },
          "threw an Error: no",
        ],
        [async () => {}, "returned a promise; hooks are synchronous"],
      ] as const) {
        const description = defineState({
          name: "d",
          id: 1,
          fields: [["a", u8]],
          [hook]: run,
        } as never) as Description;
        const state = { a: 5 };
        const registry = new Registry();
        registry.register(description, state as never);
        const plain = new Registry();
        plain.register(defineState({ name: "d", id: 1, fields: [["a", u8]] }), { a: 1 });
        const isLoad = hook === "preLoad" || hook === "postLoad";
        assert.throws(
          () => (isLoad ? registry.load(plain.save()) : registry.save()),
          (error) =>
            isKstateError(error, "HOOK_FAILED") &&
            error.message === `cannot ${isLoad ? "load" : "save"}: ${hook} of d ${reason}`,
          hook,
        );
        assert.deepEqual(state, { a: 5 });
      }
    }
  });

  test("a predicate that is async never holds", () => {
    const description = defineState({
      name: "d",
      id: 1,
      fields: [["a", u8.check((async () => true) as never, "must be synchronous")]],
    });
    const registry = new Registry();
    registry.register(description, { a: 1 });
    assert.throws(
      () => registry.save(),
      (error) => isKstateError(error, "CHECK_FAILED"),
    );
  });

  test("if postLoad throws, every object is put back: the same objects in the same places", () => {
    const item = defineState({ name: "item", id: 1, fields: [["n", u8]] });
    const world = defineState({
      name: "world",
      id: 2,
      fields: [
        ["list", list(struct(item), { max: 9 })],
        ["map", map(text, struct(item), { max: 9 })],
        ["nested", record([["deep", struct(item)]])],
        ["node", ref(item)],
      ],
      preLoad: (state) => {
        state.list.length = 0;
      },
    });
    const failing = defineState({
      name: "failing",
      id: 3,
      fields: [["a", u8]],
      postLoad: () => {
        throw new Error("boom");
      },
    });
    const make = (n: number, count: number) => ({
      list: Array.from({ length: count }, () => ({ n })),
      map: new Map(Array.from({ length: count }, (_, i) => [`k${i + n}`, { n }])),
      nested: { deep: { n } },
      node: { n },
    });
    const saved = new Registry();
    saved.register(world, make(1, 3));
    saved.register(failing, { a: 1 });
    const state = make(2, 2);
    const before = { list: [...state.list], map: [...state.map], deep: state.nested.deep, node: state.node };
    const registry = new Registry();
    registry.register(world, state);
    registry.register(failing, { a: 2 });
    assert.throws(
      () => registry.load(saved.save()),
      (error) =>
        isKstateError(error, "HOOK_FAILED") &&
        error.message === "cannot load: postLoad of failing threw an Error: boom",
    );
    assert.ok(isDeepStrictEqual(state, make(2, 2)));
    assert.deepEqual(
      state.list.map((element, i) => element === before.list[i]),
      [true, true],
    );
    assert.ok(
      [...state.map].every(([key, value], i) => key === before.map[i]![0] && value === before.map[i]![1]),
    );
    assert.ok(state.nested.deep === before.deep && state.node === before.node);
  });

  test("an object that does not take a value is put back", () => {
    const description = defineState({
      name: "d",
      id: 1,
      fields: [
        ["a", u8],
        ["b", u8],
      ],
    });
    const saved = new Registry();
    saved.register(description, { a: 1, b: 2 });
    const state = {
      a: 5,
      get b() {
        return 6;
      },
    };
    const registry = new Registry();
    registry.register(description, state);
    assert.throws(
      () => registry.load(saved.save()),
      (error) => isKstateError(error, "APPLY_FAILED") && error.cause instanceof TypeError,
    );
    assert.equal(state.a, 5);
  });

  test("objects are loaded in the order that after asks for, and postLoad sees the earlier ones", () => {
    const order: string[] = [];
    const make = (name: string, id: number, after: Description[]) =>
      defineState({ name, id, after, fields: [["a", u8]], preLoad: () => void order.push(name) });
    const third = make("third", 1, []);
    const second = make("second", 2, [third]);
    const first = make("first", 3, [second, third]);
    const registry = new Registry();
    for (const description of [first, second, third]) registry.register(description, { a: 1 });
    registry.load(registry.save());
    assert.deepEqual(order, ["third", "second", "first"]);
  });

  test("a circle of after is refused when it is registered", () => {
    const one: Description<{ a: number }> = defineState({
      name: "one",
      id: 1,
      after: [() => two],
      fields: [["a", u8]],
    });
    const two: Description<{ a: number }> = defineState({
      name: "two",
      id: 2,
      after: [one],
      fields: [["a", u8]],
    });
    const registry = new Registry();
    assert.throws(
      () => registry.register(one, { a: 1 }),
      (error) =>
        isKstateError(error, "ORDER_CYCLE") &&
        error.message ===
          "register: there is no order of loading, because of after: one after two after one; remove one of them",
    );
    assert.equal(registry.size, 0);
  });

  test("a hook may save the same registry, or another part of the program's", () => {
    let inner: Uint8Array | undefined;
    const registry = new Registry();
    const description = defineState({
      name: "d",
      id: 1,
      fields: [["text", text]],
      preSave: (state) => {
        state.text += "!";
        if (state.text === "a!") inner = registry.save();
      },
    });
    const state = { text: "a" };
    registry.register(description, state);
    const outer = registry.save();
    assert.equal(Buffer.from(outer).includes("a!!"), true);
    registry.load(outer);
    registry.load(inner!);
    assert.equal(state.text, "a!!");
  });

  test("block refuses a save with its reason, until it is taken back", () => {
    const description = defineState({
      name: "d",
      id: 1,
      fields: [["a", u8]],
      block: (state) => (state.a > 5 ? "a is too large to leave" : null),
    });
    const state = { a: 6 };
    const registry = new Registry();
    registry.register(description, state);
    const release = registry.block("a payment is under way");
    assert.throws(
      () => registry.save(),
      (error) =>
        isKstateError(error, "BLOCKED") &&
        error.message === "cannot save now: a payment is under way; d: a is too large to leave",
    );
    release();
    assert.deepEqual(registry.blocked(), [{ description: "d", reason: "a is too large to leave" }]);
    state.a = 1;
    assert.doesNotThrow(() => registry.save());
  });

  test("an equal field must be what is present, and nothing has changed if it is not", () => {
    const description = defineState({
      name: "d",
      id: 1,
      fields: [
        ["a", u8],
        ["boardSize", equal(u16)],
      ],
    });
    const saved = new Registry();
    saved.register(description, { a: 1, boardSize: 8 });
    const state = { a: 2, boardSize: 10 };
    const registry = new Registry();
    registry.register(description, state);
    assert.throws(
      () => registry.load(saved.save()),
      (error) =>
        isKstateError(error, "EQUAL_MISMATCH") &&
        error.message ===
          "cannot load d at boardSize: the stream has 8, but 10 is present and they must be equal",
    );
    assert.deepEqual(state, { a: 2, boardSize: 10 });
  });

  test("checks of fields and of objects refuse on save and on load, seeing whole objects", () => {
    const range = (sane: boolean) =>
      defineState({
        name: "range",
        id: 1,
        fields: [
          ["low", u8],
          ["high", u8],
          ["names", list(text, { max: 9 }).check((names) => !sane || names.length > 0, "needs a name")],
        ],
        check: [(state) => !sane || state.low <= state.high, "low must not be above high"],
      });
    const outerOf = (inner: ReturnType<typeof range>) =>
      defineState({ name: "outer", id: 2, fields: [["ranges", list(struct(inner), { max: 9 })]] });
    const save = (sane: boolean, low: number, names: string[]) => {
      const registry = new Registry();
      registry.register(outerOf(range(sane)), {
        ranges: [
          { low: 1, high: 2, names: ["x"] },
          { low, high: 5, names },
        ],
      });
      return registry.save();
    };
    assert.throws(
      () => save(true, 6, ["a"]),
      (error) =>
        isKstateError(error, "CHECK_FAILED") &&
        error.message ===
          "cannot save range@0 at outer.ranges[1]: low must not be above high; it is an Object",
    );
    const state = { ranges: [] };
    const registry = new Registry();
    registry.register(outerOf(range(true)), state);
    assert.throws(
      () => registry.load(save(false, 6, ["a"])),
      (error) => isKstateError(error, "CHECK_FAILED") && error.detail.path === "outer.ranges[1]",
    );
    assert.throws(
      () => registry.load(save(false, 1, [])),
      (error) =>
        isKstateError(error, "CHECK_FAILED") &&
        error.message === "cannot load range@0 at outer.ranges[1].names: needs a name; it is an Array of 0",
    );
    assert.deepEqual(state, { ranges: [] });
    assert.doesNotThrow(() => registry.load(save(true, 1, ["a"])));
  });
});
