import assert from "node:assert/strict";
import { createCipheriv } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { constants, createDeflateRaw, createInflateRaw } from "node:zlib";
import { Service } from "../support/service.js";

test("no message is lost, doubled or reordered across 20 updates, in either direction", async (t) => {
  const service = await Service.start(t, "counter");
  const clients = await Promise.all(Array.from({ length: 10 }, () => service.openWebSocket(t)));
  let going = true;
  const talks = clients.map(async (client) => {
    const pids = new Set<string>();
    let number = 0;
    // Three messages are always on their way, so that some are whenever the service freezes.
    for (let ahead = 1; ahead <= 3; ahead += 1) client.socket.send(`${ahead} x`);
    while (going) {
      number += 1;
      const [sent, received, pid] = (await client.next()).split(" ");
      assert.deepEqual([sent, received], [String(number), String(number)]);
      pids.add(pid!);
      client.socket.send(`${number + 3} x`);
    }
    return pids.size;
  });
  for (let update = 1; update <= 20; update += 1) {
    const { status, stderr } =
      update % 2 === 0 ? await service.kstate("rollback") : await service.update({ VERSION: "2" });
    assert.equal(status, 0, stderr);
  }
  going = false;
  for (const programs of await Promise.all(talks))
    assert.ok(programs >= 20, `served by ${programs} programs only`);
});

