/** Messages whose listeners go on after they have returned are answered, over any number of updates. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { Service } from "../support/service.js";

const UPDATES = 4;

test("messages that are counted and answered later are all answered, over updates under way", {
  timeout: 600_000, // a message that is lost is waited for
}, async (t) => {
  const service = await Service.start(t, "listeners");
  const webSockets = await Promise.all(
    Array.from({ length: 6 }, (_, index) => service.openWebSocket(t, index % 2 === 0 ? "on" : "event")),
  );
  const { stdout } = await service.kstate("status", "--json");
  const { listeners } = JSON.parse(stdout) as { listeners: string[] };
  const port = Number(/:(\d+)$/.exec(listeners[1]!)?.[1]);
  const tcp = connect(port, "127.0.0.1");
  t.after(() => tcp.destroy());
  let isOver = false;
  let answered = 0;
  const asking = webSockets.map(async (client) => {
    for (let number = 1; !isOver; number += 1) {
      assert.equal(await client.ask(String(number)), `${number} answered`);
      answered += 1;
    }
  });
  const lines = (async () => {
    for (let number = 1; !isOver; number += 1) {
      tcp.write("hello");
      const [data] = (await once(tcp, "data")) as [Buffer];
      assert.equal(String(data), `${number}: hello`);
      answered += 1;
    }
  })();
  for (let update = 0; update < UPDATES; update += 1) {
    const { status, stderr } = await service.update(
      { VERSION: String(update) },
      "--quiesce-timeout",
      "10000",
    );
    assert.equal(status, 0, stderr + service.supervisor.stderr);
  }
  isOver = true;
  await Promise.all([...asking, lines]);
  assert.equal((await service.get("/")).body.count, answered);
});

test("a listener that never ends refuses the update by its client; one that waits for its client is let go on", async (t) => {
  const service = await Service.start(t, "listeners");
  const client = await service.openWebSocket(t, "on");
  client.socket.send("never");
  const { pid } = (await service.get("/")).body;
  const refused = await service.update({}, "--quiesce-timeout", "500");
  assert.equal(refused.status, 1);
  assert.match(
    refused.stderr,
    /listener of the WebSocket from 127\.0\.0\.1:\d+\. Let listeners and handlers end/,
  );
  assert.equal((await service.get("/")).body.pid, pid);
  assert.equal(await client.ask("after"), "after answered");
});

test("a listener that waits for its client's next message gets it, and the update goes on", async (t) => {
  const service = await Service.start(t, "listeners");
  const client = await service.openWebSocket(t, "on");
  client.socket.send("more");
  await service.get("/");
  const update = service.startUpdate("--quiesce-timeout", "2000");
  await update.saw(/quiescing/);
  client.socket.send("next");
  const answers = [await client.next(), await client.next()];
  assert.deepEqual(answers.sort(), ["more answered", "next answered"]);
  assert.equal(await update.closed(), 0, update.stderr);
});
