import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { HistoryFile } from "#src/supervisor/history.js";
import { ServiceRecordFile } from "#src/supervisor/service-record.js";
import { kstate } from "../support/service.js";

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "kstate-records-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test("lines of a history that are no entries are left out, and entries that lack something are shown as they are", async (t) => {
  const directory = directoryOf(t);
  const half = { at: "2026-01-01T00:00:00.000Z", kind: "crashed" };
  const lines = ["null", "7", "[]", "{}", '{"at":1,"kind":"started"}', "{", JSON.stringify(half)];
  writeFileSync(join(directory, "chat.history.jsonl"), `${lines.join("\n")}\n`, { mode: 0o600 });
  assert.deepEqual(new HistoryFile(directory, "chat").read(), [half]);
  const { status, stdout } = await kstate(directory, "history", "--name", "chat");
  assert.deepEqual([status, stdout], [0, `${JSON.stringify(half)}\n`]);
});

test("a service record that lacks something is none", (t) => {
  const directory = directoryOf(t);
  const file = new ServiceRecordFile(directory, "chat");
  const command = { argv: ["node", "app.js"], environment: {} };
  const process = { pid: 7, startTicks: 9 };
  const program = { controlPath: "/x.sock", command, startedAt: "2026-01-01T00:00:00.000Z", process };
  const whole = {
    name: "chat",
    supervisor: process,
    cwd: "/",
    generation: 1,
    program,
    previous: null,
    update: null,
  };
  file.write(whole);
  assert.equal(file.read()?.program.controlPath, "/x.sock");
  for (const change of [
    { program: null },
    { program: { ...program, controlPath: 7 } },
    { program: { ...program, process: { pid: 1e308, startTicks: 1 } } },
    { previous: { argv: "node", environment: {} } },
    { update: { generation: 2 } },
    { generation: -1 },
  ]) {
    file.write({ ...whole, ...change } as never);
    assert.equal(file.read(), null, JSON.stringify(change));
  }
});
