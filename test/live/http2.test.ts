import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { type TestContext, test } from "node:test";
import { Service } from "../support/service.js";

function open(t: TestContext, service: Service): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${service.port}`);
  t.after(() => session.destroy());
  session.on("error", () => {}); // requests tell
  return session;
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

test("requests under way are answered, sessions are told to go away, and the next version counts on", async (t) => {
  const service = await Service.start(t, "http2");
  for (let update = 1; update <= 3; update += 1) {
    const session = open(t, service);
    const { requests } = await ask(session);
    const goaway = once(session, "goaway");
    const update = service.startUpdate("--quiesce-timeout", "60000");
    await update.saw(/quiescing/);
    const underWay = await ask(session).catch(() => null); // may have crossed the GOAWAY
    assert.equal(await update.closed(), 0, update.stderr);
    assert.equal((await goaway)[0], 0);
    const after = await ask(open(t, service));
    assert.equal(after.requests, requests + (underWay === null ? 0 : 1) + 1);
  }
});

test("a request that does not end refuses the update by its name; the session goes on", async (t) => {
  const service = await Service.start(t, "http2");
  const session = open(t, service);
  const { pid } = await ask(session);
  const { first, whole } = request(session, "/held");
  await first;
  const { status, stderr } = await service.update({}, "--quiesce-timeout", "100");
  assert.equal(status, 1);
  assert.match(stderr, /GET \/held.*\[REQUESTS_BUSY\]/s);
  assert.equal((await ask(session)).pid, pid);
  process.kill(pid, "SIGUSR2");
  assert.equal(await whole, `${pid} released`);
});

test("a cancelled update leaves sessions as they were", async (t) => {
  const service = await Service.start(t, "http2");
  const session = open(t, service);
  const { pid } = await ask(session);
  assert.equal((await service.update({ MODE: "throw-on-load" })).status, 1);
  assert.equal((await ask(session)).pid, pid);
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
