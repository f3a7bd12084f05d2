import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkRecords, rules, subjectOf } from "#src/check/index.js";
import { codeHashes, lockRecord } from "#src/description/index.js";
import { nestedCases, type Program, type RuleCase, ruleCases } from "./rule-cases.ts";

const today = new Date("2026-06-01");
/** Cannot be written with defineState, which refuses it. */
const edited = "version-out-of-bounds";
/** Only what no other rule explains. */
const fallbacks = ["layout-changed"];

function recordOf({ sections }: Program) {
  return { record: lockRecord(sections), code: codeHashes(sections) };
}

function findings({ old, new: next }: RuleCase) {
  return checkRecords(recordOf(old), recordOf(next), { today }).findings;
}

function findingsOf(rule: string, pair: RuleCase) {
  return findings(pair).filter((found) => found.rule === rule);
}

describe("the rules", () => {
  test("every rule has a case", () => {
    const covered = [...Object.keys(ruleCases), edited, ...fallbacks].toSorted();
    assert.deepEqual(rules.map(({ id }) => id).toSorted(), covered);
  });

  for (const [rule, { fires, about, misses }] of Object.entries(ruleCases)) {
    test(`${rule} finds what it is about, and nothing in a near miss`, () => {
      const found = findingsOf(rule, fires);
      assert.deepEqual(
        found.map((finding) => [subjectOf(finding), finding.directions.join(" ")]),
        [about],
      );
      for (const { message, fix, pointer } of found) {
        assert.ok(message.length > 10 && fix.length > 5);
        assert.match(pointer, /^\/descriptions\/\d+/);
      }
      assert.deepEqual(findingsOf(rule, misses), []);
    });
  }

  test("two programs that are the same have no findings", () => {
    for (const { fires } of Object.values(ruleCases)) {
      for (const side of [fires.old, fires.new]) assert.deepEqual(findings({ old: side, new: side }), []);
    }
  });

  for (const [rule, subject, pair] of nestedCases) {
    test(`${rule} sees ${subject}`, () => {
      assert.deepEqual(findingsOf(rule, pair).map(subjectOf), [subject]);
    });
  }

  test("a lock file that was edited by hand is refused", () => {
    const field = { name: "hp", kind: { kind: "u16" }, since: 3 };
    const record = (since: number) => ({
      format: 1 as const,
      descriptions: [
        { name: "a", id: 1, versionId: 2, minVersionId: 0, fields: [{ ...field, since }], subsections: [] },
      ],
    });
    const found = (since: number) =>
      checkRecords({ record: record(1) }, { record: record(since) }, { today }).findings.filter(
        ({ rule }) => rule === edited,
      );
    assert.equal(found(3)[0]?.effect, "refused");
    assert.deepEqual(found(2), []);
  });
});
