import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { ChildOutput } from "../support/child-output.ts";
import { kstate, runtimeDirectory, Service } from "../support/service.js";

test("a program whose supervisor was killed serves on, log lines included, and is adopted, updated and rolled back", async (t) => {
  const service = await Service.start(t, "counter");
  const before = await service.get("/add?amount=40");
  const socket = await service.openWebSocket(t);
  assert.match(await socket.ask("1 first"), /^1 1 /);
  const orphaned = service.supervisor;
  await service.killSupervisor();
  assert.equal((await service.get("/add?amount=1")).body.count, 41);
  await service.get("/log?text=alone");
  await orphaned.saw(/logged alone/);

  const adopted = await service.adopt();
  assert.match(adopted.stderr, new RegExp(`default: adopted ${before.body.pid}: .*counter`));
  const update = await service.update({ VERSION: "2" }, "--json");
  assert.equal(update.status, 0, update.stderr + adopted.stderr);
  const after = await service.get("/add?amount=1");
  assert.deepEqual([after.body.count, after.body.versionId, after.body.from], [42, 2, "restore"]);
  assert.equal(after.connection, before.connection, "the client had to connect again");
  assert.match(await socket.ask("2 moved"), new RegExp(`^2 2 ${after.body.pid}$`));
  assert.equal((await service.kstate("rollback")).status, 0);
  assert.deepEqual((await service.get("/")).body.versionId, 1);
  assert.equal((await service.kstate("stop")).status, 0);
  assert.equal(await adopted.closed(), 0);
  assert.deepEqual(readdirSync(service.directory), ["default.history.jsonl"], "something was left behind");
});

test("supervisors are killed again and again, and the rollback of before is still known", async (t) => {
  const service = await Service.start(t, "counter");
  assert.equal((await service.update({ VERSION: "2" })).status, 0);
  for (let round = 0; round < 3; round += 1) {
    await service.killSupervisor();
    await service.adopt();
    await service.get("/add?amount=1");
  }
  assert.equal((await service.kstate("rollback")).status, 0);
  const { body } = await service.get("/");
  assert.deepEqual([body.versionId, body.count], [1, 3]);
});

test("an adopted program that ends takes its supervisor with it, and nothing stays behind", async (t) => {
  const service = await Service.start(t, "counter");
  const { body } = await service.get("/");
  await service.killSupervisor();
  const adopted = await service.adopt("--restart", "never");
  process.kill(Number(body.pid), "SIGKILL");
  assert.equal(await adopted.closed(), 1);
  assert.match(adopted.stderr, new RegExp(`program ${body.pid} ended; its own output says why`));
  assert.deepEqual(readdirSync(service.directory), ["default.history.jsonl"]);
});

test("where nothing is left, adopting is refused, or starts the command that it was given", async (t) => {
  const directory = runtimeDirectory(t);
  const refused = await kstate(directory, "run", "--adopt", "--name", "chat");
  assert.equal(refused.status, 2);
  assert.match(
    refused.stderr,
    /cannot adopt chat: no program of it runs here; start it with "kstate run --name chat -- node app.js" \[NOTHING_TO_ADOPT\]/,
  );
  assert.ok(!existsSync(join(directory, "chat.sock")));
  const started = await kstate(
    directory,
    "run",
    "--adopt",
    "--",
    process.execPath,
    "-e",
    "process.exitCode = 7",
  );
  assert.equal(started.status, 7);

  const service = await Service.start(t, "counter");
  const { body } = await service.get("/");
  await service.killSupervisor();
  process.kill(Number(body.pid), "SIGKILL");
  const gone = await service.kstate("run", "--adopt");
  assert.match(gone.stderr, /\[NOTHING_TO_ADOPT\]/);
});

test("a second program is not started beside one that serves without a supervisor", async (t) => {
  const service = await Service.start(t, "counter");
  const { body } = await service.get("/");
  await service.killSupervisor();
  const { status, stderr } = await service.kstate("run", "--", process.execPath, "-e", "");
  assert.equal(status, 2);
  assert.match(
    stderr,
    new RegExp(
      `program ${body.pid} of default still serves, though its supervisor has ended; take it over with "kstate run --name default --adopt", or end it \\[NAME_IN_USE\\]`,
    ),
  );
  assert.equal(statSync(join(service.directory, "default.json")).mode & 0o777, 0o600);
  await service.adopt();
});

test("a supervisor cannot be adopted away from a running one", async (t) => {
  const service = await Service.start(t, "counter");
  const { status, stderr } = await service.kstate("run", "--adopt");
  assert.equal(status, 2);
  assert.match(stderr, /a service named default runs already.*\[NAME_IN_USE\]/);
});

