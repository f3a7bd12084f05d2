import assert from "node:assert/strict";
import { test } from "node:test";
import { isKstateError } from "#src/error/index.js";
import { mapShared } from "#src/memory/ffi/libc.js";
import { duplicate, PhysicalMemory } from "#src/memory/index.js";

const CAPACITY = 1024 * 1024;
const stream = (text: string): Uint8Array => new TextEncoder().encode(text);

test("a stream that was preserved is found by whoever maps the memory, until it is given back", () => {
  const memory = PhysicalMemory.create(CAPACITY);
  memory.preserve(stream("the state"), 7);
  const other = PhysicalMemory.attach(duplicate(memory.descriptor));
  assert.equal(other.superblock().state, "PENDING");
  assert.equal(Buffer.from(other.preserved(7)).toString(), "the state");
  other.unpreserve();
  assert.equal(memory.superblock().state, "RUNNING");
  assert.throws(
    () => memory.preserved(7),
    (error) =>
      isKstateError(error, "MEMORY_INVALID") &&
      error.message === "cannot take over generation 7: the memory is RUNNING in generation 7",
  );
});

test("a stream of another generation is not taken over", () => {
  const memory = PhysicalMemory.create(CAPACITY);
  memory.preserve(stream("old"), 1);
  assert.throws(() => memory.preserved(2), /the memory is PENDING in generation 1/);
});

test("a stream that does not fit is refused, and the memory stays as it was", () => {
  const memory = PhysicalMemory.create(CAPACITY);
  assert.throws(
    () => memory.preserve(new Uint8Array(CAPACITY), 1),
    (error) => isKstateError(error, "MEMORY_FULL") && error.detail.bytes === CAPACITY,
  );
  assert.equal(memory.superblock().state, "RUNNING");
});

test("pages of a stream that was given back read as zeros for the next one", () => {
  const memory = PhysicalMemory.create(CAPACITY);
  memory.preserve(stream("a secret that is longer"), 1);
  const view = memory.preserved(1);
  memory.unpreserve();
  assert.deepEqual([...new Set(view)], [0]);
});

test("a superblock that was torn while it was written does not count; the one before does", () => {
  const memory = PhysicalMemory.create(CAPACITY);
  memory.preserve(stream("first"), 1); // sequence 2, in copy 0
  const raw = new DataView(mapShared(memory.descriptor, 2 * 4096));
  raw.setUint8(40, raw.getUint8(40) ^ 1);
  assert.equal(memory.superblock().sequence, 1);
  raw.setUint8(4096 + 24, 0xff);
  assert.throws(
    () => PhysicalMemory.attach(memory.descriptor),
    (error) => isKstateError(error, "MEMORY_INVALID") && /neither superblock is valid/.test(error.message),
  );
});

test("of two verdicts the first one counts, for everybody", () => {
  const memory = PhysicalMemory.create(CAPACITY);
  const { verdicts: other } = PhysicalMemory.attach(duplicate(memory.descriptor));
  memory.verdicts.open(3);
  assert.equal(other.read(3), "PENDING");
  assert.equal(other.decide(3, "COMMITTED"), "COMMITTED");
  assert.equal(memory.verdicts.decide(3, "CANCELLED"), "COMMITTED");
  assert.equal(memory.verdicts.read(3), "COMMITTED");
});

test("a generation that was never opened, or whose word is used by a later one, is cancelled", () => {
  const { verdicts } = PhysicalMemory.create(CAPACITY);
  assert.equal(verdicts.decide(9, "COMMITTED"), "CANCELLED");
  verdicts.open(9);
  verdicts.open(9 + 1024);
  assert.equal(verdicts.decide(9, "COMMITTED"), "CANCELLED");
  assert.equal(verdicts.read(9 + 1024), "PENDING");
});
