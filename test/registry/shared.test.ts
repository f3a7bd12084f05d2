import assert from "node:assert/strict";
import { test } from "node:test";
import {
  array,
  bitmap,
  blob,
  bytes,
  type Description,
  defineState,
  type Folio,
  f32,
  folio,
  list,
  map,
  optional,
  pointer,
  Registry,
  record,
  set,
  string,
  struct,
  typedArray,
  u8,
  u32,
} from "kstate";

const max = 100;
const codecs = ["compiled", "reference"] as const;

/** What two registered objects hold after a load, where the same container stood in both before. */
function loadedPair(
  codec: (typeof codecs)[number],
  description: Description,
  saved: readonly [unknown, unknown],
  before: readonly [unknown, unknown],
): [unknown, unknown] {
  const states = (values: readonly [unknown, unknown]) => values.map((value) => ({ value }));
  const registryOf = (objects: readonly object[]) => {
    const registry = new Registry({ codec });
    for (const [id, object] of objects.entries()) registry.register(description, object as never, id);
    return registry;
  };
  const stream = registryOf(states(saved)).save();
  const loaded = states(before);
  registryOf(loaded).load(stream);
  assert.deepEqual(registryOf(loaded).save(), stream);
  return [loaded[0]!.value, loaded[1]!.value];
}

const text = string({ max });
const kinds = {
  list: { kind: list(u32, { max }), saved: [[1], [2, 3]], shared: () => [9] },
  "an empty list": { kind: list(text, { max }), saved: [["a"], ["b"]], shared: () => [] },
  "a list that stays empty": { kind: list(u32, { max }), saved: [[], [2]], shared: () => [] },
  "a list of structs": {
    kind: list(record([["x", u32]]), { max }),
    saved: [[{ x: 1 }], [{ x: 2 }]],
    shared: () => [{ x: 9 }],
  },
  set: { kind: set(u32, { max }), saved: [new Set([1]), new Set([2])], shared: () => new Set([9]) },
  map: {
    kind: map(u32, u32, { max }),
    saved: [new Map([[1, 1]]), new Map([[1, 2]])],
    shared: () => new Map([[1, 9]]),
  },
  bytes: {
    kind: bytes(4),
    saved: [Uint8Array.of(1, 1, 1, 1), Uint8Array.of(2, 2, 2, 2)],
    shared: () => new Uint8Array(4),
  },
  blob: {
    kind: blob({ max: 1000 }),
    saved: [new Uint8Array(200).fill(1), new Uint8Array(200).fill(2)],
    shared: () => new Uint8Array(200),
  },
  bitmap: { kind: bitmap(8), saved: [Uint8Array.of(1), Uint8Array.of(2)], shared: () => new Uint8Array(1) },
  "typed array": {
    kind: typedArray(f32, { max }),
    saved: [Float32Array.of(1), Float32Array.of(2)],
    shared: () => new Float32Array(1),
  },
  "array of numbers": {
    kind: array(f32, 2),
    saved: [Float32Array.of(1, 1), Float32Array.of(2, 2)],
    shared: () => new Float32Array(2),
  },
  "array of texts": {
    kind: array(text, 2),
    saved: [
      ["a", "b"],
      ["c", "d"],
    ],
    shared: () => ["", ""],
  },
  box: { kind: pointer(u32), saved: [{ value: 1 }, { value: 2 }], shared: () => ({ value: 9 }) },
  "a box of a list": {
    kind: pointer(list(u32, { max })),
    saved: [{ value: [1] }, { value: [2] }],
    shared: () => ({ value: [9] }),
  },
  optional: { kind: optional(list(u32, { max })), saved: [[1], [2]], shared: () => [9] },
} as const;

for (const [name, { kind, saved, shared }] of Object.entries(kinds)) {
  test(`two objects that share one container get one each by a load: ${name}`, () => {
    const description = defineState({
      name: "holder",
      id: 1,
      fields: [["value", kind as never]],
    }) as unknown as Description;
    for (const codec of codecs) {
      const container = shared();
      const [a, b] = loadedPair(codec, description, saved, [container, container]);
      assert.deepEqual([a, b], saved, codec);
      assert.equal(a, container, "the first keeps what was there");
    }
  });
}

