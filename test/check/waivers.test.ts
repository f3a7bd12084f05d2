import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defineState, isKstateError, string } from "kstate";
import { checkRecords } from "#src/check/index.js";
import { lockRecord, lockText, parseLockRecord, type Waiver } from "#src/description/index.js";

const waiver: Waiver = {
  rule: "limit-changed",
  field: "nick",
  owner: "ann",
  expires: "2026-06-30",
  why: "no nick is longer than 20",
};

function user(max: number, waivers: readonly Waiver[] = []) {
  return defineState({ name: "user", id: 1, fields: [["nick", string({ max })]], waivers });
}

function checked(today: string, waivers: readonly Waiver[], max = 20) {
  const [old, next] = [user(30), user(max, waivers)].map((description) => ({
    record: lockRecord([description]),
  }));
  return checkRecords(old!, next!, { today: new Date(today) }).findings.map(
    (found) => [found.rule, found.severity, found.waiver?.owner ?? null] as const,
  );
}

describe("waivers", () => {
  test("accept a finding up to the end of their last day", () => {
    assert.deepEqual(checked("2026-06-30T23:59:59Z", [waiver]), [["limit-changed", "warning", "ann"]]);
    assert.deepEqual(checked("2026-07-01T00:00:00Z", [waiver]), [
      ["limit-changed", "warning", null],
      ["waiver-expired", "warning", null],
    ]);
  });

  test("are about one rule, and one field if they say so", () => {
    const unused = ["waiver-unused", "note", null];
    const open = ["limit-changed", "warning", null];
    assert.deepEqual(checked("2026-06-01", [{ ...waiver, rule: "field-moved" }]), [open, unused]);
    assert.deepEqual(checked("2026-06-01", [{ ...waiver, field: "name" }]), [open, unused]);
    const { field: _, ...whole } = waiver;
    assert.deepEqual(checked("2026-06-01", [whole]), [["limit-changed", "warning", "ann"]]);
  });

  test("that nothing needs are told", () => {
    assert.deepEqual(checked("2026-06-01", [waiver], 30), [["waiver-unused", "note", null]]);
  });

  test("travel in the lock record", () => {
    const record = lockRecord([user(20, [waiver])]);
    assert.deepEqual(parseLockRecord(lockText(record)), record);
  });

  test("without owner, reason or a real date are no descriptions", () => {
    for (const [wrong, problem] of [
      [{ owner: "" }, /user: a waiver needs owner, a text/],
      [{ why: "" }, /a waiver needs why/],
      [
        { expires: "soon" },
        /the waiver of limit-changed must say until when: expires: "2027-01-31", is "soon"/,
      ],
      [{ expires: "2026-02-30" }, /must say until when/],
    ] as const) {
      assert.throws(
        () => user(20, [{ ...waiver, ...wrong }]),
        (error) => isKstateError(error, "DESCRIPTION_INVALID") && problem.test(error.message),
      );
    }
  });
});
