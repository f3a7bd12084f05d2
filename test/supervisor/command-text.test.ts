import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { shownCommand } from "#src/supervisor/command-text.js";
import { fixture, Service } from "../support/service.js";

test("values that are called secrets are hidden in a command, and nothing else", () => {
  for (const [command, shown] of [
    ["node app.js --port 80 --token=abc", "node app.js --port 80 --token=***"],
    ["node app.js --db-password abc --verbose", "node app.js --db-password *** --verbose"],
    ["env API_KEY=abc PORT=80 node app.js", "env API_KEY=*** PORT=80 node app.js"],
    ["node app.js redis://me:abc@db:6379/0", "node app.js redis://me:***@db:6379/0"],
    ["node app.js --token --keyboard de --monkey=1", "node app.js --token --keyboard de --monkey=1"],
    ["node app.js --key abc", "node app.js --key ***"],
  ] as const) {
    assert.equal(shownCommand(command.split(" ")).join(" "), shown);
  }
});

test("a word of a million letters is shown without a walk from each of them", () => {
  const word = "x".repeat(1_000_000); // from each letter anew it would outlast the runner's patience
  assert.deepEqual(shownCommand(["node", word]), ["node", word]);
});

test("what is in an environment file reaches each program and is written down nowhere", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "kstate-environment-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "secrets.env");
  writeFileSync(file, "LEDGER_SECRET=first-secret\nMODE='no-persist'\n", { mode: 0o600 });
  const command = [process.execPath, fixture("ledger"), "--token=argument-secret"];
  const service = await Service.startCommand(t, command, {}, true, ["--env-file", file]);
  const environmentOf = async (): Promise<string> => {
    const { body } = await service.get("/");
    return readFileSync(`/proc/${body.pid}/environ`, "utf8");
  };
  assert.match(await environmentOf(), /\0LEDGER_SECRET=first-secret\0/);

  writeFileSync(file, "LEDGER_SECRET=second-secret\n", { mode: 0o600 });
  const update = await service.update();
  assert.equal(update.status, 0, update.stderr);
  assert.match(await environmentOf(), /\0LEDGER_SECRET=second-secret\0/);
  const status = await service.kstate("status", "--json");
  const history = await service.kstate("history");
  const shown = update.stdout + update.stderr + status.stdout + history.stdout + service.supervisor.stderr;
  assert.doesNotMatch(shown, /-secret/);
  const kept = readdirSync(service.directory).filter((name) => /\.jsonl?$/.test(name));
  assert.equal(kept.length, 2);
  for (const name of kept)
    assert.doesNotMatch(readFileSync(join(service.directory, name), "utf8"), /(first|second)-secret/);

  rmSync(file);
  const refused = await service.update();
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /SPAWN_FAILED/);
  assert.match(refused.stderr, /secrets\.env/);
});
