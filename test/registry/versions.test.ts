import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type Description,
  defineState,
  isKstateError,
  list,
  lockHash,
  map,
  negotiate,
  Registry,
  type StateOf,
  string,
  struct,
  u8,
  u16,
  u32,
} from "kstate";

const text = string({ max: 100 });

/** Version 1: a player has `lives`, which version 2 removes. */
function versionOne() {
  const player = defineState({
    name: "player",
    id: 11,
    versionId: 1,
    fields: [
      ["name", text],
      ["lives", u8],
      ["hp", u16],
    ],
  });
  const room = defineState({
    name: "room",
    id: 10,
    versionId: 1,
    fields: [
      ["title", text],
      ["members", list(struct(player), { max: 100 })],
      ["byName", map(text, struct(player), { max: 100 })],
      ["owner", struct(player)],
    ],
  });
  return { player, room };
}

/** Version 2: `score` is new, `lives` is gone, and the subsection `player/chat` describes `muted`. */
function versionTwo() {
  const chat = defineState({ name: "player/chat", id: 12, versionId: 1, fields: [["muted", u8]] });
  const player = defineState({
    name: "player",
    id: 11,
    versionId: 2,
    fields: [
      ["name", text],
      ["lives", u8.until<{ hp: number }>(1, { save: (state) => Math.min(255, Math.ceil(state.hp / 100)) })],
      ["hp", u16],
      ["score", u32.since(2, 1000)],
    ],
    subsections: [chat],
  });
  const notes = defineState({ name: "room/notes", id: 13, fields: [["notes", list(text, { max: 10 })]] });
  const room = defineState({
    name: "room",
    id: 10,
    versionId: 2,
    fields: [
      ["title", text],
      ["members", list(struct(player), { max: 100 })],
      ["byName", map(text, struct(player), { max: 100 })],
      ["owner", struct(player)],
      ["topic", text.since(2, "none")],
    ],
    subsections: [notes],
  });
  return { player, room };
}

const playerOne = (name: string, hp: number) => ({ name, lives: Math.ceil(hp / 100), hp });
const playerTwo = (name: string, hp: number, score: number, muted: number) => ({ name, hp, score, muted });

function roomOne() {
  return {
    title: "lobby",
    members: [playerOne("ann", 250), playerOne("bob", 90)],
    byName: new Map([["ann", playerOne("ann", 250)]]),
    owner: playerOne("eve", 100),
  };
}

function roomTwo() {
  return {
    title: "lobby",
    members: [playerTwo("ann", 250, 1, 1), playerTwo("bob", 90, 2, 0)],
    byName: new Map([["ann", playerTwo("ann", 250, 3, 1)]]),
    owner: playerTwo("eve", 100, 4, 0),
    topic: "weather",
    notes: ["be kind"],
  };
}

function registryOf<D extends Description>(description: D, room: StateOf<D> & object): Registry {
  const registry = new Registry();
  registry.register(description, room);
  return registry;
}

