import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { RawStream } from "../support/raw-stream.js";
import { Service } from "../support/service.js";

interface Updated {
  readonly pid: number;
  readonly figures: { readonly otherConnections: number; readonly streamBytes: number };
}

async function update(service: Service, env: Record<string, string> = {}): Promise<Updated> {
  const { status, stdout, stderr } = await service.update(env, "--json");
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Updated;
}

/** A connection after its first line. */
async function hello(t: TestContext, service: Service): Promise<RawStream> {
  const client = await RawStream.open(t, service.port);
  client.socket.write("hello\n");
  await client.take(/^1 of \d+: hello \(\d+\)\n/);
  return client;
}

test("connections of a net server move with their state, in both directions", async (t) => {
  const service = await Service.start(t, "lines");
  const clients = await Promise.all([1, 2, 3].map(() => hello(t, service)));
  for (const [round, command] of ["update", "rollback", "rollback"].entries()) {
    for (const client of clients) client.socket.write("par");
    const { status, stderr } = await service.kstate(command);
    assert.equal(status, 0, stderr);
    for (const client of clients) {
      client.socket.write("tial\n");
      await client.take(/^moved to \d+\n/);
      await client.take(new RegExp(`^${round + 2} of \\d+: partial \\(\\d+\\)\n`));
    }
  }
});

test("a server may be described before it listens", async (t) => {
  const service = await Service.start(t, "lines", { env: { LISTEN_FIRST: "no" } });
  await hello(t, service);
  assert.equal((await update(service)).figures.otherConnections, 1);
});

test("what a slow client has not taken is sent by the next version, before anything else", async (t) => {
  const service = await Service.start(t, "lines");
  const client = await hello(t, service);
  client.socket.write("big\n");
  await client.take(/a{10}/);
  client.socket.pause();
  const { figures, pid } = await update(service);
  assert.ok(figures.streamBytes > 1024 * 1024, "nothing was queued");
  client.socket.resume();
  const rest = await client.take(new RegExp(`2 of 2: big \\(\\d+\\)\nmoved to ${pid}\n$`));
  assert.equal(rest.index, 16 * 1024 * 1024 - 10);
  assert.equal(rest.input.lastIndexOf("a", rest.index), rest.index - 1);
});

test("an end that the client has not seen yet comes after the last byte", async (t) => {
  const service = await Service.start(t, "lines");
  const client = await hello(t, service);
  client.socket.write("big\nend\n");
  await client.take(/a{10}/);
  client.socket.pause();
  assert.equal((await update(service)).figures.otherConnections, 1);
  client.socket.resume();
  const rest = await client.take(/2 of 2: big \(\d+\)\n3 of 3: end \(\d+\)\nmoved to \d+\n$/);
  assert.equal(rest.index, 16 * 1024 * 1024 - 10);
  await client.end();
});

test("a paused connection stays paused, and what it has received moves", async (t) => {
  const service = await Service.start(t, "lines");
  const [client, other] = [await hello(t, service), await hello(t, service)];
  client.socket.write("pause\n");
  await client.take(/^2 of 3: pause \(\d+\)\n/);
  client.socket.write("unread\n");
  other.socket.write("behind it\n");
  await other.take(/behind it/);
  assert.match((await service.update({ MODE: "throw-on-load" })).stderr, /HOOK_FAILED/);
  const { pid } = await update(service);
  await client.take(/^moved to \d+\n$/);
  other.socket.write("resume all\n");
  await other.take(/resume all/);
  await client.take(new RegExp(`^3 of 6: unread \\(${pid}\\)\n$`));
});

test("a character that has not arrived whole moves too", async (t) => {
  const service = await Service.start(t, "lines", { env: { MODE: "encoded" } });
  const client = await hello(t, service);
  const text = Buffer.from("gr€en\n");
  for (let cut = 1; cut < text.length; cut += 1) {
    client.socket.write(text.subarray(0, cut));
    const other = await hello(t, service); // the piece has been read by then
    other.socket.destroy();
    await update(service);
    await client.take(/^moved to \d+\n/);
    client.socket.write(text.subarray(cut));
    await client.take(/^\d+ of \d+: gr€en \(\d+\)\n/);
  }
});

test("connections survive an update that is cancelled", async (t) => {
  const service = await Service.start(t, "lines");
  const client = await hello(t, service);
  assert.equal((await service.update({ MODE: "throw-on-load" })).status, 1);
  client.socket.write("still here\n");
  await client.take(/^2 of 2: still here \(\d+\)\n$/);
});

test("connections that nothing describes refuse the update by their address", async (t) => {
  const service = await Service.start(t, "lines", { env: { MODE: "plain" } });
  const client = await hello(t, service);
  const { status, stderr } = await service.update({}, "--quiesce-timeout", "100");
  assert.equal(status, 1);
  assert.match(
    stderr,
    new RegExp(
      `connection of 127.0.0.1:${client.socket.localPort} to lines.*live.connections.*REQUESTS_BUSY`,
      "s",
    ),
  );
  client.socket.write("still here\n");
  await client.take(/^2 of 2: still here/);
  client.socket.destroy();
  assert.equal((await service.update()).status, 0);
});

test("a detached connection is served by the old side to its end; new ones by the next version", async (t) => {
  const service = await Service.start(t, "lines", { env: { MODE: "detached" } });
  const client = await hello(t, service);
  const { pid } = await update(service);
  client.socket.write("still here\n");
  const [, old] = await client.take(/^2 of 2: still here \((\d+)\)\n$/);
  assert.notEqual(Number(old), pid);
  const other = await RawStream.open(t, service.port);
  other.socket.write("new\n");
  await other.take(new RegExp(`^1 of 2: new \\(${pid}\\)\n$`));
});
