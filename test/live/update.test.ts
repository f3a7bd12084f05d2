import assert from "node:assert/strict";
import { openSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CHECKPOINT, HANDOVER, openDescriptor, PhysicalMemory } from "#src/memory/index.js";
import { Service } from "../support/service.js";

test("the next version takes over state, the keep-alive connection and the port", async (t) => {
  const service = await Service.start(t, "counter");
  const before = await service.get("/add?amount=41");
  assert.equal(before.body.from, "boot");
  const { status, stdout } = await service.update({ VERSION: "2" }, "--json");
  assert.equal(status, 0, stdout);
  const result = JSON.parse(stdout) as { outcome: string; pid: number; figures: { httpConnections: number } };
  assert.equal(result.outcome, "committed");
  assert.equal(result.figures.httpConnections, 1);
  const after = await service.get("/add?amount=1");
  assert.deepEqual(
    { ...after.body, ticks: 0 },
    {
      pid: result.pid,
      versionId: 2,
      from: "restore",
      ticks: 0,
      count: 42,
      additions: 2,
      legacy: 7,
      label: "new",
    },
  );
  assert.notEqual(after.body.pid, before.body.pid);
  assert.equal(after.connection, before.connection, "the client had to connect again");
});

test("a rollback goes back to the previous version with the present state, and forward again", async (t) => {
  const service = await Service.start(t, "counter");
  await service.get("/add?amount=1");
  assert.equal((await service.update({ VERSION: "2" })).status, 0);
  await service.get("/add?amount=2&label=kept");
  const { connection } = await service.get("/");
  const rollback = await service.kstate("rollback");
  assert.equal(rollback.status, 0, rollback.stderr);
  const back = await service.get("/add?amount=4");
  assert.deepEqual([back.body.versionId, back.body.count, back.connection], [1, 7, connection]);
  assert.equal((await service.kstate("rollback")).status, 0);
  const forward = await service.get("/");
  assert.deepEqual([forward.body.versionId, forward.body.count, forward.body.additions], [2, 7, 3]);
});

const failures: {
  mode: string;
  code: string;
  message: RegExp;
  options?: string[];
}[] = [
  { mode: "throw-at-boot", code: "PROGRAM_THREW", message: /the program threw: this version is broken/ },
  {
    mode: "exit-at-boot",
    code: "PROGRAM_EXITED",
    message: /ended with exit code 3; its own output says why/,
  },
  {
    mode: "never-join",
    code: "BOOT_TIMEOUT",
    message: /did not call joinLiveUpdate\(\) within 2000 ms/,
    options: ["--boot-timeout", "2000"],
  },
  {
    mode: "never-ready",
    code: "BOOT_TIMEOUT",
    message: /did not call ready\(\) within 2000 ms/,
    options: ["--boot-timeout", "2000"],
  },
  { mode: "refuse-version", code: "UPDATE_REFUSED", message: /counter/ },
  { mode: "throw-on-load", code: "HOOK_FAILED", message: /postLoad.*counter/s },
  {
    mode: "hang-on-load",
    code: "UPDATE_TIMEOUT",
    message: /said nothing within 300 ms while this program was frozen/,
    options: ["--freeze-timeout", "300"],
  },
  { mode: "kill-on-load", code: "PROGRAM_EXITED", message: /was ended by SIGKILL/ },
  { mode: "no-web-sockets", code: "CONNECTIONS_UNCLAIMED", message: /cannot take over 2 connections/ },
];

for (const { mode, code, message, options = [] } of failures) {
  test(`a successor that fails with ${mode} is ended, and the old version goes on`, async (t) => {
    const service = await Service.start(t, "counter");
    const before = await service.get("/add?amount=5");
    const socket = await service.openWebSocket(t);
    assert.match(await socket.ask("1 hello"), /^1 1 /);
    const { status, stdout, stderr } = await service.update({ MODE: mode }, "--json", ...options);
    assert.equal(status, 1, stderr);
    const { outcome, error } = JSON.parse(stdout) as {
      outcome: string;
      error: { code: string; message: string };
    };
    assert.equal(outcome, "failed");
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    const after = await service.get("/");
    assert.deepEqual([after.body.pid, after.body.count], [before.body.pid, 5]);
    assert.equal(after.connection, before.connection);
    if (["refuse-version", "throw-on-load", "hang-on-load"].includes(mode))
      await service.supervisor.saw(new RegExp(`${before.body.pid} was told ${code}`));
    assert.match(await socket.ask("2 again"), new RegExp(`^2 2 ${before.body.pid}$`));
    const next = await service.update({ VERSION: "2" });
    assert.equal(next.status, 0, `the next update does not work: ${next.stderr}`);
    assert.equal((await service.get("/")).body.count, 5);
    assert.match(await socket.ask("3 moved"), /^3 3 /);
  });
}

