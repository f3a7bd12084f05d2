/** What becomes of clients that do not go on, in one process: who is named, who is closed, and what moves. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { constants, deflateRawSync } from "node:zlib";
import { WebSocketServer } from "ws";
import { isKstateError, type KstateError } from "#src/error/index.js";
import { defineState, u8 } from "#src/index.js";
import { Quiesce, type QuiesceParts } from "#src/live/quiesce.js";
import { QuiesceHooks } from "#src/live/quiesce-hooks.js";
import { Detached } from "#src/live/sockets/detached.js";
import { HttpConnections } from "#src/live/sockets/http-connections.js";
import { Http2Sessions } from "#src/live/sockets/http2-sessions.js";
import { adopt, descriptorOf, leave, silence } from "#src/live/sockets/stream-socket.js";
import { WebSockets } from "#src/live/sockets/web-sockets.js";
import { duplicate } from "#src/memory/index.js";

const QUIESCE_MS = 50;

async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

function open(t: TestContext, port: number): Socket {
  const client = connect(port, "127.0.0.1");
  client.on("error", () => {}); // some are reset
  t.after(() => client.destroy());
  return client;
}

/** Quiesces to the end: how many connections were given up, or why it was refused. */
function quiesce(parts: Partial<QuiesceParts>, dropStalled: boolean): Promise<number | KstateError> {
  const all = { servers: [], datagrams: [], moving: [], hooks: new QuiesceHooks(), ...parts };
  return new Promise((resolve) => {
    const limits = { quiesceMs: QUIESCE_MS, dropStalled, carriesBytes: true };
    const it: Quiesce = new Quiesce(all, limits, {
      holding: () => {},
      quiet: () => resolve(it.dropped),
      busy: resolve,
    });
  });
}

/** Refused by the client's address with the way out, then given up. */
async function assertDroppable(parts: Partial<QuiesceParts>, what: RegExp): Promise<void> {
  const refused = await quiesce(parts, false);
  assert.ok(isKstateError(refused, "REQUESTS_BUSY"), String(refused));
  assert.match(refused.message, what);
  assert.match(refused.message, /--drop-stalled closes its connection/);
  assert.equal(await quiesce(parts, true), 1);
}

test("a WebSocket in the middle of a compressed message of fragments is named, and closed with --drop-stalled", async (t) => {
  const server = createServer();
  const port = await listen(t, server);
  const sockets = new WebSocketServer({ server, perMessageDeflate: true });
  const state = defineState({ name: "member", id: 1, fields: [["n", u8]] });
  const moving = [new WebSockets(sockets, { state, open: () => ({ n: 1 }), attach: () => {} }, () => [])];
  const client = open(t, port);
  const opened = once(client, "data");
  client.write(
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
  );
  assert.match(String((await opened)[0]), /101 Switching.*permessage-deflate/s);
  assert.equal(await quiesce({ moving }, false), 0, "at rest");
  const [webSocket] = sockets.clients;
  const { _receiver: receiver } = webSocket as unknown as { _receiver: { _totalPayloadLength: number } };
  const bytes = deflateRawSync(Buffer.from("a beginning"), { finishFlush: constants.Z_SYNC_FLUSH });
  const TEXT_COMPRESSED_UNFINISHED = 0x41;
  client.write(
    Buffer.concat([Buffer.from([TEXT_COMPRESSED_UNFINISHED, 0x80 | bytes.length, 0, 0, 0, 0]), bytes]),
  );
  while (receiver._totalPayloadLength < bytes.length) await new Promise(setImmediate);
  const closed = once(client, "close");
  await assertDroppable({ moving }, /WebSocket with a message or a close under way from 127\.0\.0\.1:\d+/);
  await closed;
});