test("a list that stays empty is not filled for another, whichever comes first", () => {
  const description = defineState({
    name: "bag",
    id: 1,
    fields: [
      ["a", list(u32, { max })],
      ["b", list(u32, { max })],
      ["c", list(u32, { max })],
    ],
  });
  for (const codec of codecs) {
    for (const saved of [
      { a: [], b: [1], c: [] },
      { a: [1], b: [], c: [2] },
      { a: [], b: [], c: [3] },
    ] as Record<string, number[]>[]) {
      const writer = new Registry({ codec });
      writer.register(description, saved as never);
      const none: number[] = [];
      const state = { a: none, b: none, c: none };
      const reader = new Registry({ codec });
      reader.register(description, state);
      reader.load(writer.save());
      assert.deepEqual(state, saved, codec);
    }
  }
});

test("views that overlap are filled once, and those beside each other stay where they are", () => {
  const description = defineState({ name: "views", id: 1, fields: [["parts", list(bytes(4), { max })]] });
  const saved = Array.from({ length: 6 }, (_, i) => new Uint8Array(4).fill(i + 1));
  for (const codec of codecs) {
    const writer = new Registry({ codec });
    writer.register(description, { parts: saved });
    const stream = writer.save();
    const memory = new ArrayBuffer(200_000);
    const at = (offset: number) => new Uint8Array(memory, offset, 4);
    // The third overlaps the second, the fifth stands across two pages and the sixth shares its last byte.
    const before = [at(8), at(0), at(3), at(100), at(65_534), at(65_537)];
    const state = { parts: [...before] };
    const reader = new Registry({ codec });
    reader.register(description, state);
    reader.load(stream);
    assert.deepEqual(state.parts, saved, codec);
    const isKept = state.parts.map((part, i) => part === before[i]);
    assert.deepEqual(isKept, [true, true, false, true, true, false], codec);
  }
});

test("a view of a whole buffer and one of a part of it are told from each other", () => {
  const description = defineState({
    name: "message",
    id: 1,
    fields: [
      ["head", bytes(4)],
      ["all", bytes(16)],
      ["words", typedArray(u32, { max })],
    ],
  });
  for (const codec of codecs) {
    const saved = {
      head: new Uint8Array(4).fill(1),
      all: new Uint8Array(16).fill(2),
      words: new Uint32Array(4).fill(3),
    };
    const writer = new Registry({ codec });
    writer.register(description, saved);
    const memory = new ArrayBuffer(16);
    const state = {
      head: new Uint8Array(memory, 0, 4),
      all: new Uint8Array(memory),
      words: new Uint32Array(memory),
    };
    const reader = new Registry({ codec });
    reader.register(description, state);
    reader.load(writer.save());
    assert.deepEqual(state, saved, codec);
    assert.equal(state.head.buffer, memory);
  }
});

test("containers in records of a long list are told from each other too", () => {
  const point = record([
    ["id", u32],
    ["at", array(f32, 2)],
    ["box", pointer(u8)],
  ]);
  const description = defineState({ name: "points", id: 1, fields: [["points", list(point, { max })]] });
  for (const codec of codecs) {
    const pointAt = (id: number) => ({ id, at: Float32Array.of(id, id), box: { value: id } });
    const saved = { points: Array.from({ length: 40 }, (_, id) => pointAt(id)) };
    const writer = new Registry({ codec });
    writer.register(description, saved);
    const origin = new Float32Array(2);
    const box = { value: 0 };
    const state = { points: Array.from({ length: 40 }, (_, id) => ({ id, at: origin, box })) };
    const reader = new Registry({ codec });
    reader.register(description, state);
    reader.load(writer.save());
    assert.deepEqual(state, saved, codec);
  }
});

const player = defineState({
  name: "player",
  id: 2,
  fields: [
    ["id", u32],
    ["hp", u32],
  ],
});

