import assert from "node:assert/strict";
import { test } from "node:test";
import { isKstateError } from "#src/error/index.js";
import {
  array,
  char,
  type Description,
  defineState,
  f64,
  i16,
  type StateOf,
  u8,
  u16,
  u32,
} from "#src/index.js";
import { createMemfd, openArray, openDescriptor, openMap, PhysicalMemory } from "#src/memory/index.js";

const MIB = 1024 * 1024;
const ROWS = 3000;

const v1 = defineState({
  name: "player",
  id: 1,
  versionId: 1,
  fields: [
    ["hp", u16],
    ["gone", array(u8, 3)],
    ["name", char(9)],
  ],
});
const v2 = defineState({
  name: "player",
  id: 1,
  versionId: 2,
  fields: [
    ["hp", u16],
    ["gone", array(u8, 3).until(1)],
    ["title", char(9).was("name")],
    ["armour", f64.since(2, 7.5)],
    ["luck", i16.since(2)],
  ],
});
const first = (n: number): StateOf<typeof v1> => ({ hp: n, gone: Uint8Array.of(n, 1, 2), name: `p${n}` });
const second = (n: number): StateOf<typeof v2> => ({ hp: n, title: `p${n}`, armour: 7.5, luck: 0 });
const back = (n: number): StateOf<typeof v1> => ({ hp: n, gone: new Uint8Array(3), name: `p${n}` });

/** The same memory, as each next program finds it. */
function programs(): () => PhysicalMemory {
  const backEnd = createMemfd(64 * MIB);
  PhysicalMemory.create(backEnd);
  return () => {
    const memory = PhysicalMemory.attach(openDescriptor(backEnd.descriptor));
    memory.own();
    return memory;
  };
}

const mapOf = <State>(memory: PhysicalMemory, value: Description<State>) =>
  openMap(memory, "m", { key: u32, value });
const owned = (memory: PhysicalMemory): number => memory.preserved().folios.length;

test("an array's rows are migrated in steps while they are served, and back by a rollback", () => {
  const next = programs();
  const old = openArray(next(), "a", v1);
  for (let n = 0; n < ROWS; n += 1) old.append(first(n));
  const before = owned(next());

  const rows = openArray(next(), "a", v2);
  assert.ok(rows.isMigrating);
  assert.deepEqual([rows.get(0), rows.get(2999), rows.length], [second(0), second(2999), ROWS]);
  assert.ok(rows.migrateStep(1000));
  assert.throws(
    () => rows.column("hp"),
    (error) => isKstateError(error, "NOT_ALLOWED_NOW") && /call migrateStep\(\)/.test(error.message),
  );
  rows.set(2000, { ...second(2000), luck: -5 });
  rows.at(2001).armour = 1;
  for (let n = ROWS; n < 2 * ROWS; n += 1) rows.append({ ...second(n), luck: 3 });
  rows.swapRemove(1500);
  const changed = (n: number): object =>
    n === 1500
      ? { ...second(2 * ROWS - 1), luck: 3 }
      : { ...second(n), luck: n === 2000 ? -5 : n >= ROWS ? 3 : 0, armour: n === 2001 ? 1 : 7.5 };
  for (const index of [0, 1499, 1500, 2000, 2001, 2002, 4000])
    assert.deepEqual(rows.get(index), changed(index));
  let steps = 0;
  while (rows.migrateStep(100)) steps += 1;
  assert.ok(steps > 10 && !rows.isMigrating);
  assert.deepEqual(
    [...rows],
    Array.from({ length: 2 * ROWS - 1 }, (_, n) => changed(n)),
  );
  assert.equal(rows.column("luck", Int16Array)[2000], -5);
  assert.equal(owned(next()), before);

  const rolledBack = openArray(next(), "a", v1);
  while (rolledBack.migrateStep()) assert.ok(rolledBack.isMigrating);
  assert.deepEqual(rolledBack.get(10), back(10));
  assert.equal(rolledBack.length, 2 * ROWS - 1);
});

