import assert from "node:assert/strict";
import { test } from "node:test";
import { isKstateError } from "#src/error/index.js";
import { blob, defineState, type Field, i64, list, string, u8, u32, u64 } from "#src/index.js";
import { CLASS_COUNT, MAP } from "#src/memory/collections/layout.js";
import {
  createHeap,
  createMemfd,
  dropCollection,
  openArray,
  openDescriptor,
  openMap,
  PhysicalMemory,
} from "#src/memory/index.js";

const MIB = 1024 * 1024;
const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
const heap = (mib = 64): PhysicalMemory => PhysicalMemory.create(createHeap(mib * MIB));

/** Numbers from 0 to before `end`, the same every time. */
function numbers(seed: number): (end: number) => number {
  let state = seed;
  return (end) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * end);
  };
}

const keys: readonly [name: string, field: Field<unknown>, make: (n: number) => unknown][] = [
  ["strings", string({ max: 300 }), (n) => (n % 3 === 0 ? `ключ ${n}` : `${n}`.repeat(1 + (n % 40)))],
  ["bytes", blob({ max: 40 }), (n) => Uint8Array.from(Buffer.from(`${n}`.padStart(n % 17)))],
  ["integers", i64.safe, (n) => (n % 2 === 0 ? n : -n * 2 ** 40)],
];

for (const [name, field, make] of keys) {
  test(`a map of ${name} does what a Map does, while it grows, shrinks and is opened again`, () => {
    const backEnd = createMemfd(64 * MIB);
    let memory = PhysicalMemory.create(backEnd);
    const open = () => openMap(memory, "m", { key: field, value: blob({ max: MIB }) });
    let map = open();
    const model = new Map<string, { key: unknown; value: Uint8Array }>();
    const random = numbers(7);
    for (let step = 0; step < 40_000; step += 1) {
      const n = random(step < 20_000 ? 6000 : 300);
      const key = make(n);
      if (random(step < 20_000 ? 4 : 2) > 0) {
        const value = bytes(random(random(100) === 0 ? 3000 : 90), step);
        map.set(key, value);
        model.set(String(key), { key, value });
      } else assert.equal(map.delete(key), model.delete(String(key)));
      if (step % 8000 === 0) {
        memory = PhysicalMemory.attach(openDescriptor(backEnd.descriptor));
        memory.own();
        map = open();
      }
    }
    assert.equal(map.size, model.size);
    for (const { key, value } of model.values()) {
      assert.deepEqual(map.get(key), value);
      assert.deepEqual(Uint8Array.from(map.getView(key)!), value);
      assert.ok(map.has(key));
    }
    assert.equal(map.get(make(7000)), undefined);
    assert.deepEqual(
      [...map].map(([key, value]) => `${key} ${value}`).sort(),
      [...model.values()].map(({ key, value }) => `${key} ${value}`).sort(),
    );
    assert.equal([...map.keys()].length, model.size);
    assert.equal([...map.values()].length, model.size);
  });
}

test("a copy stays as it was, and a view shows the memory", () => {
  const map = openMap(heap(), "m", { key: string({ max: 9 }), value: blob({ max: 1000 }) });
  for (const length of [3, 600]) {
    map.set("a", bytes(length, 1));
    const copy = map.get("a")!;
    const view = map.getView("a")!;
    map.set("b", bytes(length, 2)).set("a", bytes(length, 3)).set("c", bytes(length, 4));
    assert.deepEqual(copy, bytes(length, 1));
    assert.equal(view.length, length);
    assert.deepEqual(map.get("a"), bytes(length, 3));
  }
});

test("every entry that stays is met by an iteration during which the map grows", () => {
  const map = openMap(heap(), "m", { key: u32, value: blob({ max: 8 }) });
  for (let key = 0; key < 300; key += 1) map.set(key, bytes(1, 1));
  const met = new Set<number>();
  let added = 300;
  for (const key of map.keys()) {
    met.add(key);
    for (let i = 0; i < 3 && added < 5000; i += 1, added += 1) map.set(added, bytes(1, 2));
  }
  for (let key = 0; key < 300; key += 1) assert.ok(met.has(key), `${key} was not met`);
});

test("deleting and adding for ever takes no more memory, and lets the table be", () => {
  const memory = heap();
  const map = openMap(memory, "m", { key: u32, value: blob({ max: 100 }) });
  const round = (from: number): void => {
    for (let key = from; key < from + 1000; key += 1) map.set(key, bytes(100, key));
    for (let key = from; key < from + 1000; key += 1) map.delete(key);
  };
  round(0);
  const { freeBytes } = memory;
  const { sizeBytes } = map;
  for (let i = 1; i < 50; i += 1) round(i * 1000);
  assert.equal(map.sizeBytes, sizeBytes);
  assert.ok(memory.freeBytes >= freeBytes - 65_536, "the table has grown with its tombstones");
});

