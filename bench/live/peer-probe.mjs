// A client that asks every millisecond and connects again when it is hung up on. Answers its parent with
// { gapMs, closed, refused, answers }: the longest time without an answer, and what was lost, since the last time.
import { performance } from "node:perf_hooks";
import { WebSocket } from "ws";

const port = process.argv[2];
let last = performance.now();
let counts = { gapMs: 0, closed: 0, refused: 0 };
let answers = 0;

function connect() {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  let timer;
  socket.on("open", () => {
    timer = setInterval(() => socket.send("ask"), 1);
  });
  socket.on("message", (data) => {
    const now = performance.now();
    counts.gapMs = Math.max(counts.gapMs, now - last);
    last = now;
    answers = Number(String(data).split(" ")[1]);
  });
  socket.on("error", () => {
    counts.refused += 1;
  });
  socket.on("close", () => {
    clearInterval(timer);
    if (timer !== undefined) counts.closed += 1;
    setTimeout(connect, 10);
  });
}
connect();
process.on("message", () => {
  process.send({ ...counts, gapMs: Math.max(counts.gapMs, performance.now() - last), answers });
  counts = { gapMs: 0, closed: 0, refused: 0 };
});
process.on("disconnect", () => process.exit(0));
