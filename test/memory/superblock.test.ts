import assert from "node:assert/strict";
import { test } from "node:test";
import { isKstateError } from "#src/error/index.js";
import { mapFile, viewMemory } from "#src/memory/ffi/libc.js";
import { createMemfd, duplicate, openDescriptor, PhysicalMemory } from "#src/memory/index.js";

const CAPACITY = 1024 * 1024;

test("a superblock that was torn while it was written does not count; the one before does", () => {
  const backEnd = createMemfd(CAPACITY);
  const memory = PhysicalMemory.create(backEnd);
  memory.preserve([]); // sequence 2, in copy 0
  const raw = new DataView(viewMemory(mapFile(backEnd.descriptor, 0, 2 * 4096, true), 2 * 4096));
  raw.setUint8(40, raw.getUint8(40) ^ 1);
  assert.equal(memory.superblock().sequence, 1);
  raw.setUint8(4096 + 24, 0xff);
  assert.throws(
    () => PhysicalMemory.attach(openDescriptor(backEnd.descriptor)),
    (error) => isKstateError(error, "MEMORY_INVALID") && /neither superblock is valid/.test(error.message),
  );
});

test("a damaged table is refused, not believed", () => {
  const backEnd = createMemfd(CAPACITY);
  const memory = PhysicalMemory.create(backEnd);
  memory.preserve([{ folio: memory.alloc(1), owner: "somebody" }]);
  const { tableAddress } = memory.superblock();
  const raw = new Uint8Array(viewMemory(mapFile(backEnd.descriptor, 0, CAPACITY, true), CAPACITY));
  raw[tableAddress + 9] = 0xff;
  assert.throws(
    () => PhysicalMemory.attach(openDescriptor(backEnd.descriptor)).own(),
    /its table is damaged/,
  );
});

test("of two verdicts the first one counts, for everybody", () => {
  const backEnd = createMemfd(CAPACITY);
  const memory = PhysicalMemory.create(backEnd);
  const { verdicts: other } = PhysicalMemory.attach(openDescriptor(duplicate(backEnd.descriptor)));
  memory.verdicts.open(3);
  assert.equal(other.read(3), "PENDING");
  assert.equal(other.decide(3, "COMMITTED"), "COMMITTED");
  assert.equal(memory.verdicts.decide(3, "CANCELLED"), "COMMITTED");
  assert.equal(memory.verdicts.read(3), "COMMITTED");
});

test("a generation that was never opened, or whose word is used by a later one, is cancelled", () => {
  const { verdicts } = PhysicalMemory.create(createMemfd(CAPACITY));
  assert.equal(verdicts.decide(9, "COMMITTED"), "CANCELLED");
  verdicts.open(9);
  verdicts.open(9 + 1024);
  assert.equal(verdicts.decide(9, "COMMITTED"), "CANCELLED");
  assert.equal(verdicts.read(9 + 1024), "PENDING");
});
