import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createNetServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { assertDetachable, Detached } from "#src/live/sockets/detached.js";
import { HttpConnections } from "#src/live/sockets/http-connections.js";

interface Fixture {
  readonly connections: HttpConnections;
  readonly detached: Detached;
  readonly client: Socket;
  readonly socket: Socket;
}

async function open(t: TestContext, listener: RequestListener): Promise<Fixture> {
  const server = createServer({ keepAliveTimeout: 20_000 }, listener);
  const detached = new Detached();
  const connections = new HttpConnections("main", server, detached);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.on("error", () => {});
  t.after(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });
  const [socket] = await accepted;
  return { connections, detached, client, socket };
}

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const options = { limitMs: 60_000, carriesBytes: true };

test("a connection that is held back has no time-out, and has it again when it is read again", async (t) => {
  let answer!: ServerResponse;
  const { connections, client, socket } = await open(t, (_, response) => {
    answer = response;
    client.emit("asked");
  });
  const asked = once(client, "asked");
  client.write(GET);
  await asked;
  let changes = 0;
  connections.quiesce(() => {
    changes += 1;
  }, options);
  t.after(() => connections.unquiesce());
  assert.equal(connections.busy().length, 1);
  const closed = once(answer, "close");
  answer.end("ok");
  await closed;
  assert.ok(changes > 0);
  assert.deepEqual(connections.busy(), []);
  assert.equal(socket.timeout, 0);
  connections.unquiesce();
  assert.ok(socket.timeout! >= 20_000, String(socket.timeout));
});

test("a moved connection is between two requests, and has the time of Node's own for the next one", async (t) => {
  const { connections } = await open(t, (_, response) => response.end("ok"));
  const other = createNetServer({ pauseOnConnect: true });
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  const client = connect((other.address() as AddressInfo).port, "127.0.0.1");
  const [socket] = (await once(other, "connection")) as [Socket];
  t.after(() => {
    client.destroy();
    other.close();
  });
  connections.adopt(socket);
  assert.equal(socket.timeout, 21_000);
  const { parser } = socket as Socket & { readonly parser: { duration(): number } };
  assert.equal(parser.duration(), 0, "headersTimeout would answer its silence with 408");
  client.write(GET);
  const [bytes] = (await once(client, "data")) as [Buffer];
  assert.match(String(bytes), /^HTTP\/1\.1 200/);
});

for (const event of ["checkContinue", "checkExpectation"] as const) {
  test(`a request that the program has by ${event} is under way`, async (t) => {
    const { connections, client } = await open(t, () => {});
    const had = once(connections.server, event) as Promise<[unknown, ServerResponse]>;
    const expected = event === "checkContinue" ? "100-continue" : "magic";
    client.write(`PUT /upload HTTP/1.1\r\nHost: x\r\nExpect: ${expected}\r\nContent-Length: 0\r\n\r\n`);
    const [, response] = await had;
    assert.deepEqual(
      connections.busy().map(({ what, cause }) => [what, cause]),
      [["PUT /upload", "request"]],
    );
    const closed = once(response, "close");
    response.end();
    await closed;
    assert.deepEqual(connections.busy(), []);
  });
}

test("a request is seen although its listeners were taken away and put back, as engine.io does", async (t) => {
  const { connections, client } = await open(t, () => {});
  connections.server.removeAllListeners("request");
  const had = once(connections.server, "request");
  client.write(GET);
  await had;
  assert.equal(connections.busy()[0]?.what, "GET /");
});

test("a tunnel may finish on the old side; the connection of a request may not", async (t) => {
  const { connections, detached, client, socket } = await open(t, () => {});
  const canDetach = (subject: Socket): boolean => connections.canDetach(subject);
  assert.throws(() => assertDetachable(socket, canDetach), /pass the response of the request/);
  const had = once(connections.server, "connect");
  client.write("CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n");
  await had;
  assert.equal(connections.busy()[0]?.cause, "undescribed");
  assertDetachable(socket, canDetach);
  detached.mark(socket);
  assert.deepEqual(connections.busy(), []);
  assert.deepEqual(connections.staying(), [socket]);
});

test("what has come of a head is known byte for byte, and not behind a request that was sent ahead", async (t) => {
  const { connections, client, socket } = await open(t, (_, response) => response.end("ok"));
  connections.quiesce(() => {}, options);
  t.after(() => connections.unquiesce());
  const send = async (bytes: string): Promise<void> => {
    const before = socket.bytesRead;
    client.write(bytes);
    while (socket.bytesRead < before + bytes.length) await new Promise(setImmediate);
  };
  await send("GET / HT");
  await send("TP/1.1\r\nHo");
  assert.equal(Buffer.from(connections.pendingOf(socket)!.head).toString(), "GET / HTTP/1.1\r\nHo");
  assert.deepEqual(connections.busy(), []);
  const answered = once(client, "data");
  await send("st: x\r\n\r\nG"); // the end of one and the beginning of another in one read
  await answered;
  assert.equal(connections.pendingOf(socket), undefined);
  assert.equal(connections.busy()[0]?.cause, "client");
});