describe("update and rollback across a version", () => {
  test("an update from 1 to 2 drops what was removed and gives new fields their defaults or zeros", () => {
    const stream = registryOf(versionOne().room, roomOne()).save();
    const room = { title: "", members: [], byName: new Map(), owner: {}, topic: "", notes: [] } as never;
    const registry = registryOf(versionTwo().room, room);
    const report = registry.load(stream);
    assert.deepEqual(room, {
      title: "lobby",
      members: [playerTwo("ann", 250, 1000, 0), playerTwo("bob", 90, 1000, 0)],
      byName: new Map([["ann", playerTwo("ann", 250, 1000, 0)]]),
      owner: playerTwo("eve", 100, 1000, 0),
      topic: "none",
      notes: [],
    });
    assert.deepEqual(report.restored, [{ description: "room", instanceId: 0 }]);
    assert.deepEqual(report.kept, [{ description: "room/notes", field: "notes", count: 1 }]);
  });

  test("a rollback from 2 to 1 writes the versions that both sides know, nested ones too", () => {
    const newer = registryOf(versionTwo().room, roomTwo());
    const room = { title: "", members: [], byName: new Map(), owner: {} } as never;
    const older = registryOf(versionOne().room, room);
    const { versionIds } = negotiate(newer.lockRecord(), older.lockRecord());
    assert.deepEqual({ ...versionIds }, { player: 1, room: 1 });
    const report = older.load(newer.save({ versionIds, dataChecksum: false }));
    assert.deepEqual(room, roomOne());
    assert.deepEqual(report.ignored, [{ parent: "player", id: 12, count: 3 }]);
    assert.deepEqual(report.carried, [
      { description: "room/notes", instanceId: 0, parent: "room", generations: 0 },
    ]);
  });

  test("an older program refuses the newest version by name and number", () => {
    const stream = registryOf(versionTwo().room, roomTwo()).save();
    assert.throws(
      () => registryOf(versionOne().room, roomOne()).load(stream),
      (error) =>
        isKstateError(error, "VERSION_TOO_NEW") &&
        error.message ===
          "cannot load room@2 at room: version 2 is too new, this program understands 0 to 1; save it with versionIds" &&
        error.detail.highest === 1,
    );
  });

  test("a removed field without save cannot be written in the version that had it", () => {
    const description = defineState({
      name: "d",
      id: 1,
      versionId: 2,
      fields: [
        ["gone", u8.until(1)],
        ["stays", u8],
      ],
    });
    const registry = new Registry();
    registry.register(description, { stays: 1 });
    assert.throws(
      () => registry.save({ versionIds: { d: 1 } }),
      (error) =>
        isKstateError(error, "VERSION_NOT_WRITABLE") &&
        error.message ===
          "cannot save d in version 1: its field gone is not there any more; give it until(…, { save }) to write older versions" &&
        error.detail.field === "gone",
    );
    assert.throws(
      () => registry.save({ versionIds: { d: 3 } }),
      (error) => isKstateError(error, "VERSION_NOT_WRITABLE") && error.detail.highest === 2,
    );
  });

  test("negotiate names every description without a common version", () => {
    const make = (versionId: number, minVersionId: number) => {
      const registry = new Registry();
      registry.register(defineState({ name: "a", id: 1, versionId, minVersionId, fields: [["x", u8]] }), {
        x: 0,
      });
      registry.register(defineState({ name: "b", id: 2, versionId, minVersionId, fields: [["x", u8]] }), {
        x: 0,
      });
      registry.register(defineState({ name: "c", id: 3, fields: [["x", u8]] }), { x: 0 });
      return registry.lockRecord();
    };
    assert.throws(
      () => negotiate(make(1, 1), make(3, 2)),
      (error) =>
        isKstateError(error, "NO_COMMON_VERSION") &&
        error.detail.descriptions.map(({ name }) => name).join() === "a,b" &&
        error.message.includes("a: written 1 to 1, loaded 2 to 3"),
    );
  });

  test("negotiate refuses two sides that mean different fields by one version", () => {
    const make = (kind: typeof u8 | typeof u16) => {
      const registry = new Registry();
      registry.register(defineState({ name: "a", id: 1, fields: [["x", kind]] }), { x: 0 });
      return registry.lockRecord();
    };
    assert.throws(
      () => negotiate(make(u8), make(u16)),
      (error) => isKstateError(error, "LAYOUT_MISMATCH") && error.detail.reader[0] === "x u16",
    );
  });

  test("a lock record is plain JSON, does not depend on the order of registration, and has one hash", () => {
    const { player, room } = versionTwo();
    const [one, two] = [new Registry(), new Registry()];
    one.register(player, playerTwo("ann", 1, 1, 0));
    one.register(room, roomTwo());
    two.register(room, roomTwo());
    two.register(player, playerTwo("ann", 1, 1, 0));
    const record = one.lockRecord();
    assert.deepEqual(
      record.descriptions.map(({ name }) => name),
      ["player", "player/chat", "room", "room/notes"],
    );
    assert.deepEqual(JSON.parse(JSON.stringify(record)), record);
    assert.equal(lockHash(record), lockHash(JSON.parse(JSON.stringify(two.lockRecord()))));
    assert.match(lockHash(record), /^[0-9a-f]{64}$/);
    assert.equal(one.lockRecord(), record, "the record is prepared once");
    two.unregister(player);
    two.unregister(room);
    assert.notEqual(lockHash(two.lockRecord()), lockHash(record));
  });
});
