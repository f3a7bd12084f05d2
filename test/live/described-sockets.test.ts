import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { defineState, u32 } from "kstate";
import { type ConnectionHandlers, DescribedSockets } from "#src/live/sockets/described-sockets.js";
import { adopt } from "#src/live/sockets/stream-socket.js";
import { streamPair } from "#src/memory/index.js";
import { Registry } from "#src/registry/index.js";

const state = defineState({ name: "described", id: 1, fields: [["count", u32]] });
type Attach = ConnectionHandlers<{ count: number }>["attach"];

function pair(t: TestContext): [Socket, Socket] {
  const sockets = streamPair().map(adopt) as [Socket, Socket];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  return sockets;
}

/** A connection that has just been handed to a program, and its client. `before` is done with it by the program before. */
function moved(
  t: TestContext,
  attach: Attach,
  before: (socket: Socket) => void = (socket) => socket.resume(),
) {
  const old = new DescribedSockets(0, { state, attach: before }, () => []);
  const writer = new Registry();
  old.register(writer);
  old.open(pair(t)[0], { count: 1 });
  old.collect();
  const next = new DescribedSockets(0, { state, attach }, () => []);
  const reader = new Registry();
  next.register(reader);
  reader.load(writer.save());
  const [socket, client] = pair(t);
  next.revive([socket]);
  next.begin();
  return { socket, client };
}

/** What has been written here is in the kernel, so that the next turns of the loop read it. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await setImmediate();
}

async function read(socket: Socket): Promise<string> {
  const texts: string[] = [];
  socket.on("data", (data) => texts.push(String(data)));
  await once(socket, "end");
  return texts.join("");
}

test("a moved socket that is paused in attach stays paused, and loses nothing", async (t) => {
  const texts: string[] = [];
  const { socket, client } = moved(t, (each) => {
    each.on("data", (data) => texts.push(String(data)));
    each.pause();
  });
  client.write("hello");
  await turns();
  assert.equal(socket.isPaused(), true);
  assert.deepEqual(texts, []);
  const data = once(socket, "data");
  socket.resume();
  await data;
  assert.deepEqual(texts, ["hello"]);
});

test("a moved socket whose listeners come later keeps what has arrived, as a new one does", async (t) => {
  const { socket, client } = moved(t, () => {});
  client.end("hello");
  await turns();
  assert.equal(socket.readableEnded, false, "read by nobody");
  assert.equal(await read(socket), "hello");
});

test("a moved socket is read by data, by readable, and when attach lets it go on", async (t) => {
  for (const way of ["data", "readable", "resume"] as const) {
    let text = "";
    const { socket, client } = moved(
      t,
      (each) => {
        each.on("end", () => each.destroy());
        if (way === "readable") each.on("readable", () => (text += String(each.read() ?? "")));
        else each.on("data", (data) => (text += String(data)));
        if (way === "resume") each.resume();
      },
      (each) => (way === "resume" ? each.pause() : each.resume()),
    );
    const closed = once(socket, "close");
    client.end("hello");
    await closed;
    assert.equal(text, "hello", way);
  }
});
