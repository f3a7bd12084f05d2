/** What happens to a service while a carrier is at work on its state. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { SupervisorStatus } from "#src/supervisor/index.js";
import type { ChildOutput } from "../support/child-output.js";
import { fixture, runtimeDirectory, Service, startKstate } from "../support/service.js";

interface Subject {
  readonly service: Service;
  readonly path: string;
  readonly suspending: ChildOutput;
  /** Lets the disk have what it is given. */
  open(): void;
}

/** A service whose state is being written to a disk that does not end its sync. */
async function beingKept(t: TestContext, options: readonly string[] = []): Promise<Subject> {
  const directory = runtimeDirectory(t);
  const gate = join(directory, "gate");
  const path = join(directory, "states", "grid.kstate");
  writeFileSync(gate, "shut"); // it goes with the test, whatever happens
  const preload = pathToFileURL(fixture("slow-disk")).href;
  const service = await Service.start(t, "grid", {
    env: { NODE_OPTIONS: `--import ${preload}`, GATE: gate },
  });
  await service.get("/fill");
  const suspending = startKstate(service.directory, ["suspend", "--to", `file:${path}`, ...options]);
  await service.supervisor.saw(/waits for the disk/);
  return { service, path, suspending, open: () => rmSync(gate) };
}

async function statusOf(service: Service): Promise<SupervisorStatus> {
  const { stdout, stderr } = await service.kstate("status", "--json");
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout) as SupervisorStatus;
}

test("a supervisor answers while the state is being kept, and refuses what cannot be done now", async (t) => {
  const { service, path, suspending, open } = await beingKept(t);
  const { suspending: progress, program } = await statusOf(service);
  assert.equal(program.phase, "serving");
  assert.ok(
    progress !== null && progress.doneBytes === progress.totalBytes && progress.totalBytes > 8 * 1024 ** 2,
  );
  assert.match((await service.kstate("status")).stdout, /it is being suspended: 9 of 9 MiB kept/);
  assert.ok(!existsSync(path), "all that was before the gate was in the middle of the store");
  for (const [command, ...args] of [["update"], ["suspend", "--to", "file:/tmp/other"]]) {
    const { stderr } = await service.kstate(command!, ...args);
    assert.match(stderr, /the service is being suspended \[NOT_ALLOWED_NOW\]/, command);
  }
  assert.match(
    (await service.kstate("resume")).stderr,
    /being suspended; wait for its end \[NOT_ALLOWED_NOW\]/,
  );
  open();
  assert.equal(await suspending.closed(), 0, suspending.stderr);
  assert.ok(existsSync(path));
});

test("a service that is stopped while its state is being kept ends with its state kept", async (t) => {
  const { service, path, suspending, open } = await beingKept(t);
  service.supervisor.child.kill("SIGTERM");
  await statusOf(service); // what it answers came after that
  open();
  assert.equal(await suspending.closed(), 0, suspending.stderr);
  assert.equal(await service.supervisor.closed(), 0);
  const next = await Service.start(t, "grid", { options: ["--from", `file:${path}`] });
  assert.equal((await next.get("/?at=1000")).body.value, 1001);
});

test("a supervisor that is killed while it keeps a state loses nothing: the program goes on", async (t) => {
  const { service, path, suspending, open } = await beingKept(t);
  await service.killSupervisor();
  assert.notEqual(await suspending.closed(), 0);
  assert.equal((await service.get("/?at=1000&value=5")).body.value, 5, "over the same connection");
  await service.adopt();
  assert.ok(!existsSync(path), "what was not kept whole is no state");
  open();
  const again = await service.kstate("suspend", "--to", `file:${path}`);
  assert.equal(again.status, 0, again.stderr);
  assert.deepEqual(readdirSync(dirname(path)), ["grid.kstate"], "what the killed one had left is gone");
  const next = await Service.start(t, "grid", { options: ["--from", `file:${path}`] });
  assert.equal((await next.get("/?at=1000")).body.value, 5);
});

test("a program that loses patience goes on while its state is being kept, which is given up", async (t) => {
  const { service, path, suspending, open } = await beingKept(t, ["--freeze-timeout", "2000"]);
  assert.equal((await service.get("/?at=1000&value=5")).body.value, 5);
  open();
  assert.equal(await suspending.closed(), 1);
  assert.match(
    suspending.stderr,
    /the program lost patience before its state was kept; it goes on \[UPDATE_CANCELLED\]/,
  );
  assert.ok(!existsSync(path));
  assert.equal((await service.update()).status, 0, "and can be updated");
});

for (const parts of [[], ["--part-size", "3M"]]) {
  test(`a disk that is full in the middle is a cancel, and leaves the state before (${parts.join(" ") || "whole"})`, async (t) => {
    const path = join(runtimeDirectory(t), "grid.kstate");
    const service = await Service.start(t, "grid");
    writeFileSync(path, "a state of before");
    await service.get("/fill");
    const limit = String(parts.length > 0 ? 2 * 1024 ** 2 : 6 * 1024 ** 2);
    const { pid } = service.supervisor.child;
    const limited = spawnSync("prlimit", ["--pid", String(pid), `--fsize=${limit}`], { encoding: "utf8" });
    if (limited.status !== 0)
      return t.skip(`cannot limit the size of files here: ${limited.stderr ?? "no prlimit"}`);
    const { connection } = await service.get("/");
    const failed = await service.kstate("suspend", "--to", `file:${path}`, ...parts);
    assert.match(failed.stderr, /cannot keep the state in file:.*EFBIG.*\[CARRIER_FAILED\]/);
    assert.equal(readFileSync(path, "utf8"), "a state of before");
    assert.deepEqual(readdirSync(dirname(path)), ["grid.kstate"]);
    const after = await service.get("/?at=1000&value=5");
    assert.deepEqual([after.body.value, after.connection], [5, connection]);
  });
}