test("activities are stopped for the freeze and begin again after a cancel", async (t) => {
  const service = await Service.start(t, "counter");
  await service.update({ MODE: "throw-on-load" });
  const first = await service.get("/");
  assert.equal(first.body.from, "thaw");
  const second = await service.get("/");
  assert.ok(Number(second.body.ticks) >= Number(first.body.ticks));
});

test("a stop function that returns a promise cancels the update by name", async (t) => {
  const service = await Service.start(t, "counter", { env: { MODE: "stop-promise" } });
  const { status, stderr } = await service.update();
  assert.equal(status, 1);
  assert.match(stderr, /the stop function that start\(\) was given returned a promise.*\[HOOK_ASYNC\]/s);
  assert.equal((await service.get("/")).body.from, "thaw");
});

test("a request that does not end in time refuses the update and is answered by the old version", async (t) => {
  const service = await Service.start(t, "counter");
  const { body } = await service.get("/");
  const parked = service.get("/park");
  await service.other("/"); // the parked request has been read by then: both go through one event loop
  const refused = await service.update({}, "--quiesce-timeout", "200");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /still under way after 200 ms: GET \/park.*\[REQUESTS_BUSY\]/s);
  await service.supervisor.saw(new RegExp(`${body.pid} was told REQUESTS_BUSY`));
  await service.other("/release");
  assert.deepEqual((await parked).body, { text: "released" });
  assert.equal((await service.get("/")).body.pid, body.pid);
  assert.equal((await service.update()).status, 0);
});

test("a request that ends while quiescing is answered before the move", async (t) => {
  const service = await Service.start(t, "counter");
  const { body } = await service.get("/");
  const parked = service.get("/park");
  await service.other("/");
  const update = service.startUpdate("--quiesce-timeout", "60000");
  await update.saw(/quiescing/);
  await service.other("/release");
  assert.deepEqual((await parked).body, { text: "released" });
  assert.equal(await update.closed(), 0);
  assert.notEqual((await service.get("/")).body.pid, body.pid);
});

test("a listener that the next version does not use is closed, and bound again by a rollback", async (t) => {
  const service = await Service.start(t, "counter");
  const listeners = async (): Promise<string[]> =>
    (JSON.parse((await service.kstate("status", "--json")).stdout) as { listeners: string[] }).listeners;
  const [first] = await listeners();
  assert.equal((await service.update({ LISTENER: "elsewhere" })).status, 0);
  const [second, ...more] = await listeners();
  assert.deepEqual(more, []);
  assert.notEqual(second, first);
  await assert.rejects(service.get("/"), { code: "ECONNREFUSED" });
  assert.equal((await service.kstate("rollback")).status, 0);
  assert.equal((await listeners()).length, 1);
});

test("what was handed over is a checkpoint until the next version makes its own", async (t) => {
  const service = await Service.start(t, "counter");
  await service.get("/add?amount=41");
  assert.equal((await service.update()).status, 0);
  const { pid } = (await service.get("/")).body;
  const memory = PhysicalMemory.attach(openDescriptor(openSync(memoryOf(Number(pid)), "r+")));
  assert.equal(memory.stream(HANDOVER), undefined);
  assert.ok(memory.stream(CHECKPOINT)!.bytes.length > 100);
});

/** The shared memory of a program, as a file. */
function memoryOf(pid: number): string {
  const descriptors = `/proc/${pid}/fd`;
  const found = readdirSync(descriptors).find((fd) =>
    /memfd:kstate/.test(readlinkSync(join(descriptors, fd))),
  );
  return join(descriptors, found!);
}
