import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runtimeDirectory, Service } from "../support/service.js";

interface Saved {
  readonly pid: number;
  readonly before: number[];
  readonly after: number[];
  readonly counts: number[];
}

async function saved(service: Service): Promise<Saved> {
  return (await service.get("/")).body as unknown as Saved;
}

test("workers with the preload stand still while the state is saved, and end with their program", async (t) => {
  const service = await Service.start(t, "resources", { env: { RESOURCES: "parked,parked" } });
  assert.equal((await service.update()).status, 0);
  const { before, after } = await saved(service);
  assert.ok(before[0]! > 0 && before[1]! > 0);
  assert.deepEqual(after, before);
});

test("parked workers go on when the update is cancelled", async (t) => {
  const service = await Service.start(t, "resources", { env: { RESOURCES: "parked" } });
  const { pid } = await saved(service);
  assert.match((await service.update({ MODE: "throw-on-load" })).stderr, /HOOK_FAILED/);
  const thawed = await saved(service);
  assert.equal(thawed.pid, pid);
  while ((await saved(service)).counts[0] === thawed.counts[0]);
});

test("a worker that does not look at its messages cancels the update; the others go on", async (t) => {
  const service = await Service.start(t, "resources", { env: { RESOURCES: "parked,deaf" } });
  const { pid } = await saved(service);
  const { status, stderr } = await service.update();
  assert.equal(status, 1);
  assert.match(
    stderr,
    /1 worker thread with kstate\/live\/worker did not stop within 500 ms.*\[LIVE_RESOURCE\]/s,
  );
  const thawed = await saved(service);
  assert.equal(thawed.pid, pid);
  while ((await saved(service)).counts[0] === thawed.counts[0]);
});

test("workers and child processes that nobody allowed refuse the update by name, before anybody waits", async (t) => {
  const service = await Service.start(t, "resources", { env: { RESOURCES: "free,child,unref" } });
  const { pid } = await saved(service);
  const { status, stderr } = await service.update();
  assert.equal(status, 1);
  assert.match(
    stderr,
    /worker thread \d+( \(free\))?, child process \d+ \(sleep\) would go on.*kstate\/live\/worker.*\[LIVE_RESOURCE\]/s,
  );
  assert.doesNotMatch(stderr, /sleep.*sleep/s, "a child process that is unref'd does not count");
  assert.equal((await saved(service)).pid, pid);
});

test("a child process that nobody allowed refuses a suspend too, and the program serves on", async (t) => {
  const service = await Service.start(t, "resources", { env: { RESOURCES: "child" } });
  const { pid } = await saved(service);
  const { status, stderr } = await service.kstate("suspend", "--to", `file:${service.directory}/state`);
  assert.equal(status, 1);
  assert.match(stderr, /child process \d+ \(sleep\) would go on.*\[LIVE_RESOURCE\]/s);
  assert.equal((await saved(service)).pid, pid);
});

test("the thread in which module hooks run, tsx's for one, does not count", async (t) => {
  const service = await Service.start(t, "resources", { env: { RESOURCES: "hooks" } });
  assert.equal((await service.update()).status, 0);
});

test("tsx is told not to transform in a thread of the program, unless the user has said so himself", async (t) => {
  const directory = runtimeDirectory(t);
  const app = join(directory, "app.cts");
  writeFileSync(join(directory, "later.cts"), "export const later: number = 1;\n");
  writeFileSync(
    app,
    `async function main(): Promise<void> {
  const { joinLiveUpdate } = await import(process.env.LIVE as string);
  const live = await joinLiveUpdate({ name: "typed" });
  require("./later.cts");
  console.error("threads", process.env.ESBUILD_WORKER_THREADS);
  await live.ready();
  setInterval(() => {}, 1000);
}
void main();
`,
  );
  const command = [process.execPath, `--import=${import.meta.resolve("tsx")}`, app];
  const LIVE = import.meta.resolve("kstate/live");
  const service = await Service.startCommand(t, command, { LIVE });
  const { status, stderr } = await service.update();
  assert.equal(status, 0, stderr);
  await service.supervisor.saw(/threads 0/);
  const asked = await Service.startCommand(t, command, { LIVE, ESBUILD_WORKER_THREADS: "1" });
  await asked.supervisor.saw(/threads 1/);
});

test("what is allowed by name or as an object goes on", async (t) => {
  const service = await Service.start(t, "resources", { env: { RESOURCES: "free,child", ALLOW: "sleep" } });
  assert.match((await service.update()).stderr, /: worker thread \d+( \(free\))? would go on/);
  await service.get("/allow");
  assert.equal((await service.update({ RESOURCES: "" })).status, 0);
});

test("a worker of node:cluster cannot join", async (t) => {
  const service = await Service.start(t, "resources", { env: { CLUSTER: "worker" }, serving: false });
  await service.supervisor.saw(/CLUSTER_UNSUPPORTED/);
  await service.supervisor.saw(/exit code 9/);
});

test("a primary of node:cluster cannot be updated", async (t) => {
  const service = await Service.start(t, "resources", { env: { CLUSTER: "primary" } });
  assert.match(
    (await service.update()).stderr,
    /has cluster workers.*kstate run --name.*\[CLUSTER_UNSUPPORTED\]/s,
  );
});
