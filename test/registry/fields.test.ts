import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type AnyField,
  array,
  bytes,
  char,
  custom,
  type Description,
  defineState,
  enumeration,
  type FieldList,
  folio,
  isKstateError,
  list,
  map,
  oneOf,
  optional,
  pointer,
  Registry,
  record,
  set,
  string,
  struct,
  typedArray,
  u8,
  u16,
  u32,
  unused,
} from "kstate";

const text = string({ max: 50 });

function described(versionId: number, ...fields: (readonly [string, AnyField])[]): Description {
  return defineState({ name: "d", id: 1, versionId, fields: fields as FieldList });
}

function saved(description: Description, state: object, options = {}): Uint8Array {
  const registry = new Registry();
  registry.register(description, state as never);
  return registry.save(options);
}

function loaded<State extends object>(
  description: Description,
  stream: Uint8Array,
  into: State,
  options = {},
): State {
  const registry = new Registry();
  registry.register(description, into as never);
  registry.load(stream, options);
  return into;
}

describe("fields that are not in the incoming version", () => {
  test("a declared default wins, made anew for each object", () => {
    const old = described(1, ["items", list(record([["a", u8]]), { max: 9 })]);
    const now = described(
      2,
      [
        "items",
        list(
          record([
            ["a", u8],
            ["tags", list(text, { max: 9 }).since(2, () => [])],
          ]),
          { max: 9 },
        ),
      ],
      ["level", u16.since(2, 7)],
    );
    const state = loaded(now, saved(old, { items: [{ a: 1 }, { a: 2 }] }), {
      items: [{ a: 0, tags: ["old"] }],
      level: 1,
    });
    assert.deepEqual(state, {
      items: [
        { a: 1, tags: [] },
        { a: 2, tags: [] },
      ],
      level: 7,
    });
    assert.notEqual(state.items[0]!.tags, state.items[1]!.tags);
  });

  test("without a default an existing object keeps its value, and a created one gets the kind's zero", () => {
    const inner = (versionId: number, fields: FieldList) =>
      defineState({ name: "inner", id: 2, versionId, fields });
    const outer = (description: Description) => described(1, ["list", list(struct(description), { max: 9 })]);
    const old = outer(inner(1, [["a", u8]]));
    const zero = custom("zero@1", { save() {}, load: () => "loaded", zero: () => "zero" });
    const now = outer(
      inner(2, [
        ["a", u8],
        ["n", u32.since(2)],
        ["t", text.since(2)],
        ["o", optional(u8).since(2)],
        ["m", map(u8, u8, { max: 1 }).since(2)],
        ["s", set(u8, { max: 1 }).since(2)],
        ["b", bytes(2).since(2)],
        ["f", array(u16, 2).since(2)],
        ["p", pointer(u8).since(2)],
        ["e", enumeration(["first", "second"]).since(2)],
        ["v", oneOf("type", { one: [["x", u8]], two: [] }).since(2)],
        ["y", typedArray(u16, { max: 4 }).since(2)],
        ["c", zero.since(2)],
        ["g", folio().since(2)],
        ["k", struct(defineState({ name: "leaf", id: 3, fields: [["z", u16]] })).since(2)],
      ]),
    );
    const existing = { a: 9, n: 5, t: "kept" };
    const state = loaded(now, saved(old, { list: [{ a: 1 }, { a: 2 }] }), { list: [existing] });
    assert.equal(existing.n, 5);
    assert.equal(existing.t, "kept");
    assert.deepEqual(state.list[1], {
      a: 2,
      n: 0,
      t: "",
      o: null,
      m: new Map(),
      s: new Set(),
      b: new Uint8Array(2),
      f: new Uint16Array(2),
      p: { value: 0 },
      e: "first",
      v: { type: "one", x: 0 },
      y: new Uint16Array(0),
      c: "zero",
      g: { address: 0n },
      k: { z: 0 },
    });
  });

  test("the fields of a subsection that is absent follow the same rule", () => {
    const extra = defineState({
      name: "extra",
      id: 2,
      fields: [
        ["level", u8.since(0, 7)],
        ["note", text],
      ],
    });
    const plain = { name: "d", id: 1, fields: [["a", u8]] } as const;
    const whole = defineState({ ...plain, subsections: [extra] });
    const wholes = defineState({ name: "all", id: 3, fields: [["list", list(struct(whole), { max: 9 })]] });
    const plains = defineState({
      name: "all",
      id: 3,
      fields: [["list", list(struct(defineState(plain)), { max: 9 })]],
    });
    const state = { list: [{ a: 0, level: 1, note: "kept" }] };
    loaded(wholes, saved(plains, { list: [{ a: 1 }, { a: 2 }] }), state);
    assert.deepEqual(state.list, [
      { a: 1, level: 7, note: "kept" },
      { a: 2, level: 7, note: "" },
    ]);
  });

  test("the report counts what was kept", () => {
    const now = described(2, ["a", u8], ["b", u8.since(2)]);
    const registry = new Registry();
    registry.register(now, { a: 0, b: 5 } as never);
    const { kept } = registry.load(saved(described(1, ["a", u8]), { a: 1 }));
    assert.deepEqual(kept, [{ description: "d", field: "b", count: 1 }]);
  });

  test("inside a record the versions are those of the description around it", () => {
    const now = described(2, [
      "r",
      record([
        ["a", u8.until(1)],
        ["b", u8.since(2, 3)],
        ["c", u8],
      ]),
    ]);
    const old = described(1, [
      "r",
      record([
        ["a", u8],
        ["c", u8],
      ]),
    ]);
    assert.deepEqual(loaded(now, saved(old, { r: { a: 1, c: 2 } }), {}), { r: { b: 3, c: 2 } });
  });
});

