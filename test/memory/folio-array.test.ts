import assert from "node:assert/strict";
import { test } from "node:test";
import { isKstateError } from "#src/error/index.js";
import {
  array,
  bool,
  bytes,
  char,
  defineState,
  f64,
  i16,
  i64,
  record,
  type StateOf,
  string,
  u8,
  u32,
  u64,
} from "#src/index.js";
import {
  createHeap,
  createMemfd,
  openArray,
  openDescriptor,
  openMap,
  PhysicalMemory,
} from "#src/memory/index.js";

const MIB = 1024 * 1024;
const heap = (mib = 16): PhysicalMemory => PhysicalMemory.create(createHeap(mib * MIB));

const body = defineState({
  name: "body",
  id: 1,
  fields: [
    ["x", f64],
    ["alive", bool],
    ["name", char(7)],
    ["mass", u64],
    ["rank", i64.safe],
    ["id", bytes(3)],
    ["speed", array(i16, 3)],
    ["home", record([["at", array(record([["cell", u8]]), 2)]])],
    ["hits", u32.check((hits) => hits < 1000, "too many hits")],
  ],
});
type Body = StateOf<typeof body>;

const make = (n: number): Body => ({
  x: n / 3,
  alive: n % 2 === 0,
  name: `é${n % 1000}`,
  mass: BigInt(n) * 2n ** 40n,
  rank: 5 - n * 2 ** 33,
  id: Uint8Array.of(n, n >> 8, n >> 16),
  speed: Int16Array.of(n, -n, 7),
  home: { at: [{ cell: n % 256 }, { cell: 1 }] },
  hits: n % 1000,
});

test("an array does what a list of objects does, while it grows and is opened again", () => {
  const backEnd = createMemfd(16 * MIB);
  let memory = PhysicalMemory.create(backEnd);
  let rows = openArray(memory, "a", body);
  const model: Body[] = [];
  for (let n = 0; n < 5000; n += 1) {
    const index = (n * 7919) % (model.length + 1);
    if (n % 5 === 4 && index < model.length) {
      rows.swapRemove(index);
      model[index] = model.at(-1)!;
      model.pop();
    } else if (n % 5 === 3 && index < model.length) {
      rows.set(index, make(n));
      model[index] = make(n);
    } else {
      assert.equal(rows.append(make(n)), model.length);
      model.push(make(n));
    }
    if (n % 1000 !== 0) continue;
    memory = PhysicalMemory.attach(openDescriptor(backEnd.descriptor));
    memory.own();
    rows = openArray(memory, "a", body);
  }
  assert.equal(rows.length, model.length);
  assert.deepEqual([...rows], model);
});

test("columns are typed arrays over the memory", () => {
  const rows = openArray(heap(), "a", body, { capacity: 1000 });
  for (let n = 0; n < 10; n += 1) rows.append(make(n));
  const x = rows.column("x", Float64Array);
  assert.equal(x.length, 10);
  x[3] = 33;
  assert.equal(rows.get(3).x, 33);
  const mass = rows.column("mass", BigUint64Array);
  assert.equal(mass[9], 9n * 2n ** 40n);
  assert.deepEqual(rows.column("speed", Int16Array).slice(27, 30), Int16Array.of(9, -9, 7));
  assert.deepEqual(rows.column("id"), Uint8Array.from([...rows].flatMap(({ id }) => [...id])));
  assert.deepEqual([...rows.column("alive")].slice(0, 3), [1, 0, 1]);
  const hits: { [index: number]: number } = rows.column("hits");
  hits[0] = 5;
  assert.equal(rows.get(0).hits, 5);
  rows.reserve(900);
  x[4] = 44;
  assert.equal(rows.get(4).x, 44, "reserve moved rows for which there was room");
  const refused = (call: () => unknown, message: RegExp): void => {
    assert.throws(
      call,
      (error) => isKstateError(error, "COLLECTION_MISMATCH") && message.test(error.message),
    );
  };
  refused(() => rows.column("x", Float32Array), /its type is Float64Array/);
  refused(() => rows.column("y" as "x"), /there is no such field/);
});

