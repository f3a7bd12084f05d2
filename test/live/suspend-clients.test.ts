/** What clients see when their service is suspended. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { RawStream } from "../support/raw-stream.js";
import { runtimeDirectory, Service, startKstate } from "../support/service.js";

const stateFile = (t: TestContext): string => `file:${join(runtimeDirectory(t), "state")}`;
const request = (method: string, path: string, headers = ""): string =>
  `${method} ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;

/** A close frame of RFC 6455 with 1012 and "service restart". */
const CLOSE_1012 = `${Buffer.from([0x88, 17, 1012 >> 8, 1012 & 0xff]).toString("latin1")}service restart`;

for (const DEFLATE of ["", "takeover"]) {
  test(`WebSockets close with 1012, also those whose clients never answer (${DEFLATE || "plain"})`, async (t) => {
    const service = await Service.start(t, "counter", { env: { DEFLATE } });
    const polite = await Promise.all(Array.from({ length: 5 }, () => service.openWebSocket(t)));
    for (const client of polite) await client.ask("1");
    const silent = await RawStream.open(t, service.port);
    silent.socket.setEncoding("latin1");
    const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    silent.socket.write(request("GET", "/", `Connection: Upgrade\r\nUpgrade: websocket\r\n${key}`));
    await silent.take(/^HTTP\/1.1 101 .*?\r\n\r\n/s);
    const suspended = await service.kstate("suspend", "--to", stateFile(t));
    assert.equal(suspended.status, 0, suspended.stderr);
    for (const client of polite) await assert.rejects(client.next(), /closed with 1012 service restart/);
    await silent.end();
    assert.equal(silent.text, CLOSE_1012);
  });
}

test("a WebSocket that cannot be suspended stays open", async (t) => {
  const service = await Service.start(t, "counter");
  const client = await service.openWebSocket(t);
  assert.equal((await service.kstate("suspend", "--to", "file:/proc/nowhere/state")).status, 1);
  assert.match(await client.ask("1"), /^1 1 /);
});

test("event streams end after what was sent to them", async (t) => {
  const service = await Service.start(t, "events");
  const client = await RawStream.open(t, service.port);
  client.socket.write(request("GET", "/events?topic=a"));
  await client.take(/: welcome\n\n/);
  await service.get("/publish?topic=a&data=last");
  assert.equal((await service.kstate("suspend", "--to", stateFile(t))).status, 0);
  await client.end();
  assert.equal(client.text, "id: 1\nevent: news\ndata: last\n\n");
});

async function download(t: TestContext, service: Service): Promise<RawStream> {
  const client = await RawStream.open(t, service.port);
  client.socket.write(request("GET", "/download?detach=first"));
  await client.take(/begin \d+/);
  return client;
}

test("a suspend waits for responses that are detached, and everybody else is let go meanwhile", async (t) => {
  const service = await Service.start(t, "transfers");
  const { pid } = (await service.get("/")).body;
  const client = await download(t, service);
  const webClient = await RawStream.open(t, service.port);
  webClient.socket.write(request("GET", "/"));
  await webClient.take(/^HTTP\/1.1 200 /);
  const suspending = startKstate(service.directory, ["suspend", "--to", stateFile(t)]);
  await suspending.saw(/the state is kept; waiting for 1 detached connection/);
  await webClient.end();
  process.kill(Number(pid), "SIGUSR2");
  await client.take(/ end\r\n0\r\n\r\n$/);
  await client.end();
  assert.equal(await suspending.closed(), 0, suspending.stderr);
});

test("a suspend does not wait for ever", async (t) => {
  const service = await Service.start(t, "transfers");
  const client = await download(t, service);
  const suspended = await service.kstate("suspend", "--to", stateFile(t), "--detached-timeout", "50");
  assert.equal(suspended.status, 0, suspended.stderr);
  await client.end();
  assert.doesNotMatch(client.text, / end/);
});
