import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { WebSocket } from "ws";
import { Service } from "../support/service.js";

test("the heartbeat of ws's README stays in attach, is warned of elsewhere; a pause in attach stays", async (t) => {
  const service = await Service.start(t, "heartbeat", { env: { MODE: "attach" } });
  const clients = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const client = new WebSocket(`ws://127.0.0.1:${service.port}`);
      t.after(() => client.terminate());
      await once(client, "open");
      return client;
    }),
  );
  const update = async (MODE: string): Promise<void> => {
    const { status, stderr } = await service.update({ MODE });
    assert.equal(status, 0, stderr);
  };
  const echoes = (): Promise<unknown[]> =>
    Promise.all(
      clients.map(async (client) => {
        const answer = once(client, "message");
        client.send("behind the pong");
        const closed = once(client, "close").then(() => assert.fail("the client was terminated"));
        closed.catch(() => {});
        await Promise.race([answer, closed]);
      }),
    );
  await update("attach");
  for (let beat = 0; beat < 3; beat += 1) {
    const pings = clients.map((client) => once(client, "ping"));
    await service.get("/beat");
    await Promise.all(pings);
    await echoes();
  }
  assert.doesNotMatch(service.supervisor.stderr, /CONNECTION_LISTENERS/);

  await update("pause");
  for (const client of clients) client.send("while paused");
  await service.get("/");
  const answers = clients.map((client) => once(client, "message"));
  await service.get("/resume");
  for (const client of clients) client.send("more"); // the first one that is heard if the others are lost
  for (const [data] of await Promise.all(answers)) assert.equal(String(data), "while paused");

  await update("readme");
  await service.supervisor.saw(/CONNECTION_LISTENERS.*beating.*an update moves will not meet/);
  await service.supervisor.saw(
    /CONNECTION_LISTENERS.*beating.*20 connections that have just been moved did not/,
  );
  const closes = clients.map((client) => once(client, "close"));
  await service.get("/beat");
  await service.get("/beat");
  await Promise.all(closes);
});
