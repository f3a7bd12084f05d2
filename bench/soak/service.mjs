// What the soak updates: everything that moves, at a size that does not change. VERSION 2 has one more field;
// MODE=fail cannot load the state.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { blob, defineState, f64, folio, list, string, struct, u32 } from "../../dist/index.js";
import { joinLiveUpdate, trackedMap } from "../../dist/live/index.js";

const { VERSION = "1", MODE = "" } = process.env;
const item = defineState({
  name: "item",
  id: 1,
  versionId: Number(VERSION),
  minVersionId: 1,
  fields: [
    ["name", string({ max: 32 })],
    ["score", u32],
    ...(VERSION === "2" ? [["energy", u32.since(2, 100)]] : []),
  ],
});
const state = defineState({
  name: "state",
  id: 2,
  fields: [
    ["items", list(struct(item), { max: 10_000 })],
    ["page", folio()],
    ["answers", u32],
  ],
  postLoad() {
    if (MODE === "fail") throw new Error("this version cannot load the state");
  },
});
const connection = defineState({ name: "connection", id: 3, fields: [["answers", u32]] });
const point = defineState({ name: "point", id: 4, fields: [["x", f64]] });

const live = await joinLiveUpdate({ name: "soak", checkpoint: { everyMs: 500 } });
const mine = { items: [], page: undefined, answers: 0 };
live.register(state, mine);
const sessions = trackedMap("sessions", { key: string({ max: 16 }), value: struct(item), max: 10_000 });
live.track(sessions);
const points = live.memory.array("points", point);
const cache = live.memory.map("cache", { key: string({ max: 16 }), value: blob({ max: 100 }) });

const server = createServer((request, response) => {
  if (request.url === "/stats") {
    globalThis.gc?.();
    const { heapUsed, rss, external } = process.memoryUsage();
    response.end(
      JSON.stringify({
        pid: process.pid,
        heapUsed,
        rss,
        external,
        free: live.memory.freeBytes,
        sessions: sessions.size,
        points: points.length,
        items: mine.items.length,
        answers: mine.answers,
      }),
    );
  } else response.end("here");
});
server.keepAliveTimeout = 600_000;
live.listen(server, { port: 0, host: "127.0.0.1" });
live.webSockets(new WebSocketServer({ server }), {
  state: connection,
  open: () => ({ answers: 0 }),
  attach(webSocket, me) {
    webSocket.on("message", (data) => {
      const number = Number(data);
      if (number !== me.answers + 1)
        return webSocket.close(4001, `expected ${me.answers + 1}, got ${number}`);
      me.answers = number;
      mine.answers += 1;
      churn(mine.answers);
      webSocket.send(String(number));
    });
  },
});

/** As much goes as comes. */
function churn(number) {
  const key = `k${number % 5000}`;
  sessions.delete(key);
  sessions.set(key, { name: key, score: number, energy: 1 });
  mine.items[number % 2000] = { name: key, score: number, energy: 2 };
  cache.set(key, Buffer.from(`value ${number}`));
  points.set(number % 1000, { x: number });
  if (number % 100 === 0) {
    live.memory.free(mine.page);
    mine.page = live.memory.alloc(100_000);
    mine.page.bytes[0] = 1;
  }
}

live.start(({ from }) => {
  if (from === "boot") {
    mine.page = live.memory.alloc(100_000);
    for (let count = 0; count < 1000; count += 1) points.append({ x: count });
    for (let count = 0; count < 5000; count += 1)
      sessions.set(`k${count}`, { name: "new", score: 0, energy: 0 });
    mine.items = Array.from({ length: 2000 }, (_, score) => ({ name: "new", score, energy: 0 }));
  }
});
await live.ready();