test("a registered object that is found inside another is not filled there", () => {
  const team = defineState({
    name: "team",
    id: 3,
    fields: [
      ["captain", struct(player)],
      [
        "rows",
        list(
          record([
            ["id", u32],
            ["hp", u32],
          ]),
          { max },
        ),
      ],
    ],
  });
  for (const codec of codecs) {
    const rows = Array.from({ length: 20 }, (_, i) => ({ id: i, hp: 100 + i }));
    const writer = new Registry({ codec });
    writer.register(player, { id: 1, hp: 1 });
    writer.register(team, { captain: { id: 2, hp: 2 }, rows });
    const one = { id: 7, hp: 7 };
    const before = rows.map(({ id }) => ({ id, hp: 0 }));
    before[5] = one;
    const state = { captain: one, rows: before };
    const reader = new Registry({ codec });
    reader.register(player, one);
    reader.register(team, state);
    reader.load(writer.save());
    assert.deepEqual(one, { id: 1, hp: 1 }, codec);
    assert.deepEqual(state, { captain: { id: 2, hp: 2 }, rows }, codec);
  }
});

test("one object is not registered twice under one description", () => {
  const registry = new Registry();
  const one = { id: 1, hp: 1 };
  registry.register(player, one, "ann");
  assert.throws(() => registry.register(player, one, 5), {
    code: "INSTANCE_EXISTS",
    message:
      'register: the object of player#5 is registered already as player#"ann"; each instance needs an object of its own',
  });
  registry.unregister(player, "ann");
  registry.register(player, one, 5);
  assert.equal(registry.size, 1);
});

test("a collection that has one object under two keys has two after a load", () => {
  for (const codec of codecs) {
    const writer = new Registry({ codec });
    writer.registerAll(
      player,
      new Map([
        ["ann", { id: 1, hp: 1 }],
        ["bob", { id: 2, hp: 2 }],
      ]),
    );
    const one = { id: 0, hp: 0 };
    const players = new Map([
      ["bob", one],
      ["ann", one],
    ]);
    const reader = new Registry({ codec });
    reader.registerAll(player, players);
    reader.load(writer.save());
    assert.deepEqual(players.get("ann"), { id: 1, hp: 1 });
    assert.deepEqual(players.get("bob"), { id: 2, hp: 2 });
    assert.equal(players.get("ann"), one);
  }
});

test("what a hook registers during a load does not fill what the load has filled", () => {
  const tagged = (id: number, postLoad?: () => void) =>
    defineState({
      name: `tagged${id}`,
      id,
      fields: [["tags", list(u32, { max })]],
      ...(postLoad === undefined ? {} : { postLoad }),
    });
  const second = tagged(11);
  const first = tagged(10, () => reader.register(second, { tags: none }));
  const writer = new Registry();
  writer.register(tagged(10), { tags: [1, 2] });
  writer.register(tagged(11), { tags: [3] });
  const none: number[] = [];
  const reader = new Registry();
  reader.register(first, { tags: none });
  reader.load(writer.save());
  assert.deepEqual(none, [1, 2]);
  assert.equal(reader.size, 2);
});

test("fields with one folio have one after a load, though memory gives each out once", () => {
  const grid = defineState({
    name: "grid",
    id: 4,
    fields: [
      ["now", folio()],
      ["next", folio()],
      ["none", folio()],
    ],
  });
  for (const codec of codecs) {
    const shared: Folio = { address: 0x3000n };
    const writer = new Registry({ codec });
    writer.register(grid, { now: shared, next: shared, none: { address: 0n } }, 1);
    writer.register(grid, { now: shared, next: { address: 0x4000n }, none: { address: 0n } }, 2);
    const taken: bigint[] = [];
    const folioAt = (address: bigint) => {
      assert.ok(address === 0n || !taken.includes(address), "given out once");
      taken.push(address);
      return { address };
    };
    const reader = new Registry({ codec, folioAt });
    const nothing: Folio = { address: 0n };
    const [a, b] = [1, 2].map(() => ({ now: nothing, next: nothing, none: nothing }));
    reader.register(grid, a!, 1);
    reader.register(grid, b!, 2);
    reader.load(writer.save());
    assert.equal(a!.now, a!.next);
    assert.equal(a!.now, b!.now);
    assert.notEqual(b!.now, b!.next);
    assert.notEqual(a!.none, b!.none);
  }
});