test("a bounded map keeps what is used, and stays within its bound", () => {
  const memory = heap();
  const map = openMap(memory, "m", { key: u32, value: blob({ max: 2000 }), maxBytes: MIB });
  const random = numbers(3);
  for (let key = 0; key < 20_000; key += 1) {
    map.set(key, bytes(random(200), key));
    for (let hot = 0; hot < 50; hot += 1) map.get(hot);
    assert.ok(map.sizeBytes <= MIB);
  }
  for (let hot = 0; hot < 50; hot += 1) assert.ok(map.has(hot), `${hot} was used all the time`);
  assert.ok(map.size > 3000 && map.size < 15_000, `${map.size} entries`);
  assert.ok(map.has(19_999) && !map.has(60));
});

test("a bounded map of small entries makes room for large ones, and refuses only what is larger than itself", () => {
  const map = openMap(heap(), "m", { key: u32, value: blob({ max: 4 * MIB }), maxBytes: 2 * MIB });
  for (let key = 0; key < 30_000; key += 1) map.set(key, bytes(100, key));
  const { size } = map;
  for (let key = 100_000; key < 100_020; key += 1) {
    map.set(key, bytes(300_000, key));
    assert.deepEqual(map.get(key), bytes(300_000, key));
    assert.ok(map.sizeBytes <= 2 * MIB, `${map.sizeBytes} bytes`);
  }
  assert.ok(map.size > 3 && map.size < size, `${map.size} entries`);
  for (const [key, value] of map) assert.ok(value.every((byte) => byte === (key & 0xff)));
  assert.throws(
    () => map.set(1, bytes(3 * MIB, 1)),
    (error) => isKstateError(error, "MEMORY_FULL") && /does not fit into its maxBytes/.test(error.message),
  );
  map.set(1, bytes(100, 1));
  for (let key = 0; key < 30_000; key += 1) map.set(key, bytes(100, key));
  assert.ok(map.size > size / 2, `only ${map.size} entries fit again`);
});

test("a bounded map makes room when the memory is full, also for its slots", () => {
  const memory = heap(3);
  memory.alloc(MIB);
  const map = openMap(memory, "m", { key: u32, value: blob({ max: 5000 }), maxBytes: 64 * MIB });
  for (let key = 0; key < 60_000; key += 1) map.set(key, bytes(key % 7 === 0 ? 2000 : 10, key));
  assert.ok(map.size > 300, `${map.size} entries`);
  for (const [key, value] of map) assert.deepEqual(value, bytes(key % 7 === 0 ? 2000 : 10, key));
});

test("free blocks are joined: what small entries have left is used by large ones", () => {
  const map = openMap(heap(), "m", { key: u32, value: blob({ max: 5000 }) });
  for (let key = 0; key < 20_000; key += 1) map.set(key, bytes(40, key));
  const { sizeBytes } = map;
  for (let key = 0; key < 20_000; key += 1) map.delete(key);
  for (let key = 0; key < 400; key += 1) map.set(key, bytes(2500, key));
  assert.equal(map.sizeBytes, sizeBytes);
  for (let key = 0; key < 400; key += 1) assert.deepEqual(map.get(key), bytes(2500, key));
});

test("lists of free blocks that a program left half made are made anew", () => {
  const backEnd = createMemfd(16 * MIB);
  const options = { key: u32, value: blob({ max: 5000 }) };
  const map = openMap(PhysicalMemory.create(backEnd), "m", options);
  const random = numbers(11);
  const model = new Map<number, Uint8Array>();
  for (let step = 0; step < 8000; step += 1) {
    const [key, value] = [random(2000), bytes(random(600), step)];
    if (random(3) === 0) model.delete(key) && map.delete(key);
    else model.set(key, value) && map.set(key, value);
  }
  const memory = PhysicalMemory.attach(openDescriptor(backEnd.descriptor));
  memory.own();
  const header = memory.preserved().folios.find(({ owner }) => owner === "collection:m");
  const words = memory.peek(header!).view(Int32Array);
  words[MAP.joining] = 1;
  words.fill(0, MAP.free, MAP.free + CLASS_COUNT);
  words[MAP.free + 3] = words[MAP.bump]!; // a list that leads to where no free block is
  const again = openMap(memory, "m", options);
  const { sizeBytes } = again;
  assert.equal(again.size, model.size);
  for (const [key, value] of model) again.set(key, value);
  assert.ok(again.sizeBytes <= sizeBytes * 1.2, "what was free is not used");
  for (let step = 0; step < 4000; step += 1) {
    const [key, value] = [random(2000), bytes(random(600), step)];
    model.set(key, value);
    again.set(key, value);
  }
  for (const [key, value] of model) assert.deepEqual(again.get(key), value);
});

