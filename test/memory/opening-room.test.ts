/** What a successor's collections allocate is allocated before the verdict: opening them after it takes nothing more. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isKstateError } from "#src/error/index.js";
import { blob, char, type Description, defineState, f64, string, u16, u32 } from "#src/index.js";
import {
  type ArrayOptions,
  type BackEnd,
  createMemfd,
  FolioArray,
  FolioMap,
  openDescriptor,
  PhysicalMemory,
} from "#src/memory/index.js";

const MIB = 1024 * 1024;

type Player = Description<{ hp: number }>;
const described = (versionId: number, hp = "hp"): Player =>
  defineState({
    name: "player",
    id: 1,
    versionId,
    fields: [
      [hp, hp === "hp" ? u16 : u16.was("hp")],
      ["title", char(9)],
      ...(versionId === 2 ? ([["armour", f64.since(2, 7.5)]] as const) : []),
    ],
  } as never) as never;
const v1 = described(1);
const v2 = described(2);
const array = (name: string, description: Player, options?: ArrayOptions) =>
  new FolioArray(name, description, options);
const map = (name: string, value: unknown) =>
  new FolioMap<number, never>(name, { key: u32, value: value as never });

type Collection = Pick<FolioArray<unknown>, "roomIn" | "openIn">;

/** The memory of a program that serves, and what its successor has of it. */
class TwoPrograms {
  readonly old: PhysicalMemory;
  readonly successor: PhysicalMemory;
  /** Allocations of the successor. */
  readonly allocated: number[] = [];
  /** The verdict has been made: the system refuses everything. */
  isFull = false;

  constructor(capacity = 64 * MIB) {
    const backEnd = createMemfd(capacity);
    this.old = PhysicalMemory.create(backEnd);
    const seen: BackEnd = openDescriptor(backEnd.descriptor);
    const allocate = seen.allocate.bind(seen);
    seen.allocate = (offset, lengthBytes) => {
      assert.ok(!this.isFull, `${lengthBytes} bytes are allocated after the verdict`);
      this.allocated.push(lengthBytes);
      allocate(offset, lengthBytes);
    };
    this.successor = PhysicalMemory.attach(seen);
  }

  /** As in a hand-over. */
  handOver(...collections: readonly Collection[]): void {
    const room = collections.flatMap((collection) => collection.roomIn(this.successor));
    const { take } = this.successor.prepareToOwn(room);
    this.old.fence();
    this.isFull = true;
    take();
    for (const collection of collections) collection.openIn(this.successor);
    const { freeBytes } = this.successor;
    this.successor.endReserve();
    const left = this.successor.freeBytes - freeBytes;
    const tables = this.allocated.length - room.length;
    assert.ok(left <= tables * 64 * 1024, `${left} bytes were not needed`);
  }
}

const cases: readonly (readonly [string, (old: PhysicalMemory) => void, () => readonly Collection[]])[] = [
  ["a new array", () => {}, () => [array("a", v1, { capacity: 10_000 })]],
  ["a new map of rows", () => {}, () => [map("m", v1)]],
  ["a new map of bytes", () => {}, () => [map("m", blob({ max: 100 }))]],
  [
    "a migration, with a row staged and another migration before",
    (old) => {
      const rows = array("a", v1);
      rows.openIn(old);
      for (let hp = 0; hp < 3000; hp += 1) rows.append({ hp, title: "t" } as never);
      rows.set(5, { hp: 6, title: "t" } as never);
      const values = map("m", v1);
      values.openIn(old);
      for (let hp = 0; hp < 3000; hp += 1) values.set(hp, { hp, title: "t" } as never);
    },
    () => [array("a", v2, { capacity: 100_000 }), map("m", v2)],
  ],
  [
    "a larger capacity, while rows are migrated",
    (old) => {
      const rows = array("a", v1);
      rows.openIn(old);
      for (let hp = 0; hp < 3000; hp += 1) rows.append({ hp, title: "t" } as never);
    },
    () => [array("a", v1, { capacity: 50_000 })],
  ],
  [
    "the same rows in other words",
    (old) => {
      array("a", v1).openIn(old);
      map("m", v1).openIn(old);
    },
    () => [array("a", described(1, "health")), map("m", described(1, "health"))],
  ],
  [
    "nothing new",
    (old) => {
      array("a", v1).openIn(old);
      map("m", v1).openIn(old);
    },
    () => [array("a", v1), map("m", v1)],
  ],
  [
    "so many that the table grows by orders",
    () => {},
    () => Array.from({ length: 60 }, (_, i) => array(`${"long-name-".repeat(15)}${i}`, v1)),
  ],
];

for (const [what, before, next] of cases) {
  test(`after the verdict nothing is allocated for ${what}`, () => {
    const programs = new TwoPrograms();
    before(programs.old);
    programs.handOver(...next());
  });
}

test("rows that are being migrated get more capacity without an allocation after the verdict", () => {
  const programs = new TwoPrograms();
  const rows = array("a", v1);
  rows.openIn(programs.old);
  for (let hp = 0; hp < 3000; hp += 1) rows.append({ hp, title: "t" } as never);
  programs.old.fence();
  const between = PhysicalMemory.attach(openDescriptor(programs.old.descriptor));
  between.own();
  array("a", v2).openIn(between);
  const larger = array("a", v2, { capacity: 60_000 });
  assert.equal(larger.roomIn(programs.successor).length, 2, "rows, and marks of which have been migrated");
  programs.handOver(larger);
  assert.ok(larger.isMigrating && larger.capacity >= 60_000);
});

test("without room for them the verdict is not reached, and the memory is as it was", () => {
  const programs = new TwoPrograms(16 * MIB);
  const rows = array("a", v1);
  rows.openIn(programs.old);
  rows.append({ hp: 1, title: "t" } as never);
  const { sequence } = programs.old.superblock();
  const free = programs.old.freeBytes;
  const wanted = [array("small", v1), array("large", v1, { capacity: 4 * MIB })];
  assert.throws(
    () => programs.handOver(...wanted),
    (error) =>
      isKstateError(error, "MEMORY_FULL") &&
      /^there is no room for the collection large: /.test(error.message),
  );
  assert.equal(programs.old.superblock().sequence, sequence);
  assert.ok(!programs.successor.isOwned);
  for (const _ of programs.old.sweep());
  assert.equal(programs.old.freeBytes, free);
  assert.deepEqual({ ...rows.get(0) }, { hp: 1, title: "t" });
  assert.ok(programs.old.alloc(MIB).bytes.every((byte) => byte === 0));
});

test("what is no name of a collection is refused before the verdict", () => {
  const { successor } = new TwoPrograms();
  for (const collection of [
    array("no name", v1),
    new FolioMap("", { key: string({ max: 9 }), value: blob({ max: 9 }) }),
  ])
    assert.throws(
      () => collection.roomIn(successor),
      (error) =>
        isKstateError(error, "COLLECTION_MISMATCH") && /a name has 1 to 200 letters/.test(error.message),
    );
});
