import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type Description,
  defineState,
  isKstateError,
  list,
  negotiate,
  Registry,
  ref,
  string,
  struct,
  u8,
  u16,
} from "kstate";

const text = string({ max: 100 });

const playerOne = defineState({ name: "player", id: 1, versionId: 1, fields: [["name", text]] });
const bag = defineState({ name: "player/bag", id: 2, fields: [["items", list(text, { max: 9 })]] });
const playerTwo = defineState({
  name: "player",
  id: 1,
  versionId: 2,
  fields: [
    ["name", text],
    ["hp", u16.since(2, 10)],
  ],
  subsections: [bag],
});
let generations: number[] = [];
const guild = defineState({
  name: "guild",
  id: 3,
  versionId: 4,
  fields: [["members", list(struct(playerTwo), { max: 9 })]],
  postLoad: (_state, _versionId, { carried }) => {
    generations.push(carried);
  },
});

const member = defineState({ name: "member", id: 13, fields: [["name", text]], subsections: [bag] });
const club = defineState({
  name: "club",
  id: 14,
  versionId: 4,
  fields: [["members", list(struct(member), { max: 9 })]],
  postLoad: (_state, _versionId, { carried }) => {
    generations.push(carried);
  },
});

type Registration = readonly [description: Description, object: object, instanceId?: number | string];

function registryOf(...registrations: Registration[]): Registry {
  const registry = new Registry();
  for (const [description, object, instanceId] of registrations) {
    registry.register(description, object as never, instanceId ?? 0);
  }
  return registry;
}

const newState = () => ({ name: "ann", hp: 7, items: ["sword", "bow"] });
const clubState = () => ({ members: [{ name: "bob", items: ["key"] }] });
const guildState = () => ({ members: [{ name: "bob", hp: 3, items: ["key"] }] });