test("what is no key or no value is refused, and nothing has changed", () => {
  const map = openMap(heap(), "m", { key: string({ max: 5 }), value: blob({ max: 3 }) });
  const refused = (call: () => unknown, code: "VALUE_INVALID" | "LIMIT_EXCEEDED", message: RegExp): void => {
    assert.throws(call, (error) => isKstateError(error, code) && message.test(error.message));
  };
  refused(() => map.get(5 as never), "VALUE_INVALID", /cannot use the key: expected a string/);
  refused(() => map.set("\ud800", bytes(1, 1)), "VALUE_INVALID", /cannot use the key/);
  refused(() => map.set("aaaaaa", bytes(1, 1)), "LIMIT_EXCEEDED", /6 bytes: the limit is 5/);
  refused(() => map.set("äää", bytes(1, 1)), "LIMIT_EXCEEDED", /6 bytes: the limit is 5/);
  refused(() => map.set("a", bytes(4, 1)), "LIMIT_EXCEEDED", /a value of 4 bytes: the limit is 3/);
  refused(() => map.set("a", "b" as never), "VALUE_INVALID", /expected a Uint8Array, got "b"/);
  assert.equal(map.size, 0);
  const integers = openMap(heap(), "m", { key: u8, value: blob({ max: 3 }) });
  refused(() => integers.has(256), "VALUE_INVALID", /an integer from 0 to 255, got 256/);
  const blobs = openMap(heap(), "m", { key: blob({ max: 2 }), value: blob({ max: 3 }) });
  refused(() => blobs.has(bytes(3, 1)), "LIMIT_EXCEEDED", /3 bytes/);
  refused(() => blobs.has("a" as never), "VALUE_INVALID", /got "a"/);
});

test("a check of a value may look into the map", () => {
  let isAllowed = (): boolean => true;
  const description = defineState({
    name: "checked",
    id: 1,
    fields: [["n", u32.check(() => isAllowed(), "7 comes first")]],
  });
  const map = openMap(heap(), "m", { key: u32, value: description });
  isAllowed = () => map.has(7) || map.size === 0;
  map.set(7, { n: 1 });
  map.set(8, { n: 2 });
  assert.deepEqual([map.get(7), map.get(8), map.size], [{ n: 1 }, { n: 2 }, 2]);
});

test("a memory that is full is an error, the map is as it was, and goes on when entries are deleted", () => {
  const map = openMap(PhysicalMemory.create(createHeap(MIB)), "m", { key: u32, value: blob({ max: 5000 }) });
  let count = 0;
  assert.throws(
    () => {
      for (; ; count += 1) map.set(count, bytes(1000, count));
    },
    (error) => isKstateError(error, "MEMORY_FULL"),
  );
  assert.equal(map.size, count);
  for (let key = 0; key < count; key += 1) assert.deepEqual(map.get(key), bytes(1000, key));
  map.delete(0);
  map.set(count, bytes(1000, 9));
  assert.deepEqual(map.get(count), bytes(1000, 9));
});

test("a collection for which there was no room can be opened again when there is", () => {
  const memory = PhysicalMemory.create(createHeap(MIB / 8));
  const filler = memory.alloc(MIB / 16);
  const rest = memory.alloc(MIB / 32);
  const open = () => openMap(memory, "m", { key: u32, value: blob({ max: 5 }) });
  assert.throws(open, (error) => isKstateError(error, "MEMORY_FULL"));
  memory.free(filler, rest);
  assert.equal(open().size, 0);
});