describe("removed fields", () => {
  test("load receives them after the other fields, and before postLoad", () => {
    const calls: unknown[] = [];
    const now = defineState({
      name: "d",
      id: 1,
      versionId: 2,
      fields: [
        [
          "old",
          list(u8, { max: 9 }).until(1, {
            load: (state: { a: number }, value) => calls.push([state.a, value]),
          }),
        ],
        ["a", u8],
      ],
      postLoad: (state) => calls.push(["postLoad", state.a]),
    });
    loaded(now, saved(described(1, ["old", list(u8, { max: 9 })], ["a", u8]), { old: [1, 2], a: 5 }), {
      a: 0,
    });
    assert.deepEqual(calls, [
      [5, [1, 2]],
      ["postLoad", 5],
    ]);
  });

  test("a custom field that nobody wants is skipped, or loaded and dropped", () => {
    for (const skip of [true, false]) {
      const calls: string[] = [];
      const geo = custom<number>("geo@1", {
        save: (value, writer) => writer.u32(value),
        load: (reader) => {
          calls.push("load");
          return reader.u32();
        },
        ...(skip
          ? {
              skip: (reader) => {
                calls.push("skip");
                reader.skip(4);
              },
            }
          : {}),
      });
      const stream = saved(described(1, ["geo", geo], ["a", u8]), { geo: 5, a: 7 });
      assert.deepEqual(loaded(described(2, ["geo", geo.until(1)], ["a", u8]), stream, { a: 0 }), { a: 7 });
      assert.deepEqual(calls, [skip ? "skip" : "load"]);
    }
  });

  test("the value that save makes is checked as any other", () => {
    const now = described(2, ["old", u8.until(1, { save: () => 300 })], ["a", u8]);
    assert.throws(
      () => saved(now, { a: 1 }, { versionIds: { d: 1 } }),
      (error) =>
        isKstateError(error, "VALUE_INVALID") &&
        error.message === "cannot save d@1 at d.old: expected an integer from 0 to 255, got 300",
    );
  });
});

