import assert from "node:assert/strict";
import { test } from "node:test";
import { isKstateError } from "#src/error/index.js";
import { blob, defineState, string, u32 } from "#src/index.js";
import { ARRAY, HEADER, MAP } from "#src/memory/collections/layout.js";
import { mapFile, viewMemory } from "#src/memory/ffi/libc.js";
import {
  assertOpenable,
  createMemfd,
  dropCollections,
  FolioArray,
  FolioMap,
  openDescriptor,
  PhysicalMemory,
} from "#src/memory/index.js";

const CAPACITY = 4 * 1024 * 1024;
const row = defineState({ name: "row", id: 1, fields: [["n", u32]] });
const map = () => new FolioMap("cache", { key: string({ max: 20 }), value: blob({ max: 100 }) });
const array = () => new FolioArray("rows", row);

/** Memory with a map and an array that a program has left; `words` of the folios of an owner. */
function left() {
  const backEnd = createMemfd(CAPACITY);
  const memory = PhysicalMemory.create(backEnd);
  const [cache, rows] = [map(), array()];
  cache.openIn(memory);
  rows.openIn(memory);
  for (let n = 0; n < 100; n += 1) {
    cache.set(`key ${n}`, new Uint8Array(50).fill(n));
    rows.append({ n });
  }
  const raw = viewMemory(mapFile(backEnd.descriptor, 0, CAPACITY, true), CAPACITY);
  const words = (owner: string, which = 0): Int32Array => {
    const { address, order } = memory.preserved().folios.filter((folio) => folio.owner === owner)[which]!;
    return new Int32Array(raw, address, 1024 * 2 ** order);
  };
  const next = (): PhysicalMemory => {
    const attached = PhysicalMemory.attach(openDescriptor(backEnd.descriptor));
    attached.own();
    return attached;
  };
  return { words, next };
}

const isDamaged = (name: string, problem: RegExp) => (error: unknown) =>
  isKstateError(error, "MEMORY_INVALID") &&
  error.detail.collection === name &&
  problem.test(error.message) &&
  error.message.includes(`kstate run --drop-collection ${name}`);

const damages: readonly [what: string, name: "cache" | "rows", word: number, value: number, RegExp][] = [
  ["its magic", "cache", HEADER.magic, 7, /does not begin as one/],
  ["that it is whole", "rows", HEADER.whole, 0, /does not begin as one/],
  ["the count of its journal", "cache", HEADER.journal, 65, /journal has 65 stores/],
  ["a journal that is left", "cache", HEADER.journal, 1, /journal stores outside/],
  ["a chunk of its slots", "cache", MAP.chunks, 5, /its table/],
  ["the size of its table", "cache", MAP.bits, 31, /size of a table/],
  ["its count of segments", "cache", MAP.segments, 2, /its segment/],
  ["where free units begin", "cache", MAP.bump, 0, /free units/],
  ["its count", "cache", MAP.count, -1, /its count/],
  ["the folio of its rows", "rows", ARRAY.rows, 3, /its rows/],
  ["its length", "rows", ARRAY.length, 1 << 20, /its length/],
  ["its capacity", "rows", ARRAY.capacity, 1 << 30, /its rows/],
  ["the hash of its layout", "rows", HEADER.hash, 1, /another hash/],
];

for (const [what, name, word, value, problem] of damages) {
  test(`a collection whose header is damaged in ${what} is refused by its name before and after the commit; others open`, () => {
    const { words, next } = left();
    const memory = next();
    const header = words(`collection:${name}`);
    if (word === HEADER.journal) header.fill(0x7f, word + 1, word + 4);
    header[word] = value;
    const [damaged, other] = name === "cache" ? [map(), array()] : [array(), map()];
    const changed = { ...damaged.record, layout: damaged.record.layout?.replace('"n"', '"m"') ?? null };
    assert.throws(() => assertOpenable(memory, [changed]), isDamaged(name, problem));
    if (word === HEADER.hash) header[HEADER.layoutBytes]! -= 1;
    assert.throws(() => damaged.openIn(memory), isDamaged(name, problem));
    assert.throws(() => damaged.openIn(memory), isDamaged(name, problem), "it can be tried again");
    other.openIn(memory);
  });
}

test("what a damaged collection had is free when it is dropped, and it can be made anew", () => {
  const { words, next } = left();
  words("collection:cache")[MAP.count] = -1;
  const before = next();
  assert.throws(() => dropCollections(before, ["cash"]), /there is none of that name; there is cache, rows/);
  const free = before.freeBytes;
  dropCollections(before, ["cache"]);
  assert.ok(before.freeBytes > free);
  const memory = next();
  const cache = map();
  cache.openIn(memory);
  assert.equal(cache.size, 0);
  const rows = array();
  rows.openIn(memory);
  assert.equal(rows.length, 100);
});

test("a slot that refers to another folio, and an entry that reaches out of its own, are refused; nothing else is read", () => {
  const { words, next } = left();
  const slots = words("collection:cache#");
  const used = slots.findIndex((_, i) => i % 2 === 1 && slots[i] !== 0);
  const reference = slots[used]!;
  const memory = next();
  const cache = map();
  cache.openIn(memory);
  const found = [...cache.keys()];
  for (const wrong of [2, 0x7fffffff, -1, 0x20000]) {
    slots[used] = wrong;
    assert.throws(() => [...cache.entries()], isDamaged("cache", /outside of its segments/));
    for (const key of found) {
      try {
        assert.equal(cache.get(key)?.length, 50);
      } catch (error) {
        assert.ok(isDamaged("cache", /outside of its segments/)(error), String(error));
      }
    }
  }
  slots[used] = reference;
  const segment = words("collection:cache#", 1);
  const block = (reference % (65_536 / 16)) * 4;
  segment[block + 2] = 1 << 20; // bytes of its value
  assert.throws(() => [...cache.values()], isDamaged("cache", /outside of its segments/));
});

test("a table without an empty slot, and a list of free blocks without an end, are refused", () => {
  const { words, next } = left();
  const memory = next();
  const cache = map();
  cache.openIn(memory);
  const slots = words("collection:cache#");
  for (let i = 1; i < 1024; i += 2) if (slots[i] === 0) slots[i] = 1;
  assert.throws(() => cache.get("nobody"), isDamaged("cache", /no empty slot/));
});
