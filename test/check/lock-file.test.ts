import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Ajv } from "ajv";
import fc from "fast-check";
import { type Description, defineState, isKstateError, u8 } from "kstate";
import { formatLockFile, parseLockFile } from "#src/check/index.js";
import { type LockRecord, lockRecord } from "#src/description/index.js";
import { everyKind } from "../registry/every-kind.js";
import { descriptionAt, histories } from "../registry/histories.js";

const schema = new URL("../../../schema/lock.schema.json", import.meta.url);
const isValid = new Ajv({ allErrors: true }).compile(JSON.parse(readFileSync(schema, "utf8")));

function assertValid(text: string): void {
  assert.ok(isValid(JSON.parse(text)), JSON.stringify(isValid.errors));
}

const waived = defineState({
  name: "waived",
  id: 1,
  versionId: 2,
  fields: [["a", u8.until(1, { save: () => 0, load() {} })]],
  needed: () => true,
  waivers: [{ rule: "limit-changed", owner: "ann", expires: "2026-06-30", why: "x" }],
});

describe("the lock file", () => {
  test("has what its schema says, for every kind and every history", () => {
    assertValid(
      formatLockFile({ record: lockRecord([everyKind as Description, waived]), sources: new Map() }),
    );
    fc.assert(
      fc.property(histories, (history) => {
        const record = lockRecord([descriptionAt(history, history.last)]);
        assertValid(formatLockFile({ record, sources: new Map() }));
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  test("its schema refuses what is no lock file", () => {
    const text = formatLockFile({ record: lockRecord([waived]), sources: new Map() });
    for (const [from, to] of [
      ['"format": 1', '"format": 2'],
      ['"id": 1', '"id": "1"'],
      ['"kind":"u8"', '"kind":"u7"'],
      ['"until":1', '"untill":1'],
      ['"owner":"ann",', ""],
    ] as const) {
      assert.ok(text.includes(from), from);
      assert.ok(!isValid(JSON.parse(text.replace(from, to))), to);
    }
  });

  test("comes back as it was, with the places of descriptions and fields", () => {
    const record = lockRecord([everyKind as Description, waived]);
    const index = record.descriptions.findIndex(({ name }) => name === "waived");
    const sources = new Map([
      [`/descriptions/${index}`, { file: "src/a b.ts", line: 3, column: 14 }],
      [`/descriptions/${index}/fields/0`, { file: "src/a b.ts", line: 7, column: 5 }],
    ]);
    const text = formatLockFile({ record, sources });
    assertValid(text);
    assert.deepEqual(parseLockFile(text), { record, sources });
    assert.equal(formatLockFile(parseLockFile(text)), text);
  });

  test("a description's hash changes exactly with it", () => {
    const hashes = (record: LockRecord) =>
      [...formatLockFile({ record, sources: new Map() }).matchAll(/"hash": "(\w+)"/g)].map(
        ([, hash]) => hash,
      );
    const other = defineState({ name: "zero", id: 2, fields: [["a", u8]] });
    const [, alone] = hashes(lockRecord([waived]));
    const [, beside, second] = hashes(lockRecord([waived, other]));
    assert.equal(alone, beside);
    assert.notEqual(second, alone);
  });

  test("what is no lock file is refused by name", () => {
    for (const [text, problem] of [
      ["{", /cannot read the lock record: expected JSON/],
      ['{"format":2,"descriptions":[]}', /expected a lock record of format 1, found format 2/],
      ['{"format":1,"descriptions":[{"name":7}]}', /expected a name, found number/],
    ] as const) {
      assert.throws(
        () => parseLockFile(text),
        (error) => isKstateError(error, "STREAM_CORRUPT") && problem.test(error.message),
      );
    }
  });
});
