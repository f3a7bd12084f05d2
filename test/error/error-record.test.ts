import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { KstateError, toErrorRecord, toSupervisorRecord } from "#src/error/index.js";

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: "nothing was thrown" });
}

test("what the supervisor could not do is not said to be thrown by the program", () => {
  const missing = thrownBy(() => readFileSync("/none/such/file"));
  assert.equal(toErrorRecord(missing).code, "PROGRAM_THREW");
  assert.deepEqual(toSupervisorRecord(missing), {
    code: "SYSTEM_CALL",
    message: "the supervisor: ENOENT: no such file or directory, open '/none/such/file'",
    detail: { call: "open", errno: "ENOENT" },
  });
  const own = toSupervisorRecord(new TypeError("no such thing"));
  assert.deepEqual([own.code, own.message], ["SUPERVISOR_FAILED", "the supervisor failed: no such thing"]);
  const known = new KstateError("UPDATE_IN_PROGRESS", "one at a time", {});
  assert.equal(toSupervisorRecord(known).code, "UPDATE_IN_PROGRESS");
});

test("whatever a program throws becomes a record", () => {
  for (const thrown of [null, undefined, 7, "text", { toString: 1 }, Object.create(null), Symbol("s")])
    assert.equal(toErrorRecord(thrown).code, "PROGRAM_THREW");
});
