import assert from "node:assert/strict";
import { test } from "node:test";
import { isKstateError } from "#src/error/index.js";
import { assertRoomForSuccessor } from "#src/supervisor/successor-room.js";

const MIB = 2 ** 20;
const limit = (leftMib: number) => ({
  name: "/sys/fs/cgroup/memory.max (1 bytes)",
  leftBytes: leftMib * MIB,
});

test("an update for whose second program a cgroup leaves no room is refused, and says how much is missing", () => {
  assert.throws(
    () => assertRoomForSuccessor(process.pid, 100 * MIB, limit(70)),
    (error) =>
      isKstateError(error, "UPDATE_REFUSED") &&
      /needs 100 MiB and .*memory\.max .* leaves 70, so 30 MiB are missing/.test(error.message) &&
      error.detail.findings[0]!.rule === "memory-limit",
  );
  assert.throws(() => assertRoomForSuccessor(process.pid, 100 * MIB, limit(-5)), /leaves 0, so 105 MiB/);
  assertRoomForSuccessor(process.pid, 100 * MIB, limit(100));
});

test("a second program needs as much as the one that serves has for itself; 0 looks at nothing", () => {
  assert.throws(() => assertRoomForSuccessor(process.pid, null, limit(20)), /UPDATE_REFUSED|are missing/);
  const held = Buffer.alloc(200 * MIB, 1);
  assert.throws(() => assertRoomForSuccessor(process.pid, null, limit(190)), /are missing/);
  assert.equal(held.length, 200 * MIB);
  assertRoomForSuccessor(process.pid, 0, limit(0));
  assertRoomForSuccessor(-1, null, limit(32));
});
