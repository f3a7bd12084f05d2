import assert from "node:assert/strict";
import { test } from "node:test";
import {
  char,
  custom,
  type Description,
  date,
  defineState,
  equal,
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

const max = 100;

/** A point as two bytes after a length that says whether the second is there. */
const point = custom<{ x: number; y: number }>("point@1", {
  save({ x, y }, out) {
    out.u8(y === 0 ? 1 : 2);
    out.u8(x);
    if (y !== 0) out.u8(y);
  },
  load(input) {
    const size = input.u8();
    if (size !== 1 && size !== 2) return input.fail("1 or 2", String(size));
    const x = input.u8();
    return { x, y: size === 2 ? input.u8() : 0 };
  },
  skip(input) {
    input.skip(input.u8());
  },
});

interface Outcome {
  readonly error?: string;
  readonly report?: unknown;
  readonly state: unknown;
}

/** Loads with generated code and with the reference, which must agree; gives whether generated code did it. */
function loaded(
  description: Description,
  stream: Uint8Array,
  before: () => object,
): Outcome & { loads: number } {
  const [compiled, reference] = (["compiled", "reference"] as const).map((codec) => {
    const registry = new Registry({ codec });
    const state = before();
    registry.register(description, state as never);
    let outcome: Outcome;
    try {
      outcome = { report: registry.load(stream), state };
    } catch (error) {
      assert.ok(isKstateError(error), String(error));
      outcome = { error: `${error.code}: ${error.message}`, state };
    }
    return { outcome, loads: registry.codecUse.compiledLoads };
  }) as [{ outcome: Outcome; loads: number }, { outcome: Outcome; loads: number }];
  assert.deepStrictEqual(compiled.outcome, reference.outcome);
  return { ...compiled.outcome, loads: compiled.loads };
}

function savedBoth(description: Description, state: () => object, versionIds = {}): Uint8Array {
  const [compiled, reference] = (["compiled", "reference"] as const).map((codec) => {
    const registry = new Registry({ codec });
    registry.register(description, state() as never);
    const stream = registry.save({ versionIds, dataChecksum: false });
    if (codec === "compiled") assert.equal(registry.codecUse.referenceSaves, 0);
    return stream;
  });
  assert.deepEqual(compiled, reference);
  return compiled!;
}

test("custom fields are loaded beside generated code, wherever they stand", () => {
  const description = defineState({
    name: "d",
    id: 1,
    versionId: 1,
    fields: [
      ["n", u32],
      ["at", point],
      ["all", list(point, { max })],
      ["named", map(string({ max }), optional(point), { max })],
      [
        "inner",
        record([
          ["where", point],
          ["z", u8],
        ]),
      ],
      ["gone", point.until(0, { save: () => ({ x: 1, y: 2 }) })],
      ["last", u16],
    ],
  });
  const state = () => ({
    n: 7,
    at: { x: 1, y: 0 },
    all: [
      { x: 1, y: 2 },
      { x: 3, y: 0 },
    ],
    named: new Map([
      ["a", { x: 5, y: 6 }],
      ["b", null],
    ]),
    inner: { where: { x: 9, y: 9 }, z: 4 },
    last: 65535,
  });
  for (const versionIds of [{}, { d: 0 }]) {
    const stream = savedBoth(description, state, versionIds);
    const { loads, state: found } = loaded(description, stream, () => ({}));
    assert.equal(loads, 1);
    assert.deepEqual(found, state());
    for (let at = 24; at < stream.length; at++) {
      const damaged = stream.slice();
      damaged[at] = damaged[at]! ^ 3;
      loaded(description, damaged, () => ({ n: 1 }));
    }
  }
});

test("a deprecated custom field is handed over, or passed over without being read", () => {
  const calls: unknown[] = [];
  const counting = custom<number>("counting@1", {
    save: (value, out) => out.u8(value),
    load: (input) => {
      calls.push("load");
      return input.u8();
    },
    skip: (input) => {
      calls.push("skip");
      input.skip(1);
    },
  });
  const of = (wanted: boolean) =>
    defineState({
      name: "d",
      id: 1,
      versionId: 1,
      fields: [
        [
          "old",
          counting.until(0, { save: () => 5, ...(wanted ? { load: (_, value) => calls.push(value) } : {}) }),
        ],
        ["n", u8],
      ],
    });
  const stream = savedBoth(of(false), () => ({ n: 3 }), { d: 0 });
  assert.equal(loaded(of(false), stream, () => ({})).loads, 1);
  assert.deepEqual(calls.splice(0), ["skip", "skip"]);
  assert.equal(loaded(of(true), stream, () => ({})).loads, 1);
  assert.deepEqual(calls, ["load", 5, "load", 5]);
});

test("equal fields are compared by generated code, and the error is the reference's", () => {
  const inner = defineState({ name: "inner", id: 2, versionId: 3, fields: [["mark", equal(date)]] });
  const description = defineState({
    name: "d",
    id: 1,
    fields: [
      ["kind", equal(string({ max }))],
      ["code", equal(char(4))],
      ["inner", struct(inner)],
      ["rooms", list(record([["size", equal(u16)]]), { max })],
    ],
  });
  const state = (size: number, mark = 5) => ({
    kind: "chat",
    code: "ab",
    inner: { mark: new Date(mark) },
    rooms: [{ size: 1 }, { size }],
  });
  const stream = savedBoth(description, () => state(2));
  for (const before of [() => ({}), () => state(2), () => ({ kind: "chat", rooms: [{}] })]) {
    const { loads, error } = loaded(description, stream, before);
    assert.deepEqual([loads, error], [1, undefined]);
  }
  for (const before of [() => state(3), () => state(2, 6), () => ({ ...state(2), kind: "game" })]) {
    const { loads, error, state: after } = loaded(description, stream, before);
    assert.equal(loads, 1);
    assert.match(error!, /^EQUAL_MISMATCH: .*they must be equal/);
    assert.deepEqual(after, before(), "nothing was changed");
  }
});

test("a check of a registered object sees an object that is made for it alone, without hooks", () => {
  const calls: string[] = [];
  const inner = defineState({
    name: "inner",
    id: 2,
    fields: [["a", u8]],
    create: () => {
      calls.push("create");
      return {};
    },
    preLoad: () => void calls.push("preLoad"),
  });
  const description = defineState({
    name: "d",
    id: 1,
    fields: [
      ["low", u16],
      ["high", u16],
      ["at", point],
      ["inner", struct(inner)],
    ],
    check: [(state) => state.low <= state.high && state.at.x < 200, "low must not be above high"],
  });
  const stream = savedBoth(description, () => ({ low: 1, high: 2, at: { x: 1, y: 1 }, inner: { a: 1 } }));
  const fine = loaded(description, stream, () => ({}));
  assert.deepEqual([fine.loads, fine.error, calls.splice(0).length], [1, undefined, 4]);
  stream[24] = 9;
  const bad = loaded(description, stream, () => ({ low: 5 }));
  assert.match(bad.error!, /^CHECK_FAILED: .*low must not be above high/);
  assert.deepEqual([bad.state, calls], [{ low: 5 }, []]);
});

test("preSave and postSave of objects inside others are called by generated code, in pairs", () => {
  const calls: string[] = [];
  const hooks = {
    preSave: (state: { n: number }) => void calls.push(`pre ${state.n}`),
    postSave: (state: { n: number }) => void calls.push(`post ${state.n}`),
  };
  const extra = defineState({
    name: "extra",
    id: 5,
    fields: [["m", u8]],
    preSave: () => void calls.push("extra"),
  });
  const fixed = defineState({ name: "fixed", id: 2, fields: [["n", u8]], ...hooks });
  const large = defineState({
    name: "large",
    id: 3,
    fields: [
      ["n", u8],
      ["name", string({ max })],
    ],
    subsections: [extra],
    ...hooks,
  });
  const node: Description = defineState({
    name: "node",
    id: 4,
    fields: [
      ["n", u8],
      ["next", ref(() => node)],
    ],
    ...(hooks as object),
  });
  const description = defineState({
    name: "d",
    id: 1,
    fields: [
      ["one", struct(fixed)],
      ["many", list(struct(large), { max })],
      ["single", struct(large)],
      ["first", ref(node)],
    ],
  });
  const state = () => ({
    one: { n: 1 },
    many: [
      { n: 2, name: "a", m: 1 },
      { n: 3, name: "b", m: 2 },
    ],
    single: { n: 4, name: "c", m: 3 },
    first: { n: 5, next: { n: 6, next: null } },
  });
  savedBoth(description, state);
  const half = calls.length / 2;
  assert.deepEqual(calls.slice(0, half), calls.slice(half), "the same calls as by the reference");
  assert.equal(half, 15);
  calls.length = 0;
  const registry = new Registry({ codec: "compiled" });
  registry.register(description, { ...state(), many: [{ n: 2, name: 7 }] } as never);
  assert.throws(() => registry.save(), /VALUE_INVALID|must be|expected/);
  const count = (word: string) => calls.filter((call) => call.startsWith(word)).length;
  assert.ok(count("pre") > 0);
  assert.equal(count("pre"), count("post"));
});

test("checks of lists, sets, maps and records are asked by generated code, of values made for them alone", () => {
  const fields = [
    ["id", u8],
    ["label", string({ max })],
  ] as const;
  const seen: unknown[] = [];
  const description = defineState({
    name: "d",
    id: 1,
    fields: [
      ["names", list(string({ max }), { max }).check((names) => names.length < 3, "fewer than three")],
      [
        "places",
        map(string({ max }), record(fields), { max }).check((places) => {
          for (const place of places.values()) seen.push(place);
          return places.has("home");
        }, "a home"),
      ],
      ["last", optional(u16).check((last) => last !== 0, "not 0")],
    ],
  });
  const state = (names: readonly string[], home: string, last: number | null) => ({
    names: [...names],
    places: new Map([[home, { id: 1, label: "h" }]]),
    last,
  });
  const free = defineState({
    name: "d",
    id: 1,
    fields: [
      ["names", list(string({ max }), { max })],
      ["places", map(string({ max }), record(fields), { max })],
      ["last", optional(u16)],
    ],
  });
  const before = () => state(["old"], "home", 3);
  const good = loaded(
    description,
    savedBoth(free, () => state(["a", "b"], "home", null)),
    before,
  );
  assert.deepEqual([good.error, good.loads], [undefined, 1]);
  assert.ok(
    seen.length >= 2 && !seen.includes((good.state as { places: Map<string, unknown> }).places.get("home")),
  );
  for (const [names, home, last] of [
    [["a", "b", "c"], "home", 1],
    [["a"], "away", 1],
    [["a"], "home", 0],
  ] as const) {
    const bad = loaded(
      description,
      savedBoth(free, () => state(names, home, last)),
      before,
    );
    assert.match(bad.error ?? "", /^CHECK_FAILED/);
    assert.deepEqual(bad.state, before());
  }
});
