import assert from "node:assert/strict";
import { test } from "node:test";
import { getHeapStatistics } from "node:v8";
import { blob, defineState, u32 } from "#src/index.js";
import {
  createMemfd,
  duplicate,
  openArray,
  openDescriptor,
  openMap,
  PhysicalMemory,
} from "#src/memory/index.js";

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const external = (): number => getHeapStatistics().external_memory;
const sharing = ({ descriptor }: PhysicalMemory): PhysicalMemory =>
  PhysicalMemory.attach(openDescriptor(duplicate(descriptor)));

test("windows of gigabytes show the same memory as folios do, and V8 does not count them", () => {
  const memory = PhysicalMemory.create(createMemfd(10 * GIB));
  const folio = memory.alloc(4096);
  folio.bytes[5] = 55;
  memory.bytesAt(9 * GIB, 4096)[1] = 91;
  const before = external();
  const windows = [0, 1, 2].map((number) => new Uint8Array(memory.window(number)));
  assert.ok(external() - before < MIB, `${external() - before} more bytes are counted`);
  assert.deepEqual(
    windows.map(({ buffer, length }) => [buffer instanceof SharedArrayBuffer, length]),
    [
      [true, 4 * GIB],
      [true, 4 * GIB],
      [true, 2 * GIB],
    ],
  );
  assert.equal(windows[0]![Number(folio.address) + 5], 55);
  assert.equal(windows[2]![GIB + 1], 91);
  windows[2]![GIB + 1] = 92;
  assert.equal(memory.bytesAt(9 * GIB, 4096)[1], 92);
  assert.equal(memory.window(2), windows[2]!.buffer, "the same one every time");
});

test("a window is fenced off with the rest, let in again, and can be written once the memory is owned", () => {
  const old = PhysicalMemory.create(createMemfd(64 * MIB));
  const folio = old.alloc(4096, "somebody");
  const at = Number(folio.address);
  const [before, next] = [new Uint8Array(old.window(0)), sharing(old)];
  const after = new Uint8Array(next.window(0));
  before[at] = 1;
  assert.equal(after[at], 1);
  old.fence();
  before[at] = 2;
  assert.deepEqual(
    [before[at], after[at], folio.bytes[0]],
    [2, 1, 1],
    "private pages, one copy for each mapping",
  );
  next.own({ sweep: false });
  after[at] = 3;
  old.unfence();
  assert.deepEqual([before[at], folio.bytes[0]], [3, 3]);
  before[at] = 4;
  assert.equal(after[at], 4);
});

test("a window that is made while the memory is fenced off is fenced off too", () => {
  const old = PhysicalMemory.create(createMemfd(64 * MIB));
  const folio = old.alloc(4096, "somebody");
  const at = Number(folio.address);
  old.fence();
  new Uint8Array(old.window(0))[at] = 2;
  assert.equal(sharing(old).claim(at).bytes[0], 0);
});

test("a successor that prepared its views and windows makes none when it takes over", () => {
  const old = PhysicalMemory.create(createMemfd(256 * MIB));
  const folio = old.alloc(64 * MIB, "somebody");
  openMap(old, "map", { key: u32, value: blob({ max: 100 }) }).set(1, Uint8Array.of(5));
  const point = defineState({ name: "point", id: 1, fields: [["x", u32]] });
  openArray(old, "array", point).append({ x: 7 });
  const next = sharing(old);
  next.prepareViews();
  const prepared = next.window(0);
  const before = external();
  next.own({ sweep: false });
  assert.equal(next.claim(Number(folio.address)).bytes.length, 64 * MIB);
  assert.equal(openArray(next, "array", point).column("x", Uint32Array).buffer, prepared);
  assert.deepEqual(openMap(next, "map", { key: u32, value: blob({ max: 100 }) }).get(1), Uint8Array.of(5));
  assert.ok(external() - before < MIB, `${external() - before} more bytes are counted`);
});
