import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { RawStream } from "../support/raw-stream.js";
import { Service } from "../support/service.js";

interface Status {
  readonly pid: number;
  readonly port: number;
  readonly numbers: number[];
}

async function start(t: TestContext) {
  const service = await Service.start(t, "datagrams");
  const { listeners } = JSON.parse((await service.kstate("status", "--json")).stdout) as {
    listeners: string[];
  };
  // In the order in which the program asked for them.
  [service.port] = listeners.map((text) => Number(/:(\d+)$/.exec(text)![1])) as [number];
  const status = async (): Promise<Status> => (await service.get("/")).body as unknown as Status;
  const client = createSocket("udp4").unref();
  t.after(() => client.close());
  const { port } = await status();
  return {
    service,
    status,
    client,
    send: (number: number) => client.send(String(number), port, "127.0.0.1"),
  };
}

test("no datagram is lost or read twice across ten updates, one of them cancelled", async (t) => {
  const { service, status, client, send } = await start(t);
  let number = 0;
  let going = true;
  // The next one is sent before the answer to this one has come: several are on their way at any time.
  const talk = (async () => {
    for (number = 0; going; number += 1) {
      send(number);
      if (number >= 8) await once(client, "message");
    }
  })();
  for (let update = 0; update < 10; update += 1) {
    const { status: exit, stderr } = await service.update(
      update === 5 ? { MODE: "throw-on-load" } : { MODE: "" },
    );
    assert.equal(exit, update === 5 ? 1 : 0, stderr);
  }
  going = false;
  await talk;
  const { numbers } = await status();
  assert.deepEqual(
    numbers,
    Array.from({ length: number }, (_, index) => index),
  );
});

test("a program that finishes a detached response takes no datagrams", async (t) => {
  const { service, status, client, send } = await start(t);
  const held = await RawStream.open(t, service.port);
  held.socket.write("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
  await held.take(/\r\n\r\n$/);
  assert.equal((await service.update()).status, 0);
  const { pid } = await status();
  for (let number = 0; number < 20; number += 1) {
    send(number);
    const [message] = (await once(client, "message")) as [Buffer];
    assert.equal(String(message), `${number} ${pid}`);
  }
});