test("what is there under another kind, other keys or other values is refused by name", () => {
  const backEnd = createMemfd(16 * MIB);
  const memory = PhysicalMemory.create(backEnd);
  openMap(memory, "m", { key: u32, value: blob({ max: 5 }) }).set(1, bytes(1, 1));
  const again = PhysicalMemory.attach(openDescriptor(backEnd.descriptor));
  assert.throws(
    () => openMap(again, "m", { key: u32, value: blob({ max: 5 }) }),
    (error) => isKstateError(error, "NOT_ALLOWED_NOW"),
  );
  again.own();
  const row = defineState({ name: "row", id: 1, fields: [["a", u8]] });
  const mismatch = (call: () => unknown, problem: RegExp): void => {
    assert.throws(
      call,
      (error) => isKstateError(error, "COLLECTION_MISMATCH") && problem.test(error.message),
    );
  };
  mismatch(
    () => openMap(again, "m", { key: string({ max: 4 }), value: blob({ max: 5 }) }),
    /its keys are integer/,
  );
  mismatch(() => openMap(again, "m", { key: u32, value: row }), /its values are blobs/);
  mismatch(() => openMap(again, "a b", { key: u32, value: row }), /a name has 1 to 200 letters/);
  const invalid = (call: () => unknown, problem: RegExp): void => {
    assert.throws(
      call,
      (error) => isKstateError(error, "DESCRIPTION_INVALID") && problem.test(error.message),
    );
  };
  invalid(
    () => openMap(again, "n", { key: u64 as never, value: row }),
    /a key is string, blob or an integer/,
  );
  invalid(() => openMap(again, "n", { key: u32, value: u8 as never }), /a value is a description or blob/);
  const unfixed = defineState({ name: "unfixed", id: 2, fields: [["names", list(u8, { max: 3 })]] });
  invalid(() => openMap(again, "n", { key: u32, value: unfixed }), /unfixed\.names .*list has no fixed size/);
  assert.throws(() => openMap(again, "n", { key: u32, value: row, maxBytes: 5 }), RangeError);
  assert.deepEqual(openMap(again, "m", { key: u32, value: blob({ max: 5 }) }).get(1), bytes(1, 1));
});

test("what a program that died had added and not used is given back when it is opened", () => {
  const backEnd = createMemfd(16 * MIB);
  const memory = PhysicalMemory.create(backEnd);
  memory.alloc(5000, "collection:m"); // a header that was never finished
  memory.alloc(5000, "collection:m#");
  openMap(memory, "other", { key: u32, value: blob({ max: 5 }) });
  const again = PhysicalMemory.attach(openDescriptor(backEnd.descriptor));
  again.own();
  const map = openMap(again, "m", { key: u32, value: blob({ max: 5 }) });
  map.set(1, bytes(1, 1));
  const { length } = again.preserved().folios.filter(({ owner }) => owner.startsWith("collection:m"));
  again.alloc(4096, "collection:m#"); // it died before the header referred to it
  const third = PhysicalMemory.attach(openDescriptor(backEnd.descriptor));
  third.own();
  assert.deepEqual(openMap(third, "m", { key: u32, value: blob({ max: 5 }) }).get(1), bytes(1, 1));
  assert.equal(
    third.preserved().folios.filter(({ owner }) => owner.startsWith("collection:m")).length,
    length,
  );
});

test("a version that does not open a collection hands it on, and one that drops it has the memory back", () => {
  const backEnd = createMemfd(16 * MIB);
  const memory = PhysicalMemory.create(backEnd);
  const { freeBytes } = memory;
  openMap(memory, "m", { key: u32, value: blob({ max: 5 }) }).set(1, bytes(1, 1));
  openArray(memory, "a", defineState({ name: "row", id: 1, fields: [["a", u8]] })).append({ a: 7 });
  const folio = memory.alloc(1);
  const next = (): PhysicalMemory => {
    const found = PhysicalMemory.attach(openDescriptor(backEnd.descriptor));
    found.own();
    return found;
  };
  memory.preserve([{ folio, owner: "field" }]);
  const ignorant = next();
  ignorant.preserveInUse();
  assert.deepEqual(
    ignorant.freeUnclaimed().map(({ owner }) => owner),
    ["field"],
  );
  ignorant.preserve([]);
  const third = next();
  assert.deepEqual(openMap(third, "m", { key: u32, value: blob({ max: 5 }) }).get(1), bytes(1, 1));
  assert.throws(
    () => openMap(third, "m", { key: u32, value: blob({ max: 5 }) }),
    (error) => isKstateError(error, "COLLECTION_MISMATCH") && /it is open already/.test(error.message),
  );
  assert.throws(
    () => dropCollection(third, "m"),
    (error) => isKstateError(error, "FOLIO_INVALID"),
  );
  const fourth = next();
  assert.ok(dropCollection(fourth, "m"));
  assert.ok(dropCollection(fourth, "a"));
  assert.ok(!dropCollection(fourth, "a"));
  assert.equal(fourth.freeBytes, freeBytes);
});
