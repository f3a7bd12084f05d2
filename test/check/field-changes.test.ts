import assert from "node:assert/strict";
import { test } from "node:test";
import { defineState, u8, u16, unused } from "kstate";
import { compareRecords } from "#src/check/comparison.js";
import { fieldChanges } from "#src/check/field-changes.js";
import { type LockRecord, lockRecord } from "#src/description/index.js";

/** How often names were looked at. */
let steps = 0;

function recordOf(fields: Parameters<typeof defineState>[0]["fields"]): LockRecord {
  const record = lockRecord([defineState({ name: "many", id: 1, fields })]);
  const [many] = record.descriptions;
  const counted = many!.fields.map(({ name, ...field }) =>
    Object.defineProperty(field, "name", {
      enumerable: true,
      get: () => {
        steps += 1;
        return name;
      },
    }),
  );
  return { ...record, descriptions: [{ ...many, fields: counted }] } as unknown as LockRecord;
}

function changes(before: LockRecord, after: LockRecord) {
  const [pair] = compareRecords(before, after).pairs;
  return fieldChanges(pair!);
}

const named = (count: number, prefix = "f") =>
  Array.from({ length: count }, (_, index) => [`${prefix}${index}`, u8] as const);

test("how long two lists of fields are compared grows with their lengths, whatever has changed", () => {
  const cases = {
    reversed: (count: number) => [named(count), named(count).reverse()] as const,
    replaced: (count: number) =>
      [named(count), named(count, "g").map(([name]) => [name, u16] as const)] as const,
  };
  for (const [what, lists] of Object.entries(cases)) {
    const [few, many] = [500, 2000].map((count) => {
      const [before, after] = lists(count).map((fields) => recordOf(fields)) as [LockRecord, LockRecord];
      steps = 0;
      assert.ok(changes(before, after).length >= count - 1, what);
      return steps;
    }) as [number, number];
    assert.ok(many < 5 * few, `${what}: ${few} names looked at for 500 fields and ${many} for 2000`);
  }
});

test("as many fields as possible have stayed where they are, the first ones if in doubt", () => {
  const order = [3, 0, 1, 4, 2];
  const before = recordOf(named(5));
  const after = recordOf(order.map((index) => [`f${index}`, u8] as const));
  assert.deepEqual(
    changes(before, after).map(({ type, path }) => `${type} ${path}`),
    ["moved f3", "moved f4"],
  );
});

test("a field that came is not taken for unused bytes that were there", () => {
  const before = recordOf([
    ["gap", unused(1)],
    ["hp", u8],
  ] as never);
  const after = recordOf([
    ["hp", u8],
    ["armour", u16],
  ] as never);
  assert.ok(changes(before, after).some(({ type, path }) => type === "inserted" && path === "armour"));
});
