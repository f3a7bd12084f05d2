// What the benchmark updates: a WebSocket server that answers every message, with STATE_OBJECTS objects of state.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { defineState, f64, list, string, struct, u32 } from "../../dist/index.js"; // bench/ has dependencies of its own, so the package is not found by its name here
import { joinLiveUpdate } from "../../dist/live/index.js";

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
  ],
});
const connection = defineState({ name: "connection", id: 3, fields: [["answers", u32]] });

const objects = Number(process.env.STATE_OBJECTS ?? 0);
const mine = { answers: 0, items: [] };
const server = createServer((_, response) => response.end("here"));
const webSockets = new WebSocketServer({ server });

const live = await joinLiveUpdate({ name: "bench" });
live.register(state, mine);
live.listen(server, { port: 0, host: "127.0.0.1" });
live.webSockets(webSockets, {
  state: connection,
  open: () => ({ answers: 0 }),
  attach(webSocket, me) {
    webSocket.on("message", (data) => {
      mine.answers += 1;
      me.answers += 1;
      webSocket.send(data);
    });
  },
});
live.start(({ from }) => {
  if (from !== "boot") return;
  mine.items = Array.from({ length: objects }, (_, index) => ({
    name: `item ${index}`,
    x: index,
    y: 0.5,
    score: 1,
  }));
});
await live.ready();
