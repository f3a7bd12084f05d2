// What the benchmark updates: a WebSocket server that answers every message with its pid, with STATE_OBJECTS objects of state,
// STATE_TRACKED entries in a tracked map of which 10,000 change in every second, and STATE_FOLIO_MIB of folios.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { defineState, f64, folio, list, string, struct, u32 } from "../../dist/index.js"; // bench/ has dependencies of its own, so the package is not found by its name here
import { joinLiveUpdate, trackedMap } from "../../dist/live/index.js";

const item = defineState({
  name: "item",
  id: 1,
  fields: [
    ["name", string({ max: 32 })],
    ["x", f64],
    ["y", f64],
    ["score", u32],
  ],
});
const state = defineState({
  name: "state",
  id: 2,
  fields: [
    ["answers", u32],
    ["items", list(struct(item), { max: 10_000_000 })],
    ["folios", list(folio(), { max: 1000 })],
  ],
});
const connection = defineState({ name: "connection", id: 3, fields: [["answers", u32]] });

const objects = Number(process.env.STATE_OBJECTS ?? 0);
const tracked = Number(process.env.STATE_TRACKED ?? 0);
const folioMiB = Number(process.env.STATE_FOLIO_MIB ?? 0);
const mine = { answers: 0, items: [], folios: [] };
const server = createServer((_, response) => response.end("here"));
const webSockets = new WebSocketServer({ server });

const live = await joinLiveUpdate({ name: "bench" });
live.register(state, mine);
const sessions = trackedMap("sessions", { key: u32, value: struct(item), max: 10_000_000 });
live.track(sessions);
live.listen(server, { port: 0, host: "127.0.0.1" });
live.webSockets(webSockets, {
  state: connection,
  open: () => ({ answers: 0 }),
  attach(webSocket, me) {
    webSocket.on("message", (data) => {
      mine.answers += 1;
      me.answers += 1;
      webSocket.send(`${data} ${process.pid}`);
    });
  },
});

function changeSome() {
  for (let count = 0; count < 100; count += 1) {
    const key = Math.floor(Math.random() * tracked);
    const value = sessions.get(key);
    value.score += 1;
    sessions.touch(key);
  }
}

live.start(({ from }) => {
  const ticker = tracked > 0 ? setInterval(changeSome, 10) : undefined;
  const end = () => clearInterval(ticker);
  if (from === "boot") fill();
  return end;
});

function fill() {
  for (let key = 0; key < tracked; key += 1)
    sessions.set(key, { name: `item ${key}`, x: key, y: 0.5, score: 1 });
  for (let at = 0; at < folioMiB; at += 256) {
    const pages = live.memory.alloc(Math.min(256, folioMiB - at) * 2 ** 20);
    for (let byte = 0; byte < pages.size; byte += 4096) pages.bytes[byte] = 1;
    mine.folios.push(pages);
  }
  mine.items = Array.from({ length: objects }, (_, index) => ({
    name: `item ${index}`,
    x: index,
    y: 0.5,
    score: 1,
  }));
}
await live.ready();
