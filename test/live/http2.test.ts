import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { RawHttp2 } from "../support/raw-http2.js";
import { Service } from "../support/service.js";

function open(t: TestContext, service: Service): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${service.port}`);
  t.after(() => session.destroy());
  session.on("error", () => {}); // requests tell
  return session;
}

/** A session whose socket the test holds. */
function openWithSocket(
  t: TestContext,
  service: Service,
): { session: ClientHttp2Session; socket: Socket & { _handle: { readStop(): void; readStart(): void } } } {
  const socket = connectSocket(service.port, "127.0.0.1");
  const session = connect("http://127.0.0.1", { createConnection: () => socket });
  t.after(() => session.destroy());
  session.on("error", () => {});
  return { session, socket: socket as never };
}

/** The body of an answer and the promise of the rest of it. */
function request(
  session: ClientHttp2Session,
  path: string,
): { first: Promise<string>; whole: Promise<string> } {
  const stream = session.request({ ":path": path });
  stream.setEncoding("utf8");
  let text = "";
  stream.on("data", (data: string) => {
    text += data;
  });
  const whole = once(stream, "end").then(() => text);
  const first = once(stream, "data").then(() => text);
  for (const promise of [first, whole]) promise.catch(() => {}); // who waits for it is told
  return { first, whole };
}

async function ask(session: ClientHttp2Session): Promise<{ pid: number; requests: number }> {
  return JSON.parse(await request(session, "/").whole) as { pid: number; requests: number };
}

/** Asks one request after the other, each on a session that has not been told to go away; how many were answered. */
async function askOn(t: TestContext, service: Service, enough: () => boolean): Promise<number> {
  let client = new RawHttp2(service.port);
  t.after(() => client.close()); // whichever it is then
  let answered = 0;
  while (!enough()) {
    if (client.goaways.length > 0) client = new RawHttp2(service.port);
    await Promise.all([client.ask(), client.ask(), client.ask()]);
    answered += 3;
  }
  return answered;
}

test("clients that never stop asking are told to go away in time: no request is refused in three updates", async (t) => {
  const service = await Service.start(t, "http2");
  let over = false;
  const clients = Promise.all(Array.from({ length: 8 }, () => askOn(t, service, () => over)));
  clients.catch(() => {}); // waited for below
  for (let update = 1; update <= 3; update += 1) {
    const { status, stderr } = await service.update({}, "--quiesce-timeout", "60000");
    assert.equal(status, 0, stderr);
  }
  over = true;
  const answered = (await clients).reduce((sum, count) => sum + count, 0);
  assert.equal((await ask(open(t, service))).requests, answered + 1);
});

test("a request that crosses the notice is answered by the old side", async (t) => {
  const service = await Service.start(t, "http2");
  const { session, socket } = openWithSocket(t, service);
  const { pid } = await ask(session);
  const goaways: number[] = [];
  session.on("goaway", (_code, lastStreamId) => goaways.push(lastStreamId as number));
  socket._handle.readStop(); // it cannot know of the notice, nor answer the ping
  const update = service.startUpdate("--quiesce-timeout", "60000");
  await update.saw(/quiescing/);
  const crossing = ask(session);
  const other = ask(open(t, service)); // a connection that comes while the update waits for the ping
  for (let turn = 0; turn < 3; turn += 1) await setImmediate(); // its own session refuses what it has not sent yet
  socket._handle.readStart();
  assert.equal((await crossing).pid, pid);
  assert.equal(await update.closed(), 0, update.stderr);
  assert.equal(goaways[0], 2 ** 31 - 1);
  const { pid: next, requests } = await other;
  assert.ok(requests === 3 || next === pid, `${requests} requests`);
  assert.equal((await ask(open(t, service))).requests, 4);
});

test("a client that does not answer the ping does not keep the update for ever", async (t) => {
  const service = await Service.start(t, "http2");
  const { session, socket } = openWithSocket(t, service);
  await ask(session);
  socket._handle.readStop();
  const { status, stderr } = await service.update({}, "--quiesce-timeout", "200");
  assert.equal(status, 0, stderr);
});

test("a request that does not end refuses the update by its name, and is answered", async (t) => {
  const service = await Service.start(t, "http2");
  const session = open(t, service);
  const { pid } = await ask(session);
  const { first, whole } = request(session, "/held");
  await first;
  const { status, stderr } = await service.update({}, "--quiesce-timeout", "100");
  assert.equal(status, 1);
  assert.match(stderr, /GET \/held.*\[REQUESTS_BUSY\]/s);
  assert.equal((await ask(open(t, service))).pid, pid);
  process.kill(pid, "SIGUSR2");
  assert.equal(await whole, `${pid} released`);
});

test("after a cancelled update clients go on with the same program in a new session", async (t) => {
  const service = await Service.start(t, "http2");
  const session = open(t, service);
  const { pid } = await ask(session);
  let over = false;
  const client = askOn(t, service, () => over);
  assert.equal((await service.update({ MODE: "throw-on-load" })).status, 1);
  over = true;
  await client;
  assert.equal((await ask(open(t, service))).pid, pid);
});

test("a detached stream finishes on the old side of a session that is told to go away", async (t) => {
  const service = await Service.start(t, "http2");
  const session = open(t, service);
  const { pid } = await ask(session);
  const { first, whole } = request(session, "/detached");
  await first;
  const goaway = once(session, "goaway");
  assert.equal((await service.update()).status, 0);
  await goaway;
  assert.notEqual((await ask(open(t, service))).pid, pid);
  process.kill(pid, "SIGUSR2");
  assert.equal(await whole, `${pid} released`);
});