/** An update that waits where `mode` says, and its supervisor killed there. */
async function killedDuring(
  t: TestContext,
  { mode, options = [] }: { mode: string; options?: readonly string[] },
  reached: RegExp,
): Promise<{ service: Service; output: ChildOutput; pid: number; gate: string; connection: number }> {
  const service = await Service.start(t, "counter");
  const { body, connection } = await service.get("/add?amount=5");
  const gate = join(service.directory, "gate");
  const update = service.startUpdate(
    "--env",
    "VERSION=2",
    "--env",
    `MODE=${mode}`,
    "--env",
    `GATE=${gate}`,
    ...options,
  );
  const output = service.supervisor;
  await (reached.source === "quiescing" ? update : output).saw(reached);
  await service.killSupervisor();
  assert.equal(await update.closed(), 2, "whoever asked for the update was not told");
  assert.match(update.stderr, /the supervisor of default ended before it answered/);
  return { service, output, pid: Number(body.pid), gate, connection };
}

/** The service has lost nothing, and its next update works. */
async function goesOn(service: Service, connection: number): Promise<Record<string, unknown>> {
  const { body, connection: now } = await service.get("/add?amount=1");
  assert.equal(body.count, 6);
  assert.equal(now, connection, "the client had to connect again");
  const update = await service.update({ VERSION: "2" });
  assert.equal(update.status, 0, update.stderr + service.supervisor.stderr);
  assert.equal((await service.get("/")).body.count, 6);
  return body;
}

test("a supervisor that is killed while the successor boots leaves the old program, and the successor is ended", async (t) => {
  const { service, pid, connection } = await killedDuring(t, { mode: "print-never-ready" }, /not ready/);
  const adopted = await service.adopt();
  assert.match(adopted.stderr, /update 1 had been cancelled/);
  assert.equal((await goesOn(service, connection)).pid, pid);
});

test("a supervisor that is killed while the successor loads: the programs commit without it", async (t) => {
  const { service, output, pid, gate, connection } = await killedDuring(
    t,
    { mode: "gate-on-load", options: ["--freeze-timeout", "60000"] },
    /at the gate/,
  );
  writeFileSync(gate, "");
  await output.saw(/took over/);
  const adopted = await service.adopt();
  assert.match(adopted.stderr, /update 1 had been committed/);
  const body = await goesOn(service, connection);
  assert.notEqual(body.pid, pid);
  assert.deepEqual([body.versionId, body.from], [2, "restore"]);
});

test("a supervisor that is killed while a successor hangs: the old program cancels without it", async (t) => {
  const { service, pid, connection } = await killedDuring(
    t,
    { mode: "gate-on-load", options: ["--freeze-timeout", "1000"] },
    /at the gate/,
  );
  const adopted = await service.adopt();
  assert.match(adopted.stderr, /update 1 had been cancelled/);
  assert.equal((await goesOn(service, connection)).pid, pid);
});

test("a supervisor that is killed while a request holds up the freeze: adopting cancels", async (t) => {
  const service = await Service.start(t, "counter");
  const { body } = await service.get("/add?amount=5");
  const parked = service.get("/park");
  await service.other("/");
  const update = service.startUpdate("--quiesce-timeout", "60000");
  await update.saw(/quiescing/);
  await service.killSupervisor();
  await update.closed();
  await service.adopt();
  await service.other("/release");
  assert.deepEqual((await parked).body, { text: "released" });
  const after = await service.get("/");
  assert.deepEqual([after.body.pid, after.body.count], [body.pid, 5]);
  assert.equal((await service.update()).status, 0);
});

test("a supervisor that is killed while the old program compares descriptions", async (t) => {
  const service = await Service.start(t, "counter");
  const { body, connection } = await service.get("/add?amount=5");
  process.kill(Number(body.pid), "SIGSTOP");
  const update = service.startUpdate("--env", "VERSION=2");
  await update.saw(/preparing/);
  await service.killSupervisor();
  process.kill(Number(body.pid), "SIGCONT");
  await service.adopt();
  assert.equal((await goesOn(service, connection)).pid, body.pid);
});

test("the old program dies with the supervisor: the memory that its successor holds is kept, and it is started again", async (t) => {
  const { service, pid } = await killedDuring(t, { mode: "print-never-ready" }, /not ready/);
  process.kill(pid, "SIGKILL");
  const adopted = await service.adopt();
  assert.match(
    adopted.stderr,
    /update 1 had been cancelled.*its program has ended, and its memory was kept/s,
  );
  const { body } = await service.get("/");
  assert.deepEqual([body.count, body.from, body.versionId], [0, "boot", 1]);
});