describe("conditions", () => {
  const description = described(
    0,
    ["mode", enumeration(["off", "slow", "fast"])],
    ["speed", u16.when("mode", "!=", "off")],
    ["boost", u16.when("mode", ">=", "fast").when("speed", ">", 100)],
  );

  test("a field whose condition does not hold takes no bytes and keeps its value", () => {
    const sizes = [
      [{ mode: "off", speed: 5, boost: 6 }, 2],
      [{ mode: "slow", speed: 500, boost: 6 }, 4],
      [{ mode: "fast", speed: 100, boost: 6 }, 4],
      [{ mode: "fast", speed: 101, boost: 6 }, 6],
    ] as const;
    for (const [state, size] of sizes) {
      const stream = saved(description, state);
      assert.equal(new DataView(stream.buffer, stream.byteOffset).getInt32(20, true), size);
      const expected = { ...state, ...(size < 4 ? { speed: 1 } : {}), ...(size < 6 ? { boost: 2 } : {}) };
      assert.deepEqual(loaded(description, stream, { mode: "off", speed: 1, boost: 2 }), expected);
    }
  });

  test("a condition on a field that is not there itself does not hold, whatever the object has in it", () => {
    const chained = described(
      0,
      ["a", u8],
      ["b", u8.when("a", "==", 1)],
      ["c", u8.when("b", "==", 5)],
      ["d", u8],
    );
    const state = { a: 0, b: 5, c: 6, d: 7 };
    assert.deepEqual(loaded(chained, saved(chained, state), { a: 9, b: 9, c: 9, d: 9 }), {
      a: 0,
      b: 9,
      c: 9,
      d: 7,
    });
  });

  test("each comparison compares", () => {
    for (const [operator, results] of [
      ["==", [false, true, false]],
      ["!=", [true, false, true]],
      ["<", [true, false, false]],
      ["<=", [true, true, false]],
      [">", [false, false, true]],
      [">=", [false, true, true]],
    ] as const) {
      const compared = described(0, ["a", u8], ["b", u8.when("a", operator, 5)]);
      const found = [4, 5, 6].map(
        (a) => loaded(compared, saved(compared, { a, b: 1 }), { a: 0, b: 0 }).b === 1,
      );
      assert.deepEqual(found, results, operator);
    }
  });
});

describe("loading in place", () => {
  test("objects, lists, maps, boxes and typed arrays are filled in again", () => {
    const item = defineState({ name: "item", id: 2, fields: [["n", u8]] });
    const description = described(
      0,
      ["list", list(struct(item), { max: 9 })],
      ["map", map(text, struct(item), { max: 9 })],
      ["box", pointer(u32)],
      ["typed", typedArray(u16, { max: 9 })],
      ["fixed", array(u8, 2)],
      ["rec", record([["a", u8]])],
      ["shape", oneOf("type", { a: [["x", u8]], b: [["y", u8]] })],
      ["maybe", optional(struct(item))],
      ["set", set(u8, { max: 9 })],
    );
    const make = (n: number) => ({
      list: [{ n }, { n }, { n }],
      map: new Map([
        ["x", { n }],
        [`only ${n}`, { n }],
      ]),
      box: { value: n },
      typed: Uint16Array.of(n, n),
      fixed: Uint8Array.of(n, n),
      rec: { a: n },
      shape: { type: "a", x: n },
      maybe: { n },
      set: new Set([n]),
    });
    const state = make(1);
    state.list.pop();
    const before = { ...state, first: state.list[0], x: state.map.get("x") };
    loaded(description, saved(description, make(2)), state);
    assert.deepEqual(state, make(2));
    for (const name of ["list", "map", "box", "typed", "fixed", "rec", "shape", "maybe", "set"] as const) {
      assert.equal(state[name], before[name], name);
    }
    assert.equal(state.list[0], before.first);
    assert.equal(state.map.get("x"), before.x);
    assert.deepEqual([...state.map.keys()], ["x", "only 2"]);
    const shorter = { ...make(3), list: [{ n: 3 }], typed: Uint16Array.of(3), shape: { type: "b", y: 1 } };
    loaded(description, saved(description, shorter), state);
    assert.deepEqual(state, shorter);
    assert.equal(state.list, before.list);
  });

  test("one object in two places becomes two, as it was saved", () => {
    const item = defineState({ name: "item", id: 2, fields: [["n", u8]] });
    const description = described(0, ["list", list(struct(item), { max: 9 })]);
    const twice = { n: 0 };
    const state = loaded(description, saved(description, { list: [{ n: 1 }, { n: 2 }] }), {
      list: [twice, twice],
    });
    assert.deepEqual(state.list, [{ n: 1 }, { n: 2 }]);
  });
});

