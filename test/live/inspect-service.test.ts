import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { kstate, runtimeDirectory, Service } from "../support/service.js";

/** Of these tests alone, so that they can tell what is left there. */
const temporary = mkdtempSync(join(tmpdir(), "kstate-inspect-"));
process.env.TMPDIR = temporary;
after(() => rmSync(temporary, { recursive: true, force: true }));

interface Inspected {
  readonly sections: readonly { readonly name: string; readonly fields: Record<string, unknown> }[];
}

test("a running service is looked into by its name; its program serves on, and no file is left", async (t) => {
  const service = await Service.start(t, "hero");
  await service.get("/hit");
  await service.get("/hit");
  const { status, stdout, stderr } = await service.kstate("inspect", "default", "--json");
  assert.equal(status, 0, stderr);
  const { sections } = JSON.parse(stdout) as Inspected;
  const hp = sections.find(({ name }) => name === "hero")!.fields.hp;
  assert.equal(hp, 3);
  assert.deepEqual((await service.get("/hit")).body, { state: "one", hp: 4 });
  assert.deepEqual(
    readdirSync(tmpdir()).filter((name) => name.startsWith("kstate-save-")),
    [],
  );
  assert.equal((await service.update()).status, 0);
});

test("two moments of a service are compared, and one is kept as a golden stream", async (t) => {
  const service = await Service.start(t, "hero");
  const directory = mkdtempSync(join(tmpdir(), "kstate-golden-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const kept = await service.kstate("golden", "add", "default", "--dir", directory, "--as", "one");
  assert.equal(kept.status, 0, kept.stderr);
  await service.get("/hit");
  const { status, stdout } = await service.kstate("diff", join(directory, "one.kstate"), "default");
  assert.equal(status, 1);
  assert.match(stdout, /hp/);
});

test("what cannot be looked into says why", async (t) => {
  const nobody = await kstate(runtimeDirectory(t), "inspect", "nobody");
  assert.equal(nobody.status, 2);
  assert.match(nobody.stderr, /\[NO_SUPERVISOR\]/);
  const service = await Service.start(t, "hero");
  const ended = service.supervisor.exited();
  await service.kstate("stop");
  await ended;
  assert.match((await service.kstate("inspect", "default")).stderr, /\[NO_SUPERVISOR\]/);
});
