import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defineState, map, Registry, string, u8 } from "kstate";
import { kstate } from "../support/service.js";

const clear = "\u001b[2J\u009b31m\u202e\u0007";
/** What no output of ours has in it. */
const dangerous = /(?![\n\t])\p{Cc}|\p{Bidi_Control}/u;

test("names, keys, values and messages of others reach the terminal without commands to it", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "kstate-print-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const player = defineState({
    name: "player",
    id: 1,
    fields: [[`hp${clear}`, map(string({ max: 99 }), u8, { max: 9 })]],
  });
  const registry = new Registry();
  registry.register(
    player,
    { [`hp${clear}`]: new Map([[`key${clear}\nsecond line`, 1]]) } as never,
    `id${clear}`,
  );
  const [stream, other, lock] = ["stream", "other", "lock.json"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(stream, registry.save());
  writeFileSync(other, new Registry().save());
  writeFileSync(lock, JSON.stringify(registry.lockRecord()));
  for (const args of [
    ["inspect", stream],
    ["inspect", stream, "--json"],
    ["inspect", stream, "--hex"],
    ["diff", stream, other],
    ["diff", stream, other, "--json"],
    ["check", stream, other],
    ["check", stream, other, "--format", "json"],
    ["inspect", `${directory}/none${clear}`],
    ["status", "--name", `x${clear}`],
    [`command${clear}`],
    ["history", "--name", "chat", `--limit=${clear}`],
  ]) {
    const { stdout, stderr } = await kstate(directory, ...args);
    assert.doesNotMatch(stdout + stderr, dangerous, args[0]);
    assert.match(stdout + stderr, /\S/);
  }
  const { stdout } = await kstate(directory, "inspect", stream, "--json");
  const [section] = (JSON.parse(stdout) as { sections: { instanceId: string }[] }).sections;
  assert.equal(section?.instanceId, `id${clear}`, "in JSON it is the same text");
});

test("nothing in the command line writes to the terminal but by its one door", () => {
  const sources = new URL("../../../biome.json", import.meta.url);
  const { overrides } = JSON.parse(readFileSync(sources, "utf8")) as { overrides: { includes: string[] }[] };
  const allowed = overrides.flatMap(({ includes }) => includes).filter((path) => path.startsWith("src/"));
  assert.deepEqual(allowed, ["src/cli/print.ts"]);
});
