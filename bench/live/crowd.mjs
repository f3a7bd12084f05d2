// Many WebSockets that mostly wait. The parent sends "ask" and every one asks once; the answer is how many were answered
// within a minute: { answered, closed }.
import { WebSocket } from "ws";

const [port, count] = process.argv.slice(2).map(Number);
const sockets = [];
let closed = 0;
let opened = 0;

function open() {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  socket.on("open", () => {
    opened += 1;
    if (opened === count) process.send("open");
    else if (sockets.length < count) open();
  });
  socket.on("close", () => {
    closed += 1;
  });
  socket.on("error", () => {});
  sockets.push(socket);
}
for (let parallel = 0; parallel < Math.min(50, count); parallel += 1) open();

process.on("message", async () => {
  const answers = sockets.map(
    (socket) => new Promise((resolve) => socket.once("message", resolve) && socket.send("here")),
  );
  const late = new Promise((resolve) => setTimeout(resolve, 60_000, "late"));
  const all = await Promise.race([Promise.all(answers), late]);
  process.send({ answered: all === "late" ? -1 : all.length, closed });
});
process.on("disconnect", () => process.exit(0));
