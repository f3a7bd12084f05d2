import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Service } from "../support/service.js";

/** An HTTP client that sees every byte: requests go out as they are written, answers are cut at their length. */
class RawHttp {
  readonly socket: Socket;
  #text = "";
  #ended = false;

  constructor(t: TestContext, port: number) {
    this.socket = connect(port, "127.0.0.1");
    t.after(() => this.socket.destroy());
    this.socket.setEncoding("utf8").setMaxListeners(0); // each wait leaves some, and they go with the socket
    this.socket.on("data", (text: string) => {
      this.#text += text;
    });
    this.socket.on("end", () => {
      this.#ended = true;
    });
  }

  /** Waits for an answer whose body is a text, and takes it. */
  async text(body: string): Promise<void> {
    const end = (): number => this.#text.indexOf(body);
    while (end() < 0) await once(this.socket, "data");
    this.#text = this.#text.slice(end() + body.length);
  }

  /** The body of the next answer. */
  async answer(): Promise<Record<string, unknown>> {
    for (;;) {
      const head = /^HTTP\/1\.1 (\d+) .*?\r\n\r\n/s.exec(this.#text);
      const length = Number(/content-length: (\d+)/i.exec(head?.[0] ?? "")?.[1] ?? Number.NaN);
      if (head !== null && this.#text.length >= head[0].length + length) {
        assert.equal(head[1], "200", this.#text);
        const body = this.#text.slice(head[0].length, head[0].length + length);
        this.#text = this.#text.slice(head[0].length + length);
        return JSON.parse(body) as Record<string, unknown>;
      }
      assert.ok(
        !this.#ended && !this.socket.destroyed,
        `ended in the middle of an answer: ${JSON.stringify(this.#text)}`,
      );
      await Promise.race([once(this.socket, "data"), once(this.socket, "end"), once(this.socket, "close")]);
    }
  }
}

const get = (path: string, headers = ""): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;

test("clients of every kind get every answer across ten updates, and nothing is added twice", async (t) => {
  const service = await Service.start(t, "counter");
  let going = true;
  let added = 0;

  /** One request after the other on one connection. */
  const loop = async (path: string): Promise<void> => {
    const client = new RawHttp(t, service.port);
    while (going) {
      client.socket.write(get(path));
      await client.answer();
      added += 1;
    }
  };
  /** Two requests at a time on one connection. */
  const pipeline = async (): Promise<void> => {
    const client = new RawHttp(t, service.port);
    while (going) {
      client.socket.write(get("/add") + get("/add"));
      await client.answer();
      await client.answer();
      added += 2;
    }
  };
  /** A new connection for every request. */
  const anew = async (): Promise<void> => {
    while (going) {
      const client = new RawHttp(t, service.port);
      client.socket.write(get("/add", "Connection: close\r\n"));
      await client.answer();
      client.socket.destroy();
      added += 1;
    }
  };
  /** Requests whose head and body come in pieces. */
  const pieces = async (): Promise<void> => {
    const client = new RawHttp(t, service.port);
    while (going) {
      for (const piece of [
        "POST /ad",
        "d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chu",
        "nked\r\n\r\n3\r\nab",
        "c\r\n0\r\n\r\n",
      ]) {
        client.socket.write(piece);
        await setImmediate();
      }
      await client.answer();
      added += 1;
    }
  };
  const clients = [
    ...Array.from({ length: 6 }, () => loop("/add")),
    ...Array.from({ length: 6 }, () => loop("/add?afterMs=20")),
    ...Array.from({ length: 3 }, pipeline),
    ...Array.from({ length: 3 }, anew),
    ...Array.from({ length: 3 }, pieces),
  ];
  const failed = Promise.all(clients);
  const updates = async (): Promise<void> => {
    for (let update = 0; update < 10; update += 1) {
      const { status, stderr } = await service.update(
        { VERSION: String(1 + (update % 2)) },
        "--quiesce-timeout",
        "10000",
        "--force", // also to the version before
      );
      assert.equal(status, 0, stderr);
    }
    going = false;
  };
  await Promise.all([failed, updates()]);
  const { body } = await service.get("/");
  assert.equal(body.count, added);
  assert.equal(body.additions, added);
});

test("a connection is not held back while a part of its next request has been read", async (t) => {
  const service = await Service.start(t, "counter");
  const { body } = await service.get("/");
  const client = new RawHttp(t, service.port);
  client.socket.write(`${get("/park")}GET /add?am`); // in one piece: it is read in one piece
  await service.other("/"); // the parked request has been read by then
  const update = service.startUpdate("--quiesce-timeout", "60000");
  await update.saw(/quiescing/);
  await service.other("/release");
  await client.text("released");
  client.socket.write("ount=2 HTTP/1.1\r\nHost: x\r\n\r\n");
  const answer = await client.answer();
  assert.deepEqual([answer.pid, answer.count], [body.pid, 2]);
  assert.equal(await update.closed(), 0, update.stderr);
  client.socket.write(get("/add"));
  assert.equal((await client.answer()).count, 3);
});

test("a connection whose client has gone meanwhile is closed by the next version", async (t) => {
  const service = await Service.start(t, "counter");
  const client = new RawHttp(t, service.port);
  client.socket.write(get("/"));
  await client.answer();
  const update = service.startUpdate();
  await update.saw(/quiescing/);
  client.socket.destroy();
  assert.equal(await update.closed(), 0);
  assert.equal((await service.get("/")).body.count, 0);
});

test("a killed supervisor leaves the program serving", async (t) => {
  const service = await Service.start(t, "counter");
  const { body } = await service.get("/add");
  service.supervisor.child.kill("SIGKILL");
  await once(service.supervisor.child, "exit");
  try {
    assert.equal((await service.get("/add")).body.count, 2);
  } finally {
    process.kill(Number(body.pid), "SIGKILL"); // it holds the pipes that the test waits for
  }
});