describe("our streams and foreign ones", () => {
  test("bytes after the first NUL of a char are ignored in foreign streams and refused in ours", () => {
    const description = described(0, ["c", char(4)], ["pad", unused(2)]);
    const stream = saved(description, { c: "a" }, { dataChecksum: false });
    stream[27] = 0x78;
    stream[28] = 1;
    const foreign = stream.subarray(0, 4 + 20 + 6 + 4);
    assert.deepEqual(loaded(description, foreign, { c: "" }, { foreign: true }), { c: "a" });
    assert.throws(
      () => loaded(description, stream, { c: "" }),
      (error) =>
        isKstateError(error, "VALUE_INVALID") &&
        error.message ===
          "cannot load d@0 at d.c: expected NUL after the end of the text at offset 27, found 120",
    );
    stream[27] = 0;
    assert.throws(
      () => loaded(description, stream, { c: "" }),
      (error) =>
        isKstateError(error, "VALUE_INVALID") &&
        error.message.endsWith("expected zeros at offset 28, found 1"),
    );
  });

  test("unused bytes are zeros and have no value", () => {
    const description = described(0, ["a", u8], ["pad", unused(3)], ["b", u8]);
    const stream = saved(description, { a: 1, b: 2, pad: "ignored" });
    assert.deepEqual([...stream.subarray(24, 29)], [1, 0, 0, 0, 2]);
    assert.deepEqual(loaded(description, stream, {}), { a: 1, b: 2 });
  });
});

describe("a path in a message", () => {
  test("names the section, its instance, members, indices and keys", () => {
    const player = defineState({ name: "player", id: 2, versionId: 3, fields: [["hp", u16]] });
    const room = defineState({
      name: "room",
      id: 3,
      fields: [
        ["members", list(struct(player), { max: 9 })],
        ["byName", map(text, struct(player), { max: 9 })],
      ],
    });
    const registry = new Registry();
    const state = { members: [{ hp: 1 }, { hp: 2 }], byName: new Map([["ann", { hp: -1 }]]) };
    registry.register(room, state, "lobby");
    assert.throws(() => registry.save(), {
      message:
        'cannot save player@3 at room#"lobby".byName["ann"].hp: expected an integer from 0 to 65535, got -1',
    });
    state.byName.get("ann")!.hp = 3;
    const stream = registry.save({ trailer: true }).slice();
    const cut = stream.slice(0, 24 + 20 + 4 + 3);
    new DataView(cut.buffer).setInt32(20, 27, true);
    new DataView(cut.buffer).setInt32(40, 7, true);
    const foreign = new Uint8Array([...cut, 0xff, 0xff, 0xff, 0xff]);
    const other = new Registry();
    other.register(room, state, new DataView(stream.buffer).getInt32(16, true));
    assert.throws(
      () => other.load(foreign, { foreign: true }),
      (error) =>
        isKstateError(error, "STREAM_TRUNCATED") &&
        /^cannot load player@3 at room#-?\d+\.members: need 4 bytes at offset 48, 3 left$/.test(
          error.message,
        ),
    );
  });
});