test("a map's values are migrated in steps while they are served, and back by a rollback", () => {
  const next = programs();
  const old = mapOf(next(), v1);
  for (let n = 0; n < ROWS; n += 1) old.set(n, first(n));
  const before = owned(next());

  const map = mapOf(next(), v2);
  assert.ok(map.isMigrating);
  assert.deepEqual([map.get(0), map.get(2999), map.size], [second(0), second(2999), ROWS]);
  assert.equal(map.getView(5)?.length, 2 + 9 + 8 + 2);
  assert.ok(map.migrateStep(1000));
  for (let n = 2000; n < 2 * ROWS; n += 1) map.set(n, { ...second(n), luck: 3 });
  map.delete(7);
  let steps = 0;
  while (map.migrateStep(500)) steps += 1;
  assert.ok(steps > 1);
  const expected = (n: number): object => ({ ...second(n), luck: n >= 2000 ? 3 : 0 });
  for (let n = 0; n < 2 * ROWS; n += 1) assert.deepEqual(map.get(n), n === 7 ? undefined : expected(n));
  assert.ok(owned(next()) <= before + 20);

  const rolledBack = mapOf(next(), v1);
  for (let n = 8; n < 2 * ROWS; n += 1) assert.deepEqual(rolledBack.get(n), back(n));
});

test("a migration that another program had begun is finished, and nothing is lost on the way back", () => {
  const next = programs();
  const memory = next();
  const array1 = openArray(memory, "a", v1);
  const map1 = mapOf(memory, v1);
  for (let n = 0; n < ROWS; n += 1) {
    array1.append(first(n));
    map1.set(n, first(n));
  }
  for (const [description, expected] of [
    [v2, second],
    [v2, second],
    [v1, back],
    [v2, second],
  ] as const) {
    const again = next();
    const rows = openArray(again, "a", description as Description<unknown>);
    const map = mapOf(again, description as Description<unknown>);
    rows.migrateStep(100);
    map.migrateStep(100);
    for (const n of [0, 50, 2000, 2999]) {
      // Rows that were never migrated still have what the first version gave them.
      const clean = (state: unknown): object => ({
        ...(state as object),
        ...("gone" in (state as object) ? { gone: new Uint8Array(3) } : {}),
      });
      assert.deepEqual(clean(rows.get(n)), expected(n));
      assert.deepEqual(clean(map.get(n)), expected(n));
    }
  }
});

test("an array and a map take no more memory after many migrations than after two", () => {
  const next = programs();
  const memory = next();
  const rows = openArray(memory, "a", v1);
  const map = mapOf(memory, v1);
  for (let n = 0; n < ROWS; n += 1) {
    rows.append(first(n));
    map.set(n, first(n));
  }
  const free: number[] = [];
  for (let round = 0; round < 12; round += 1) {
    const description = (round % 2 === 0 ? v2 : v1) as Description<unknown>;
    const again = next();
    const opened = [openArray(again, "a", description), mapOf(again, description)];
    for (const collection of opened) while (collection.migrateStep());
    free.push(again.freeBytes);
  }
  assert.deepEqual(free.slice(-2), free.slice(2, 4));
});

test("a description that only says more is taken without moving a row", () => {
  const next = programs();
  openArray(next(), "a", v1).append(first(5));
  const renamed = defineState({
    name: "player",
    id: 1,
    versionId: 2,
    fields: [
      ["health", u16.was("hp")],
      ["gone", array(u8, 3)],
      ["name", char(9)],
    ],
  });
  const rows = openArray(next(), "a", renamed);
  assert.ok(!rows.isMigrating);
  assert.equal(rows.get(0).health, 5);
  mapOf(next(), v1).set(1, first(5));
  assert.equal(mapOf(next(), renamed).isMigrating, false);
});

test("what can not be migrated is refused by name, and the version before still finds everything", () => {
  const next = programs();
  const memory = next();
  openArray(memory, "a", v1).append(first(5));
  mapOf(memory, v1).set(1, first(5));
  const retyped = defineState({ name: "player", id: 1, versionId: 3, fields: [["hp", u32]] });
  const forgotten = defineState({ name: "player", id: 1, versionId: 1, fields: [["hp", u16]] });
  const again = next();
  for (const open of [(d: Description) => openArray(again, "a", d), (d: Description) => mapOf(again, d)]) {
    assert.throws(
      () => open(retyped),
      (error) =>
        isKstateError(error, "COLLECTION_MISMATCH") &&
        /the field hp is u16 there, and u32 in player@3/.test(error.message),
    );
    assert.throws(
      () => open(forgotten),
      (error) => isKstateError(error, "LAYOUT_MISMATCH") && /raise versionId/.test(error.message),
    );
  }
  assert.deepEqual(openArray(again, "a", v1).get(0), first(5));
  assert.deepEqual(mapOf(again, v1).get(1), first(5));
});
