import assert from "node:assert/strict";
import { test } from "node:test";
import type { SupervisorStatus } from "#src/supervisor/control-protocol.js";
import { Service } from "../support/service.js";

async function statusOf(service: Service): Promise<SupervisorStatus> {
  return JSON.parse((await service.kstate("status", "--json")).stdout) as SupervisorStatus;
}

async function isGone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("with --standby the previous version waits, booted anew, and a rollback takes it without a boot", async (t) => {
  const service = await Service.start(t, "counter");
  await service.get("/add?amount=1");
  assert.equal((await service.update({ VERSION: "2" }, "--standby")).status, 0);
  await service.supervisor.saw(/(\d+) stands by for a rollback/);
  const { standby } = await statusOf(service);
  assert.equal(standby?.waiting, true);
  assert.match(
    (await service.kstate("status")).stdout,
    new RegExp(`stands by    ${standby.pid} waits until`),
  );
  await service.get("/add?amount=2");
  const rollback = await service.kstate("rollback");
  assert.equal(rollback.status, 0, rollback.stderr);
  assert.doesNotMatch(rollback.stderr, /booting/);
  const { body } = await service.get("/");
  assert.deepEqual([body.pid, body.versionId, body.count, body.from], [standby.pid, 1, 3, "restore"]);
  assert.equal((await statusOf(service)).standby, null);
  assert.equal((await service.kstate("rollback")).status, 0, "forward again, with a boot");
  assert.equal((await service.get("/")).body.versionId, 2);
});

test("a standby ends with commit, with the next update, when its time is over, and with the service", async (t) => {
  const service = await Service.start(t, "counter");
  const standbyOf = async (...options: string[]): Promise<number> => {
    const { status, stderr } = await service.update({}, "--standby", ...options);
    assert.equal(status, 0, stderr);
    return (await statusOf(service)).standby?.pid ?? 0;
  };
  const first = await standbyOf();
  const commit = await service.kstate("commit");
  assert.equal(commit.stdout, `default: ${first} stands by no longer\n`);
  await isGone(first);
  assert.equal((await service.kstate("commit")).stdout, "default: no previous version stood by\n");
  const second = await standbyOf();
  const third = await standbyOf();
  await isGone(second);
  assert.notEqual(third, 0);
  assert.equal((await service.update({}, "--standby-timeout", "50")).status, 0);
  await isGone(third);
  await service.supervisor.saw(/nobody went back: \d+ stands by no longer/);
  const last = await standbyOf();
  assert.equal((await service.kstate("stop")).status, 0);
  await isGone(last);
});

test("a standby that dies is no harm: the rollback boots", async (t) => {
  const service = await Service.start(t, "counter");
  assert.equal((await service.update({ VERSION: "2" }, "--standby")).status, 0);
  process.kill((await statusOf(service)).standby?.pid ?? 0, "SIGKILL");
  await service.supervisor.saw(/the standby is gone: .* was ended by SIGKILL/);
  assert.equal((await service.kstate("rollback")).status, 0);
  assert.equal((await service.get("/")).body.versionId, 1);
});

test("a standby whose supervisor is killed ends, and its service is adopted", async (t) => {
  const service = await Service.start(t, "counter");
  assert.equal((await service.update({ VERSION: "2" }, "--standby")).status, 0);
  await service.supervisor.saw(/stands by for a rollback/);
  const { standby } = await statusOf(service);
  await service.killSupervisor();
  await isGone(standby?.pid ?? 0);
  await service.adopt();
  assert.equal((await service.kstate("rollback")).status, 0);
});

test("a rehearsal refuses before anybody waits, and changes nothing", async (t) => {
  const service = await Service.start(t, "counter");
  const { body, connection } = await service.get("/add?amount=300");
  const refused = await service.update({ MODE: "refuse-state" }, "--rehearse");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /rehearsing: the successor checks \d+ bytes[\s\S]*count.*\[CHECK_FAILED\]/);
  const after = await service.get("/");
  assert.deepEqual(
    [after.body.pid, after.body.from, after.connection],
    [body.pid, "boot", connection],
    "it was frozen",
  );
  const rehearsed = await service.update({ VERSION: "2" }, "--rehearse");
  assert.equal(rehearsed.status, 0, rehearsed.stderr);
  assert.equal((await service.get("/")).body.count, 300);
  const { stdout } = await service.kstate("history", "--json", "--limit", "1");
  assert.deepEqual(Object.keys((JSON.parse(stdout) as { phases: object }).phases), [
    "booting",
    "preparing",
    "rehearsing",
    "receiving",
    "handover",
    "finishing",
  ]);
});
