import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { runtimeDirectory, Service } from "../support/service.js";

const PLAYERS = 20_000;
const first = { hp: 500, title: "p1500" };

test("a changed description is migrated after the commit while the program serves, and back by a rollback", async (t) => {
  const service = await Service.start(t, "players");
  await service.get(`/add?count=${PLAYERS}`);
  const { free } = (await service.get("/?id=1500")).body;
  assert.equal((await service.update({ PLAYER_VERSION: "2" })).status, 0);
  const { body } = await service.get("/?id=1500");
  const second = { ...first, armour: 7.5 };
  assert.deepEqual(
    [body.version, body.atStart, body.row, body.value],
    ["2", PLAYERS, second, second],
    "rows are there in start() and in the first request, migrated or not",
  );
  assert.match(
    String(body.early),
    /^NOT_ALLOWED_NOW cannot use the map map: another program owns the memory until the commit; use it after ready\(\)/,
  );
  assert.deepEqual((await service.get("/migrated")).body.migrating, [false, false]);
  await service.get("/add?count=1");

  assert.equal((await service.kstate("rollback")).status, 0);
  assert.deepEqual((await service.get("/?id=1500")).body.value, first);
  const { body: back } = await service.get("/migrated?id=1500");
  assert.deepEqual(
    [back.version, back.migrating, back.length, back.size, back.names, back.row, back.value],
    ["1", [false, false], PLAYERS + 1, PLAYERS + 1, PLAYERS + 1, first, first],
  );
  const kept = Number(back.free) / Number(free);
  assert.ok(kept > 0.99, `${back.free} bytes are free instead of ${free}`);
});

test("a migration that is under way is finished before the next one begins, and no player is lost", async (t) => {
  const service = await Service.start(t, "players");
  await service.get(`/add?count=${PLAYERS}`);
  for (const version of ["2", "1", "2", "2", "1"]) {
    const { status, stderr } = await service.update({ PLAYER_VERSION: version });
    assert.equal(status, 0, stderr);
    const { body } = await service.get("/?id=1500");
    const expected = version === "1" ? first : { ...first, armour: 7.5 };
    assert.deepEqual([body.version, body.row, body.value, body.size], [version, expected, expected, PLAYERS]);
  }
});

test("collections named before ready() are there in a service that was suspended and resumed, described anew", async (t) => {
  const path = join(runtimeDirectory(t), "players.kstate");
  const service = await Service.start(t, "players");
  await service.get("/add?count=2000");
  const suspended = await service.kstate("suspend", "--to", `file:${path}`);
  assert.equal(suspended.status, 0, suspended.stderr);
  const next = await Service.start(t, "players", {
    env: { PLAYER_VERSION: "2" },
    options: ["--from", `file:${path}`],
  });
  const { body } = await next.get("/migrated?id=1500");
  const second = { ...first, armour: 7.5 };
  assert.deepEqual(
    [body.version, body.length, body.size, body.names, body.row, body.value],
    ["2", 2000, 2000, 2000, second, second],
  );
});

for (const [version, message] of [
  [
    "retyped",
    /cannot open rows of player@1: the field hp is u16 there, and u32 in player@3; keep the kind and add a field of another name/,
  ],
  ["forgotten", /player@1 has other fields in memory than this program gives it: .*raise versionId/],
  ["keys", /cannot open the map names: its keys are string/],
] as const) {
  test(`a successor that could not open a collection is refused by name before anybody waits: ${version}`, async (t) => {
    const service = await Service.start(t, "players");
    await service.get("/add?count=2000");
    const { body: before } = await service.get("/?id=1500");
    const { status, stdout, stderr } = await service.update({ PLAYER_VERSION: version });
    assert.equal(status, 1);
    assert.match(stderr, message);
    assert.match(stdout + stderr, /preparing: comparing/);
    assert.doesNotMatch(stdout + stderr, /quiescing/);
    const { body } = await service.get("/?id=1500");
    assert.deepEqual(body, before, "the old program serves on as if nothing had happened");
    assert.equal((await service.update({ PLAYER_VERSION: "2" })).status, 0);
    assert.deepEqual((await service.get("/?id=1500")).body.value, { ...first, armour: 7.5 });
  });
}

test("an update whose new collection has no room, or no name, is refused by its name, and nothing is lost", async (t) => {
  const service = await Service.start(t, "players", { options: ["--memory", "64M"] });
  await service.get("/add?count=2000");
  const serves = async () => ({ ...(await service.get("/?id=1500")).body, atStart: undefined }); // activities begin again
  const before = await serves();
  const full = await service.update({ EXTRA: "4000000" });
  assert.equal(full.status, 1);
  assert.match(
    full.stderr,
    /there is no room for the collection extra: cannot allocate \d+ bytes.*\[MEMORY_FULL\]/,
  );
  assert.deepEqual(await serves(), before);
  const unnamed = await service.update({ EXTRA: "10", EXTRA_NAME: "no name" });
  assert.equal(unnamed.status, 1);
  assert.match(unnamed.stderr, /cannot open the array "no name".*\[COLLECTION_MISMATCH\]/);
  assert.deepEqual(await serves(), before, "the old program serves on as if nothing had happened");
  assert.equal((await service.update({ EXTRA: "100000" })).status, 0);
  const { body } = await service.get("/?id=1500");
  assert.deepEqual([body.length, body.row], [2000, { hp: 500, title: "p1500" }]);
});
