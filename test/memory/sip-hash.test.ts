import assert from "node:assert/strict";
import { test } from "node:test";
import { blob } from "#src/index.js";
import { HEADER, MAP } from "#src/memory/collections/layout.js";
import { sipHash } from "#src/memory/collections/sip-hash.js";
import { SlotTable } from "#src/memory/collections/slot-table.js";
import { mapFile, viewMemory } from "#src/memory/ffi/libc.js";
import {
  assertOpenable,
  createMemfd,
  type FolioMap,
  openDescriptor,
  openMap,
  PhysicalMemory,
} from "#src/memory/index.js";

const CAPACITY = 64 * 1024 * 1024;
const options = { key: blob({ max: 100 }), value: blob({ max: 8 }) };

test("the hash is SipHash-1-3, as CPython's of bytes without a seed", () => {
  const words = new Int32Array(16);
  const hash = (text: string, key: number[]): number => {
    words.fill(-1);
    const bytes = new Uint8Array(words.buffer);
    bytes.set(Buffer.from(text));
    bytes.fill(0, text.length, (text.length + 3) & ~3);
    return sipHash(words, text.length, Int32Array.from(key)) >>> 0;
  };
  assert.equal(hash("a", [0, 0, 0, 0]), 3097171987);
  assert.equal(hash("abcdefgh", [0, 0, 0, 0]), 193869290);
  assert.equal(hash("abcdefghijklmnopqrst", [0, 0, 0, 0]), 748109013);
  assert.notEqual(hash("abcdefgh", [0, 0, 0, 1]), 193869290);
});

/** A map as version 1 made it: only the hash is another one. */
function firstVersion(): FolioMap<Uint8Array, Uint8Array> {
  const backEnd = createMemfd(CAPACITY);
  const memory = PhysicalMemory.create(backEnd);
  openMap(memory, "m", options);
  const { address } = memory.preserved().folios.find(({ owner }) => owner === "collection:m")!;
  const words = new Int32Array(viewMemory(mapFile(backEnd.descriptor, address, 16_384, true), 16_384));
  words[HEADER.version] = 1;
  words[MAP.seed] = 0x12345678;
  words.fill(0, MAP.hashKey, MAP.hashKey + 4);
  const next = PhysicalMemory.attach(openDescriptor(backEnd.descriptor));
  next.own();
  const { versions: _, ...before } = openRecord();
  assert.doesNotThrow(() => assertOpenable(next, [before]));
  return openMap(next, "m", options);
}

function openRecord() {
  return { name: "m", kind: "map", key: "bytes", layout: null, versions: [1, 2] } as const;
}

/** 2^pairs keys that have one hash in version 1, whatever its seed: in each pair of words either none or both differ. */
function colliding(pairs: number): Uint8Array[] {
  return Array.from({ length: 2 ** pairs }, (_, n) => {
    const words = new Int32Array(2 * pairs);
    for (let i = 0; i < pairs; i += 1) {
      if (((n >> i) & 1) === 0) continue;
      words[2 * i] = 0x80000000;
      words[2 * i + 1] = 1 << 14;
    }
    return new Uint8Array(words.buffer);
  });
}

/** Slots that are looked at while the keys are added. */
function steps(map: FolioMap<Uint8Array, Uint8Array>, keys: readonly Uint8Array[]): number {
  const { reference } = SlotTable.prototype;
  let count = 0;
  SlotTable.prototype.reference = function counted(slot) {
    count += 1;
    return reference.call(this, slot);
  };
  try {
    for (const key of keys) map.set(key, key.subarray(0, 8));
  } finally {
    SlotTable.prototype.reference = reference;
  }
  for (const key of keys) assert.deepEqual(map.get(key), key.slice(0, 8));
  assert.equal(map.size, keys.length);
  return count;
}

test("keys that were chosen to collide take as many steps as any others; in a map that version 1 made they still collide", () => {
  const keys = colliding(11);
  const before = steps(firstVersion(), keys);
  assert.ok(before > keys.length ** 2 / 2, `the keys do not collide: ${before} steps`);
  const after = steps(openMap(PhysicalMemory.create(createMemfd(CAPACITY)), "m", options), keys);
  assert.ok(after < keys.length * 30, `${after} steps for ${keys.length} keys`);
});

test("a program that knows version 1 only is refused a map of version 2 before anybody waits", () => {
  const memory = PhysicalMemory.create(createMemfd(CAPACITY));
  openMap(memory, "m", options);
  const { versions: _, ...before } = openRecord();
  assert.throws(() => assertOpenable(memory, [before]), /its layout is version 2, and that program knows 1/);
  assertOpenable(memory, [openRecord()]);
});