for (const [what, body, expected] of [
  ["half a body", "half", /POST \/, whose body has not arrived whole from 127\.0\.0\.1:\d+/],
  ["a response that is not taken", null, /GET \/, whose response 127\.0\.0\.1:\d+ does not take/],
] as const) {
  test(`a stream of HTTP/2 with ${what} is named, and closed with --drop-stalled`, async (t) => {
    const server = createHttp2Server();
    const sessions = new Http2Sessions("main", server, new Detached());
    const began = once(server, "stream");
    server.on("stream", (stream) => {
      stream.on("error", () => {}); // its client has gone
      stream.respond();
      if (body === null)
        stream.end(Buffer.alloc(1024 * 1024)); // more than a window
      else stream.resume();
    });
    const port = await listen(t, server as unknown as Server);
    const client = connectHttp2(`http://127.0.0.1:${port}`);
    t.after(() => client.destroy());
    client.on("error", () => {});
    const stream = client.request(
      { ":method": body === null ? "GET" : "POST" },
      { endStream: body === null },
    );
    stream.on("error", () => {});
    if (body !== null) stream.write(body);
    await Promise.all([began, once(stream, "response")]);
    const closed = once(stream, "close");
    await assertDroppable({ servers: [sessions] }, expected);
    stream.resume();
    await closed;
  });
}

const BYTES = 24 * 1024 * 1024;
const NOISE = Buffer.alloc(BYTES, "every byte of it ");

/** A response that its client does not read, larger than what the kernel keeps. */
async function unread(t: TestContext) {
  const answer: RequestListener = ({ url }, response) => {
    response.setHeader("Content-Length", url === "/" ? BYTES : 2);
    response.end(url === "/" ? NOISE : "ok");
  };
  const server = createServer({ keepAliveTimeout: 600_000 }, answer);
  const connections = new HttpConnections("main", server, new Detached());
  const port = await listen(t, server);
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const asked = once(server, "request");
  const client = open(t, port);
  client.pause();
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const [[socket]] = await Promise.all([accepted, asked]);
  return { answer, connections, client, socket };
}

test("a response that is not taken moves when half of the time to quiesce is over, byte for byte", async (t) => {
  const { answer, connections, client, socket } = await unread(t);
  const changed = new Promise<void>((resolve) => {
    connections.quiesce(resolve, { limitMs: QUIESCE_MS, carriesBytes: true });
  });
  assert.match(connections.busy()[0]!.what, /^GET \/, whose response 127\.0\.0\.1:\d+ does not take$/);
  await changed;
  assert.deepEqual(connections.busy(), []);
  assert.deepEqual(connections.collect(), [socket]);
  const pending = connections.pendingOf(socket)!;
  assert.ok(pending.unsent.length > 0 && pending.unsent.length < BYTES && !pending.ending);
  const descriptor = duplicate(descriptorOf(socket));
  leave(socket);
  silence(socket);

  const next = createServer({ keepAliveTimeout: 600_000 }, answer);
  await listen(t, next);
  const successor = new HttpConnections("main", next, new Detached());
  successor.adopt(adopt(descriptor), pending);
  t.after(() => next.closeAllConnections());
  let received = Buffer.alloc(0);
  const chunks: Buffer[] = [];
  client.on("data", (chunk) => chunks.push(chunk)).resume();
  const take = async (bytes: number): Promise<Buffer> => {
    while (received.length + chunks.reduce((sum, { length }) => sum + length, 0) < bytes)
      await once(client, "data");
    received = Buffer.concat([received, ...chunks.splice(0)]);
    const taken = received.subarray(0, bytes);
    received = received.subarray(bytes);
    return taken;
  };
  const head = (await take(4096)).toString("latin1").indexOf("\r\n\r\n") + 4;
  const rest = await take(BYTES + head - 4096);
  assert.ok(rest.equals(NOISE.subarray(4096 - head)), "bytes were lost or came twice");
  client.write("GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.match(String(await take(15)), /^HTTP\/1\.1 200/);
});

test("for a successor that does not take such bytes it refuses the update, or is closed with --drop-stalled", async (t) => {
  const { connections, client } = await unread(t);
  const changed = new Promise<void>((resolve) => {
    connections.quiesce(resolve, { limitMs: QUIESCE_MS, carriesBytes: false });
  });
  await changed;
  const [busy] = connections.busy();
  assert.equal(busy?.cause, "client");
  const closed = once(client, "close");
  busy.drop!();
  client.resume();
  await closed;
  assert.deepEqual(connections.busy(), []);
  connections.unquiesce();
});