test("an accessor stands for an index, in place, also after the array has grown", () => {
  const rows = openArray(heap(), "a", body, { capacity: 2 });
  rows.append(make(0));
  const first = rows.at(0);
  for (let n = 1; n < 5000; n += 1) rows.append(make(n));
  first.x += 5;
  first.name = "new";
  assert.equal(rows.get(0).x, 5);
  assert.deepEqual({ ...rows.get(0), x: 0, name: "é0" }, make(0));
  assert.equal(first.name, "new");
  assert.throws(
    () => {
      first.hits = 1000;
    },
    (error) => isKstateError(error, "CHECK_FAILED") && /body\.hits: too many hits/.test(error.message),
  );
  const last = rows.at(4999);
  rows.swapRemove(4999);
  assert.throws(
    () => last.x,
    (error) => isKstateError(error, "ROW_INVALID"),
  );
});

test("what does not fit is refused by the name of its field, and nothing has changed", () => {
  const rows = openArray(heap(), "a", body);
  rows.append(make(1));
  const wrong: readonly [Partial<Record<keyof Body, unknown>>, RegExp][] = [
    [{ x: "1" }, /body\.x: expected a number/],
    [{ name: "12345678" }, /body\.name: expected a string of at most 7 bytes/],
    [{ name: "a\0b" }, /body\.name/],
    [{ name: "\ud800" }, /body\.name/],
    [{ speed: [1, 2] }, /body\.speed/],
    [{ speed: [1, 2, 40_000] }, /body\.speed\[2\]: expected an integer from -32768/],
    [{ home: null }, /body\.home/],
    [{ home: { at: [{ cell: 256 }, { cell: 0 }] } }, /body\.home\.at\[0\]\.cell/],
    [{ id: new Uint8Array(2) }, /body\.id/],
    [{ rank: 2 ** 60 }, /body\.rank/],
    [{ mass: 5 }, /body\.mass/],
  ];
  for (const [part, message] of wrong) {
    const bad = { ...make(2), ...part } as Body;
    for (const call of [() => rows.append(bad), () => rows.set(0, bad)]) {
      assert.throws(call, (error) => isKstateError(error, "VALUE_INVALID") && message.test(error.message));
    }
  }
  assert.deepEqual([...rows], [make(1)]);
  for (const index of [-1, 1, 0.5, Number.NaN]) {
    for (const call of [
      () => rows.get(index),
      () => rows.set(index, make(1)),
      () => rows.swapRemove(index),
    ]) {
      assert.throws(call, (error) => isKstateError(error, "ROW_INVALID"));
    }
  }
});

test("a description that has no place in memory is refused by name", () => {
  const refused = (
    fields: Parameters<typeof defineState>[0]["fields"],
    message: RegExp,
    more: object = {},
  ): void => {
    const description = defineState({ name: "d", id: 1, versionId: 1, fields, ...more });
    assert.throws(
      () => openArray(heap(), "a", description),
      (error) => isKstateError(error, "DESCRIPTION_INVALID") && message.test(error.message),
    );
  };
  refused([["s", string({ max: 4 })]], /d\.s in a collection: string has no fixed size/);
  refused([["s", array(string({ max: 4 }), 2)]], /array has no fixed size/);
  refused([["r", record([["s", string({ max: 4 })]])]], /record has no fixed size/);
  refused(
    [
      ["a", u8],
      ["b", u8.when("a", "==", 1)],
    ],
    /d\.b in a collection: when\(\)/,
  );
  refused([["r", record([["s", u8.since(1)]])]], /d\.r\.s in a collection: a nested record has no versions/);
  refused([], /a row needs a field/);
  refused([["a", u8]], /the hook postLoad never runs/, { postLoad: () => {} });
  refused([["a", u8]], /subsections are not kept/, {
    subsections: [defineState({ name: "e", id: 2, fields: [["b", u8]] })],
  });
  refused([["a", u8]], /a check of the whole object/, { check: [() => true, "why"] });
});

test("the name of a map is refused for an array, and the map is as it was", () => {
  const memory = heap();
  openMap(memory, "a", { key: u32, value: body }).set(1, make(5));
  const again = heap();
  const map = openMap(again, "a", { key: u32, value: body });
  map.set(1, make(5));
  assert.deepEqual(map.get(1), make(5));
  assert.throws(
    () => map.set(2, { ...make(5), x: "1" as never }),
    (error) => isKstateError(error, "VALUE_INVALID") && /body\.x/.test(error.message),
  );
  assert.throws(
    () => map.set(2, 5 as never),
    (error) => isKstateError(error, "VALUE_INVALID") && /an object of body/.test(error.message),
  );
  assert.equal(map.size, 1);
});