describe("carrying what is not known", () => {
  test("an update, a rollback and an update lose nothing, through several generations", () => {
    generations = [];
    const newer = registryOf(
      [playerTwo, newState(), "ann"],
      [guild, guildState()],
      [guild, guildState(), "second"],
    );
    let stream = newer.save();
    for (let generation = 1; generation <= 3; generation++) {
      const state = { name: "" };
      const older = registryOf([playerOne, state, "ann"]);
      const { versionIds } = negotiate(newer.lockRecord(), older.lockRecord());
      const report = older.load(generation === 1 ? newer.save({ versionIds }) : stream);
      assert.deepEqual(report.carried, [
        { description: "player/bag", instanceId: "ann", parent: "player", generations: generation - 1 },
        { description: "guild", instanceId: 0, parent: null, generations: generation - 1 },
        { description: "guild", instanceId: "second", parent: null, generations: generation - 1 },
      ]);
      assert.equal(state.name, "ann");
      stream = older.save();
    }
    const back = { name: "", hp: 0, items: [] };
    const [one, two] = [{ members: [] }, { members: [] }];
    registryOf([guild, two, "second"], [guild, one], [playerTwo, back, "ann"]).load(stream);
    assert.deepEqual(back, { name: "ann", hp: 10, items: ["sword", "bow"] });
    const inVersionOne = { members: [{ name: "bob", hp: 10, items: ["key"] }] };
    assert.deepEqual(
      [one, two],
      [inVersionOne, inVersionOne],
      "players were written in version 1 for the rollback",
    );
    assert.deepEqual(generations, [3, 3]);
  });

  test("a later register claims a carried section at once, and what it does not know of it is carried on", () => {
    generations = [];
    const older = registryOf([playerOne, { name: "x" }]);
    const source = registryOf(
      [playerOne, { name: "ann" }],
      [club, clubState(), 8],
      [club, clubState(), "keyed"],
    );
    older.load(source.save());
    const claimed = { members: [] };
    older.register(club, claimed, 8);
    assert.deepEqual(claimed, clubState());
    assert.deepEqual(generations, [0]);
    const rest = new Map<string, object>();
    const { carried } = registryOf(
      [playerOne, { name: "" }],
      [club, { members: [] }, 8],
      [club, { members: [] }, "keyed"],
    ).load(older.save());
    assert.deepEqual(carried, []);
    const third = registryOf([playerOne, { name: "" }]);
    third.load(older.save());
    third.registerAll(club, rest as never);
    assert.deepEqual([...rest.keys()], [8, "keyed"]);
    assert.deepEqual([...rest.values()], [clubState(), clubState()]);
  });

  test("a claim that fails registers nothing, and the section is carried on", () => {
    const older = registryOf([playerOne, { name: "x" }]);
    older.load(registryOf([playerOne, { name: "ann" }], [club, clubState()]).save());
    const wrong = defineState({ name: "club", id: 14, versionId: 4, fields: [["members", u8]] });
    assert.throws(
      () => older.register(wrong, { members: 1 }),
      (error) => isKstateError(error, "LAYOUT_MISMATCH"),
    );
    assert.equal(older.size, 1);
    const claimed = { members: [] };
    older.register(club, claimed);
    assert.deepEqual(claimed, clubState());
  });

  test("a carried subsection ends with its instance", () => {
    const state = { name: "" };
    const older = registryOf([playerOne, state, "ann"]);
    const newer = registryOf([playerTwo, newState(), "ann"]);
    older.load(newer.save({ versionIds: { player: 1 } }));
    older.unregister(playerOne, "ann");
    older.register(playerOne, { name: "new ann" }, "ann");
    const loaded = { name: "", hp: 0, items: ["before"] };
    registryOf([playerTwo, loaded, "ann"]).load(older.save());
    assert.deepEqual(loaded, { name: "new ann", hp: 10, items: ["before"] });
  });

  test("in a map of instances, too: another object of the same key does not inherit it", () => {
    const newer = registryOf(
      [playerTwo, newState(), "ann"],
      [playerTwo, { ...newState(), name: "bob" }, "bob"],
    );
    const players = new Map<string, { name: string }>();
    const older = new Registry();
    older.registerAll(playerOne, players);
    older.load(newer.save({ versionIds: { player: 1 } }));
    players.delete("ann");
    players.set("ann", { name: "another ann" });
    const loaded = new Map<string, { name: string; hp: number; items: string[] }>();
    const again = new Registry();
    again.registerAll(playerTwo, loaded);
    again.load(older.save());
    assert.deepEqual(loaded.get("ann"), { name: "another ann", hp: 10, items: [] });
    assert.deepEqual(loaded.get("bob")!.items, ["sword", "bow"]);
  });

  test("a subsection with references is not carried but reported, since its numbers would mean other objects", () => {
    const withRefs = defineState({ name: "player/friends", id: 4, fields: [["friend", ref(playerOne)]] });
    const social = defineState({
      name: "social",
      id: 5,
      fields: [["me", ref(playerOne)]],
      subsections: [withRefs],
    });
    const plain = defineState({ name: "social", id: 5, fields: [["me", ref(playerOne)]] });
    const me = { name: "me" };
    const stream = registryOf([social, { me, friend: me }]).save();
    const report = registryOf([plain, { me: null }]).load(stream);
    assert.deepEqual(report.carried, []);
    assert.deepEqual(report.ignored, [{ parent: "social", id: 4, count: 1 }]);
  });

  test("for a kernel nothing is carried, and foreign streams have nothing to carry", () => {
    const small = defineState({ name: "small", id: 6, fields: [["n", u8]] });
    const other = defineState({ name: "other", id: 7, fields: [["n", u8]] });
    const registry = registryOf([small, { n: 1 }]);
    registry.load(registryOf([small, { n: 1 }], [other, { n: 2 }]).save());
    const kernelStream = registry.save({ trailer: false });
    assert.deepEqual(kernelStream, registryOf([small, { n: 1 }]).save({ trailer: false }));
    const foreign = registryOf([small, { n: 1 }], [other, { n: 2 }]).save({ trailer: false });
    const report = registry.load(foreign, { foreign: true });
    assert.deepEqual(report.ignored, [{ parent: null, id: 7, count: 1 }]);
    assert.deepEqual(report.carried, []);
  });
});
