import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { custom, type Description, defineState, type FieldList, record, struct, u8, u16 } from "kstate";
import {
  type CheckResult,
  checkRecords,
  formatLockFile,
  formatText,
  parseLockFile,
} from "#src/check/index.js";
import { codeHashes, lockHash, lockRecord } from "#src/description/index.js";

type Extra = Partial<Parameters<typeof defineState>[0]>;

const plain: FieldList = [["n", u8]];
const player = (fields: FieldList, extra: Extra = {}) =>
  defineState({ name: "player", id: 1, versionId: 2, fields, ...extra } as never) as Description;

function sideOf(...descriptions: Description[]) {
  return { record: lockRecord(descriptions), code: codeHashes(descriptions) };
}

function check(old: Description, next: Description): CheckResult {
  return checkRecords(sideOf(old), sideOf(next), { today: new Date(0) });
}

const found = (old: Description, next: Description) =>
  check(old, next).findings.map(({ rule, severity, field, message }) => [rule, severity, field, message]);

const geo = (load: () => number) =>
  custom<number>("geo@1", { save: (value, writer) => writer.u8(value), load });
const one = () => 1;
const two = () => 2;

describe("code that a check cannot compare", () => {
  test("is told when it has changed: hooks as notes, what decides about values as warnings", () => {
    const hooks = ["preSave", "postSave", "preLoad", "postLoad", "needed", "block", "create"] as const;
    for (const hook of hooks) {
      assert.deepEqual(
        found(player(plain, { [hook]: one as never }), player(plain, { [hook]: two as never })),
        [["code-changed", "note", null, `${hook} has changed; what it does was not compared`]],
        hook,
      );
      assert.deepEqual(
        found(player(plain, { [hook]: one as never }), player(plain, { [hook]: one as never })),
        [],
      );
    }
    assert.deepEqual(
      found(player(plain, { check: [() => true, "x"] }), player(plain, { check: [() => !0, "x"] })).map(
        String,
      ),
      ["check-code-changed,warning,,check has changed; which values it refuses was not compared"],
    );
    assert.deepEqual(found(player([["g", geo(one)]]), player([["g", geo(two)]])), [
      [
        "check-code-changed",
        "warning",
        "g",
        "the code of geo@1 has changed, and its name has not; whether its bytes are the same was not compared",
      ],
    ]);
    const until = (save: () => number, load: () => void) =>
      player([
        ["n", u8],
        ["old", u16.until(1, { save, load })],
      ]);
    assert.deepEqual(
      found(until(one, one), until(two, two)).map(([rule, severity, field]) => [rule, severity, field]),
      [
        ["code-changed", "note", "old"],
        ["code-changed", "note", "old"],
      ],
    );
    const inner = (value: () => number) => player([["r", record([["g", geo(value)]])]]);
    assert.deepEqual(
      found(inner(one), inner(two)).map(([rule, , field]) => [rule, field]),
      [["check-code-changed", "r.g"]],
    );
    const outer = (value: () => number) =>
      defineState({
        name: "outer",
        id: 2,
        fields: [["p", struct(player(plain, { postLoad: value as never }))]],
      }) as Description;
    assert.deepEqual(
      check(outer(one), outer(two)).findings.map(({ rule, description }) => [rule, description]),
      [["code-changed", "player"]],
    );
  });

  test("is told when it is new or gone", () => {
    const withHook = player(plain, { postLoad: one as never });
    assert.match(String(found(player(plain), withHook)[0]), /postLoad is new; what it does/);
    assert.match(String(found(withHook, player(plain))[0]), /postLoad is gone; what it does/);
    const needing = player(plain, { needed: () => true });
    assert.deepEqual(
      found(player(plain), needing).map(([rule]) => rule),
      ["needed-changed"],
    );
  });

  test("does not change for white space, nor for what has no source", () => {
    // biome-ignore format: this is what is tested
    const spread = player(plain, { postLoad: (() => { return   1; }) as never });
    // biome-ignore format: this is what is tested
    const tight = player(plain, { postLoad: (() => {return 1;}) as never });
    assert.deepEqual(found(spread, tight), []);
    assert.deepEqual(
      found(
        player(plain, { postLoad: one.bind(null) as never }),
        player(plain, { postLoad: two.bind(null) as never }),
      ),
      [],
    );
  });

  test("is no part of a record or of its hash", () => {
    const [left, right] = [
      player(plain, { postLoad: one as never }),
      player(plain, { postLoad: two as never }),
    ];
    assert.equal(lockHash(lockRecord([left])), lockHash(lockRecord([right])));
    const file = { ...sideOf(left), sources: new Map() };
    const text = formatLockFile(file);
    assert.deepEqual(parseLockFile(text), file);
    assert.equal(formatLockFile(parseLockFile(text)), text);
    const hashOf = (lock: string) => /"hash": "(\w+)"/.exec(lock)?.[1];
    assert.equal(hashOf(text), hashOf(formatLockFile({ record: file.record, sources: new Map() })));
    assert.notEqual(text, formatLockFile({ ...sideOf(right), sources: new Map() }));
  });

  test("is not compared, and the check says so, where a side does not tell it", () => {
    const own = sideOf(player(plain, { postLoad: one as never }));
    const silent = { record: own.record };
    const today = new Date(0);
    assert.deepEqual(checkRecords(own, own, { today }).notCompared, []);
    assert.deepEqual(checkRecords(silent, own, { today }).notCompared, [
      "what code does (player postLoad): the old side does not tell its own, a lock file does",
    ]);
    assert.deepEqual(checkRecords(own, silent, { today }).notCompared, [
      "what code does (player postLoad): the new side does not tell its own, a lock file does",
    ]);
    const neither = checkRecords(silent, silent, { today });
    assert.deepEqual(neither.notCompared, [
      "what hooks, checks and custom fields do: neither side tells their code",
    ]);
    const report = { verdict: neither.verdict, comparisons: [{ old: "a", new: "b", ...neither }] };
    assert.equal(
      formatText(report, { colour: false, linesOf: () => undefined }),
      "IN_PLACE: a → b: 0 errors, 0 warnings, 0 notes\n  not compared: what hooks, checks and custom fields do: neither side tells their code",
    );
    const bare = sideOf(player(plain));
    assert.deepEqual(checkRecords({ record: bare.record }, bare, { today }).notCompared, []);
  });

  test("an edited lock file, or one whose hashes were made otherwise, tells nothing wrong", () => {
    const file = { ...sideOf(player(plain, { postLoad: one as never })), sources: new Map() };
    const text = formatLockFile(file);
    assert.equal(parseLockFile(text.replace("sha256-48", "sha512-48")).code, undefined);
    const edited = text.replace(/"postLoad":"\w+"/, '"postLoad":"__proto__"');
    assert.notEqual(edited, text);
    assert.deepEqual(parseLockFile(edited).code, new Map([["player", {}]]));
  });
});