/** A WebSocket without a library, so that frames can be cut anywhere and bytes are taken exactly. */
class RawWebSocket {
  readonly socket: Socket;
  #received: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket.setMaxListeners(0); // each wait leaves some, and they go with the socket
  }

  static async open(t: TestContext, port: number, headers = ""): Promise<RawWebSocket> {
    const socket = connect(port, "127.0.0.1");
    t.after(() => socket.destroy());
    await once(socket, "connect");
    socket.write(
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`,
    );
    const raw = new RawWebSocket(socket);
    let head = "";
    while (!head.endsWith("\r\n\r\n")) head += (await raw.take(1)).toString("latin1");
    assert.match(head, /^HTTP\/1.1 101 /);
    return raw;
  }

  /** Takes exactly so many bytes. */
  async take(length: number): Promise<Buffer> {
    const parts = [this.#received];
    let have = this.#received.length;
    while (have < length) {
      const chunk = this.socket.read() as Buffer | null;
      if (chunk === null) {
        if (this.socket.readableEnded) throw new Error(`ended after ${have} of ${length} bytes`);
        await Promise.race([once(this.socket, "readable"), once(this.socket, "end")]);
        continue;
      }
      parts.push(chunk);
      have += chunk.length;
    }
    const all = Buffer.concat(parts);
    this.#received = all.subarray(length);
    return all.subarray(0, length);
  }

  /** Takes one frame of any length. */
  async takeFrame(): Promise<{ head: number; payload: Buffer }> {
    const [head = 0, short = 0] = await this.take(2);
    if (short < 126) return { head, payload: await this.take(short) };
    const length = await this.take(short === 126 ? 2 : 8);
    return {
      head,
      payload: await this.take(short === 126 ? length.readUInt16BE(0) : Number(length.readBigUInt64BE(0))),
    };
  }

  /** Takes one short text frame. */
  async takeText(): Promise<string> {
    const header = await this.take(2);
    assert.equal(header[0], 0x81);
    return (await this.take(header[1]!)).toString();
  }
}

/** One masked frame of a client; `opcode` may have the bit of a compressed message. */
function frame(opcode: number, fin: boolean, payload: string | Buffer): Buffer {
  const body = Buffer.from(payload);
  const mask = Buffer.from([0x12, 0x34, 0x56, 0x78]);
  const length =
    body.length < 126
      ? Buffer.from([0x80 | body.length])
      : Buffer.from([0x80 | 126, body.length >> 8, body.length & 0xff]);
  const masked = body.map((byte, index) => byte ^ mask[index % 4]!);
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | opcode]), length, mask, masked]);
}

test("a frame that was cut at any byte arrives whole on the other side", async (t) => {
  const service = await Service.start(t, "counter");
  const long = frame(1, true, `1 ${"y".repeat(300)}`);
  const cuts = [1, 2, 3, 5, 8, 9, 200];
  const sockets = await Promise.all(cuts.map(() => RawWebSocket.open(t, service.port)));
  for (const [index, socket] of sockets.entries()) socket.socket.write(long.subarray(0, cuts[index]));
  await service.get("/");
  const { status, stdout, stderr } = await service.update({ VERSION: "2" }, "--json");
  assert.equal(status, 0, stderr);
  const { pid } = JSON.parse(stdout) as { pid: number };
  for (const [index, socket] of sockets.entries()) {
    socket.socket.write(long.subarray(cuts[index]));
    assert.equal(await socket.takeText(), `1 1 ${pid}`, `cut at ${cuts[index]}`);
  }
});

test("a message in fragments, with a ping between them, survives an update after each fragment", async (t) => {
  const service = await Service.start(t, "counter");
  const socket = await RawWebSocket.open(t, service.port);
  const pieces = [
    frame(1, false, "1 "),
    frame(0, false, "one"),
    frame(9, true, "p"),
    frame(0, false, ""),
    frame(0, true, "end"),
  ];
  for (const [index, piece] of pieces.entries()) {
    const half = Math.floor(piece.length / 2);
    socket.socket.write(piece.subarray(0, half));
    await service.get("/");
    assert.equal((await service.update()).status, 0);
    socket.socket.write(piece.subarray(half));
    if (index === 2) assert.equal((await socket.take(3)).toString("hex"), "8a0170", "no pong");
  }
  const { body } = await service.get("/");
  assert.equal(await socket.takeText(), `1 1 ${body.pid}`);
});

test("what a slow client has not taken yet is sent by the next version, every byte once", async (t) => {
  const service = await Service.start(t, "counter");
  const socket = await RawWebSocket.open(t, service.port);
  const { body } = await service.get("/");
  socket.socket.write(Buffer.concat([frame(1, true, "big"), frame(1, true, "1 after")]));
  await service.get("/");
  const { stdout, stderr } = await service.update({ VERSION: "2" }, "--json");
  const { figures } = JSON.parse(stdout) as { figures: { streamBytes: number } };
  assert.ok(figures.streamBytes > 1024 * 1024, `nothing was queued: ${stderr}`);
  const answer = `1 1 ${body.pid}`;
  const expected = Buffer.concat([
    Buffer.from([0x82, 127, 0, 0, 0, 0, 1, 0, 0, 0]),
    Buffer.alloc(16 * 1024 * 1024, 0x61),
    Buffer.from([0x81, answer.length]),
    Buffer.from(answer),
  ]);
  assert.equal(Buffer.compare(await socket.take(expected.length), expected), 0);
});

for (const DEFLATE of ["takeover", "none"]) {
  test(`compressed WebSockets (${DEFLATE}) understand each other across updates and rollbacks`, async (t) => {
    const service = await Service.start(t, "counter", { env: { DEFLATE } });
    const clients = await Promise.all([1, 2, 3].map(() => service.openWebSocket(t)));
    // Like the message before, so that the client's compressor refers to it.
    const text = "x".repeat(50) + Array.from({ length: 2000 }, (_, index) => index * 7919).join(" ");
    let number = 0;
    const exchange = async (pid: unknown): Promise<void> => {
      number += 1;
      const answers = await Promise.all(clients.map((client) => client.ask(`${number} ${text}`)));
      assert.deepEqual(
        answers,
        clients.map(() => `${number} ${number} ${pid}`),
      );
    };
    assert.match(clients[0]!.socket.extensions, /permessage-deflate/);
    await exchange((await service.get("/")).body.pid);
    await exchange((await service.get("/")).body.pid);
    for (let update = 1; update <= 3; update += 1) {
      const mode = { MODE: update === 2 ? "throw-on-load" : "" };
      const { status, stderr } = await service.update(mode);
      assert.equal(status, update === 2 ? 1 : 0, stderr);
      const { body } = await service.get("/");
      await exchange(body.pid);
      await exchange(body.pid);
    }
  });
}

/** What the fixture sends when it is asked for noise. */
function noiseOf(length: number): Buffer {
  return createCipheriv("aes-256-ctr", Buffer.alloc(32), Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** A client's side of permessage-deflate; without `takeover` every message begins without history, both ways. */
class Deflation {
  readonly #takeover: boolean;
  #deflate = createDeflateRaw();
  #inflate = createInflateRaw();

  constructor(takeover: boolean) {
    this.#takeover = takeover;
  }

  /** One compressed text message as a frame. */
  async frame(text: string): Promise<Buffer> {
    if (!this.#takeover) this.#deflate = createDeflateRaw();
    const parts: Buffer[] = [];
    const take = (part: Buffer): void => void parts.push(part);
    this.#deflate.on("data", take);
    this.#deflate.write(text);
    await new Promise<void>((resolve) => this.#deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    this.#deflate.off("data", take);
    return frame(0x41, true, Buffer.concat(parts).subarray(0, -4));
  }

  /** What is in a frame of the server, compressed or not. */
  async read({ head, payload }: { head: number; payload: Buffer }): Promise<Buffer> {
    if ((head & 0x40) === 0) return payload;
    if (!this.#takeover) this.#inflate = createInflateRaw();
    const parts: Buffer[] = [];
    const take = (part: Buffer): void => void parts.push(part);
    this.#inflate.on("data", take);
    this.#inflate.write(Buffer.concat([payload, Buffer.from([0, 0, 0xff, 0xff])]));
    await new Promise<void>((resolve) => this.#inflate.flush(resolve));
    this.#inflate.off("data", take);
    return Buffer.concat(parts);
  }
}

for (const [DEFLATE, offer] of [
  ["takeover", "permessage-deflate"],
  ["none", "permessage-deflate; client_no_context_takeover; server_no_context_takeover"],
] as const) {
  test(`compressed frames (${DEFLATE}) that are cut by an update arrive whole, in both directions`, async (t) => {
    const service = await Service.start(t, "counter", { env: { DEFLATE } });
    const headers = `Sec-WebSocket-Extensions: ${offer}\r\n`;
    const socket = await RawWebSocket.open(t, service.port, headers);
    const deflation = new Deflation(DEFLATE === "takeover");
    const text = "z".repeat(50) + Array.from({ length: 500 }, (_, index) => index * 7919).join(" ");
    let { pid } = (await service.get("/")).body;
    socket.socket.write(await deflation.frame(`1 ${text}`)); // what comes then refers to it
    assert.equal(String(await deflation.read(await socket.takeFrame())), `1 1 ${pid}`);
    const cuts = [1, 3, 7, 9, 40];
    for (const [index, cut] of cuts.entries()) {
      const whole = await deflation.frame(`${index + 2} ${text}`);
      socket.socket.write(whole.subarray(0, cut));
      await service.get("/");
      const { status, stderr } = await service.update();
      assert.equal(status, 0, stderr);
      socket.socket.write(whole.subarray(cut));
      ({ pid } = (await service.get("/")).body);
      const answer = String(await deflation.read(await socket.takeFrame()));
      assert.equal(answer, `${index + 2} ${index + 2} ${pid}`, `cut at ${cut}`);
    }
    // The kernel has taken a part of the answer, and nobody reads it: the rest crosses as it is.
    socket.socket.write(await deflation.frame("noise"));
    await service.supervisor.saw(/noise sent/);
    const { stdout, stderr } = await service.update({}, "--json");
    const { figures } = JSON.parse(stdout) as { figures: { streamBytes: number } };
    assert.ok(figures.streamBytes > 1024 * 1024, `nothing was queued: ${stderr}`);
    const noise = await socket.takeFrame();
    assert.equal(noise.head, 0xc2, "it was not compressed");
    assert.equal(Buffer.compare(await deflation.read(noise), noiseOf(16 * 1024 * 1024)), 0);
    socket.socket.write(await deflation.frame(`7 ${text}`));
    ({ pid } = (await service.get("/")).body);
    assert.equal(String(await deflation.read(await socket.takeFrame())), `7 7 ${pid}`);
  });
}

test("a paused WebSocket stays paused, and what it has received is read once by the next version", async (t) => {
  const service = await Service.start(t, "counter");
  const socket = await RawWebSocket.open(t, service.port);
  socket.socket.write(frame(1, true, "pause"));
  await service.get("/");
  socket.socket.write(Buffer.concat([frame(1, true, "1 one"), frame(1, true, "2 two").subarray(0, 5)]));
  await service.get("/");
  assert.equal((await service.update({ MODE: "throw-on-load" })).status, 1);
  const { body } = await service.get("/");
  assert.equal((await service.update()).status, 0);
  socket.socket.write(frame(1, true, "2 two").subarray(5));
  const after = (await service.get("/resume")).body;
  assert.notEqual(after.pid, body.pid);
  assert.equal(await socket.takeText(), `1 1 ${after.pid}`);
  assert.equal(await socket.takeText(), `2 2 ${after.pid}`);
});

test("a closing handshake that is under way is finished by the next version", async (t) => {
  const service = await Service.start(t, "counter");
  const socket = await RawWebSocket.open(t, service.port);
  socket.socket.write(frame(1, true, "close"));
  const close = await socket.take(2 + 2 + "as you wish".length);
  assert.equal(close.readUInt16BE(2), 4000);
  assert.equal((await service.update()).status, 0);
  socket.socket.write(frame(8, true, Buffer.from([0x0f, 0xa0])));
  await assert.rejects(socket.take(1), /ended after 0 of 1 bytes/);
});
