import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { RawStream } from "../support/raw-stream.js";
import { Service } from "../support/service.js";

async function subscribe(t: TestContext, service: Service, topic: string): Promise<RawStream> {
  const client = await RawStream.open(t, service.port);
  client.socket.write(`GET /events?topic=${topic} HTTP/1.1\r\nHost: x\r\n\r\n`);
  const [head] = await client.take(/^HTTP\/1.1 200 OK\r\n(.*?\r\n)\r\n/s);
  assert.match(head, /content-type: text\/event-stream\r\n/i);
  assert.match(head, new RegExp(`x-topic: ${topic}\r\n`, "i"));
  await client.take(/^: welcome\n\n/);
  return client;
}

test("event streams move with their state; every event arrives once, in order", async (t) => {
  const service = await Service.start(t, "events");
  const clients = await Promise.all(["a", "a", "b"].map((topic) => subscribe(t, service, topic)));
  for (let round = 1; round <= 6; round += 1) {
    const data = encodeURIComponent(`first ${round}\nsecond`);
    await service.get(`/publish?topic=a&data=${data}`);
    for (const client of clients.slice(0, 2)) {
      await client.take(new RegExp(`^id: ${round}\nevent: news\ndata: first ${round}\ndata: second\n\n$`));
    }
    const { status, stderr } = await service.update(round === 3 ? { MODE: "throw-on-load" } : { MODE: "" });
    assert.equal(status, round === 3 ? 1 : 0, stderr);
  }
  await service.get("/publish?topic=b&data=only");
  await clients[2]!.take(/^id: 1\nevent: news\ndata: only\n\n$/);
});

test("a stream's events that a slow client has not taken are sent by the next version", async (t) => {
  const service = await Service.start(t, "events");
  const client = await subscribe(t, service, "a");
  client.socket.pause();
  await service.get("/big?topic=a");
  assert.equal((await service.update()).status, 0);
  await service.get("/publish?topic=a&data=behind");
  client.socket.resume();
  const behind = await client.take(/\n\nid: 1\nevent: news\ndata: behind\n\n$/);
  assert.equal(behind.index, "data: ".length + 16 * 1024 * 1024);
});

test("the next version notices that a client has gone, and can end a stream", async (t) => {
  const service = await Service.start(t, "events");
  const [gone, ended] = await Promise.all([subscribe(t, service, "a"), subscribe(t, service, "b")]);
  assert.equal((await service.update()).status, 0);
  assert.equal((await service.get("/")).body.subscribers, 2);
  gone.socket.destroy();
  while ((await service.get("/")).body.subscribers !== 1);
  await service.get("/end?topic=b");
  await ended.end();
  while ((await service.get("/")).body.subscribers !== 0);
});

test("a response whose head has been sent cannot become a stream", async (t) => {
  const service = await Service.start(t, "events");
  const { body } = await service.get("/late");
  assert.match(String(body.text), /cannot open an event stream: the head of the response has been sent/);
});
