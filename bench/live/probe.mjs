// A client that asks every millisecond. The parent names a moment with any message and gets the longest times without an
// answer since the last one: { handoverMs, otherMs }, between answers of two programs and between those of one. Exits 1
// when an answer is lost, doubled or out of order.
import { performance } from "node:perf_hooks";
import { WebSocket } from "ws";

const socket = new WebSocket(`ws://127.0.0.1:${process.argv[2]}/`);
let asked = 0;
let answered = 0;
let last = performance.now();
let lastPid;
let handoverMs = 0;
let otherMs = 0;

socket.on("open", () => {
  last = performance.now();
  setInterval(() => {
    asked += 1;
    socket.send(String(asked));
  }, 1);
});
socket.on("message", (data) => {
  const [number, pid] = String(data).split(" ").map(Number);
  answered += 1;
  if (number !== answered) process.exit(1);
  const now = performance.now();
  if (lastPid === undefined || pid === lastPid) otherMs = Math.max(otherMs, now - last);
  else handoverMs = Math.max(handoverMs, now - last);
  last = now;
  lastPid = pid;
});
socket.on("close", () => process.exit(1));
process.on("message", () => {
  process.send({ handoverMs, otherMs: Math.max(otherMs, performance.now() - last), answered });
  handoverMs = 0;
  otherMs = 0;
});
process.on("disconnect", () => process.exit(0));
