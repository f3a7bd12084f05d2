// A client that asks every millisecond. The parent names a moment with any message and gets the longest time without
// an answer since the last one: { gapMs }. Exits 1 when an answer is lost, doubled or out of order.
import { performance } from "node:perf_hooks";
import { WebSocket } from "ws";

const socket = new WebSocket(`ws://127.0.0.1:${process.argv[2]}/`);
let asked = 0;
let answered = 0;
let last = performance.now();
let gapMs = 0;

socket.on("open", () => {
  last = performance.now();
  setInterval(() => {
    asked += 1;
    socket.send(String(asked));
  }, 1);
});
socket.on("message", (data) => {
  answered += 1;
  if (Number(data) !== answered) process.exit(1);
  const now = performance.now();
  gapMs = Math.max(gapMs, now - last);
  last = now;
});
socket.on("close", () => process.exit(1));
process.on("message", () => {
  process.send({ gapMs: Math.max(gapMs, performance.now() - last), answered });
  gapMs = 0;
});
process.on("disconnect", () => process.exit(0));
