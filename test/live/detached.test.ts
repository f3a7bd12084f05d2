import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Detached } from "#src/live/sockets/detached.js";
import { RawStream } from "../support/raw-stream.js";
import { Service } from "../support/service.js";

const request = (method: string, path: string, headers = ""): string =>
  `${method} ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;

/** A program tells nobody but its supervisor that it has ended. */
async function ended(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await setTimeout(10);
  }
}

async function download(t: TestContext, service: Service, detach: string): Promise<RawStream> {
  const client = await RawStream.open(t, service.port);
  client.socket.write(request("GET", `/download?detach=${detach}`));
  await client.take(/begin \d+/);
  return client;
}

for (const detach of ["first", "later"]) {
  test(`a response that is detached ${detach} finishes on the old side, and everything else has moved`, async (t) => {
    const service = await Service.start(t, "transfers");
    const before = await service.get("/");
    const client = await download(t, service, detach);
    const { status, stderr } = await service.update();
    assert.equal(status, 0, stderr);
    const after = await service.get("/");
    assert.notEqual(after.body.pid, before.body.pid);
    assert.equal(after.connection, before.connection);
    const old = Number(before.body.pid);
    process.kill(old, "SIGUSR2");
    await client.take(/ end\r\n0\r\n\r\n$/);
    await client.end();
    await ended(old);
    assert.equal((await service.get("/")).body.pid, after.body.pid);
  });
}

test("two updates pass while a response of the first version goes on", async (t) => {
  const service = await Service.start(t, "transfers");
  const old = Number((await service.get("/")).body.pid);
  const client = await download(t, service, "first");
  assert.equal((await service.update()).status, 0);
  assert.equal((await service.kstate("rollback")).status, 0);
  process.kill(old, "SIGUSR2");
  await client.take(/ end\r\n0\r\n\r\n$/);
  await ended(old);
});

test("a response that takes longer than its limit is cut off and said so; the old program ends", async (t) => {
  const service = await Service.start(t, "transfers", { env: { DETACHED_LIMIT_MS: "200" } });
  const old = Number((await service.get("/")).body.pid);
  const client = await download(t, service, "first");
  const { status, stderr } = await service.update();
  assert.equal(status, 0, stderr);
  await client.end();
  assert.doesNotMatch(client.text, / end\r\n/);
  await ended(old);
  await service.supervisor.saw(
    /took more than 200 ms after the update and are cut off: 127\.0\.0\.1:\d+; .*detachedLimitMs/,
  );
  assert.notEqual((await service.get("/")).body.pid, old);
});

test("a limit that is none is refused by its value", () => {
  assert.throws(() => new Detached(-1), /detachedLimitMs has to be .* 0 for no limit, not -1/);
  assert.throws(() => new Detached(Number.NaN), /not NaN/);
  assert.deepEqual(
    [new Detached().limitMs, new Detached(0).limitMs, new Detached(Number.POSITIVE_INFINITY).limitMs],
    [3_600_000, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  );
});

test("a program that finishes responses ends with its service", async (t) => {
  const service = await Service.start(t, "transfers");
  const old = Number((await service.get("/")).body.pid);
  const client = await download(t, service, "first");
  assert.equal((await service.update()).status, 0);
  assert.equal((await service.kstate("stop")).status, 0);
  await ended(old);
  await client.end();
});

test("a detached upload goes on where it is; its client's later bytes are read by the old side", async (t) => {
  const service = await Service.start(t, "transfers");
  const client = await RawStream.open(t, service.port);
  client.socket.write(`${request("POST", "/upload?detach=first", "Content-Length: 10\r\n")}12345`);
  await client.take(/so far/);
  assert.equal((await service.update()).status, 0);
  client.socket.write("67890");
  await client.take(/ 10\r\n0\r\n\r\n$/);
});

test("a detached response outlives a cancelled update", async (t) => {
  const service = await Service.start(t, "transfers");
  const { body } = await service.get("/");
  const client = await download(t, service, "first");
  assert.equal((await service.update({ MODE: "throw-on-load" })).status, 1);
  process.kill(Number(body.pid), "SIGUSR2");
  await client.take(/ end\r\n0\r\n\r\n$/);
  assert.equal((await service.get("/")).body.pid, body.pid);
});

test("a download that nobody detached refuses the update by its method and URL, and goes on", async (t) => {
  const service = await Service.start(t, "transfers");
  const { body } = await service.get("/");
  const client = await download(t, service, "no");
  const { status, stderr } = await service.update({}, "--quiesce-timeout", "100");
  assert.equal(status, 1);
  assert.match(stderr, /GET \/download\?detach=no.*live\.detached\(response\).*\[REQUESTS_BUSY\]/s);
  process.kill(Number(body.pid), "SIGUSR2");
  await client.take(/ end\r\n0\r\n\r\n$/);
  assert.equal((await service.update()).status, 0);
});

test("an upload that nobody detached is waited for, and moves when it is whole", async (t) => {
  const service = await Service.start(t, "transfers");
  const client = await RawStream.open(t, service.port);
  client.socket.write(`${request("POST", "/upload", "Content-Length: 10\r\n")}12345`);
  await client.take(/so far/);
  const refused = await service.update({}, "--quiesce-timeout", "100");
  assert.match(refused.stderr, /POST \/upload.*\[REQUESTS_BUSY\]/s);
  const update = service.startUpdate("--quiesce-timeout", "60000");
  await update.saw(/quiescing/);
  client.socket.write("67890");
  await client.take(/ 10\r\n0\r\n\r\n$/);
  assert.equal(await update.closed(), 0, update.stderr);
  client.socket.write(request("GET", "/"));
  await client.take(/"uploaded":10/);
});

test("a request whose head has not arrived whole moves, byte for byte", async (t) => {
  const service = await Service.start(t, "transfers");
  const { body } = await service.get("/");
  const client = await RawStream.open(t, service.port);
  client.socket.write("GET / HT");
  await service.get("/");
  assert.equal((await service.update()).status, 0);
  client.socket.write("TP/1.1\r\nHo");
  await service.get("/");
  assert.equal((await service.update()).status, 0);
  client.socket.write("st: x\r\n\r\n");
  const [, pid] = await client.take(/"pid":(\d+)/);
  assert.equal(Number(pid), (await service.get("/")).body.pid);
  assert.notEqual(Number(pid), body.pid);
});

const CLOSED = /^ +CLOSED: 1 connections that waited for their clients$/m;

/** A client that sends half of what it has said. */
async function halfBody(t: TestContext, service: Service): Promise<RawStream> {
  const client = await RawStream.open(t, service.port);
  client.socket.write(`${request("POST", "/upload", "Content-Length: 10\r\n")}12345`);
  await client.take(/so far/);
  return client;
}

test("half a body refuses an update or a suspend by its client, and is given up with --drop-stalled", async (t) => {
  const service = await Service.start(t, "transfers");
  const client = await halfBody(t, service);
  const refused = await service.update({}, "--quiesce-timeout", "100");
  const from = `127\\.0\\.0\\.1:${client.socket.localPort}`;
  assert.match(
    refused.stderr,
    new RegExp(`POST /upload, whose body has not arrived whole from ${from}.*--drop-stalled`, "s"),
  );
  const dropped = await service.update({}, "--quiesce-timeout", "100", "--drop-stalled");
  assert.equal(dropped.status, 0, dropped.stderr);
  assert.match(dropped.stdout, CLOSED);
  assert.match((await service.kstate("history")).stdout, CLOSED);

  await halfBody(t, service);
  const suspend = ["suspend", "--quiesce-timeout", "100"];
  assert.match(
    (await service.kstate(...suspend)).stderr,
    /--drop-stalled closes its connection.*\[REQUESTS_BUSY\]/s,
  );
  const suspended = await service.kstate(...suspend, "--drop-stalled");
  assert.equal(suspended.status, 0, suspended.stderr);
  assert.match(suspended.stdout, CLOSED);
});

test("a quiesce hook runs before the freeze, while requests are answered", async (t) => {
  const service = await Service.start(t, "transfers", { env: { HOOK: "wait" } });
  const { body } = await service.get("/");
  const update = service.startUpdate("--quiesce-timeout", "60000");
  await update.saw(/quiescing/);
  assert.equal((await service.get("/hook")).body.pid, body.pid);
  assert.equal(await update.closed(), 0, update.stderr);
  assert.notEqual((await service.get("/")).body.pid, body.pid);
});

test("a quiesce hook is undone when the update is cancelled, and runs again with the next one", async (t) => {
  const service = await Service.start(t, "transfers", { env: { HOOK: "ok" } });
  assert.equal((await service.update({ MODE: "throw-on-load" })).status, 1);
  const { body } = await service.get("/");
  assert.deepEqual([body.taken, body.runs, body.undone], [true, 1, 1]);
  assert.equal((await service.update()).status, 0);
});

for (const [HOOK, message] of [
  ["throw", /a hook given to quiesce\(\) threw: the lease is stuck.*\[HOOK_FAILED\]/s],
  ["hang", /still under way after 200 ms: quiesce hook releaseLease.*\[REQUESTS_BUSY\]/s],
] as const) {
  test(`a quiesce hook that does ${HOOK} refuses the update, and the old version goes on`, async (t) => {
    const service = await Service.start(t, "transfers", { env: { HOOK } });
    const { body } = await service.get("/");
    const { status, stderr } = await service.update({ HOOK: "" }, "--quiesce-timeout", "200");
    assert.equal(status, 1);
    assert.match(stderr, message);
    const after = await service.get("/");
    assert.deepEqual([after.body.pid, after.body.taken], [body.pid, true]);
  });
}
