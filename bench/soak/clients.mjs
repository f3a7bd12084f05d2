// The load of the soak: WebSockets that number their messages, and HTTP clients with keep-alive. Answers any message of
// its parent with its counts; ends with 1 when something was lost, doubled, out of order, or a connection was closed.
import { Agent, get } from "node:http";
import { WebSocket } from "ws";

const port = Number(process.argv[2]);
const counts = { sent: 0, answered: 0, requests: 0, failures: [] };
const fail = (text) => counts.failures.push(text);

for (let client = 0; client < 20; client += 1) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  let [sent, answered] = [0, 0];
  const send = () => {
    if (sent - answered > 20) return; // while nobody is served
    sent += 1;
    counts.sent += 1;
    socket.send(String(sent));
  };
  socket.on("open", () => setInterval(send, 20));
  socket.on("message", (data) => {
    answered += 1;
    counts.answered += 1;
    if (Number(data) !== answered) fail(`client ${client}: expected ${answered}, got ${data}`);
  });
  socket.on("close", (code, reason) => fail(`client ${client}: closed with ${code} ${reason}`));
  socket.on("error", (error) => fail(`client ${client}: ${error.message}`));
}

for (let client = 0; client < 5; client += 1) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = () => {
    const request = get({ port, host: "127.0.0.1", agent, path: "/" }, (response) => {
      response.resume();
      response.once("end", () => {
        counts.requests += 1;
        setTimeout(ask, 20);
      });
    });
    request.once("error", (error) => {
      fail(`request: ${error.message}`);
      setTimeout(ask, 100);
    });
  };
  ask();
}
process.on("message", () => process.send(counts));
process.on("disconnect", () => process.exit(0));
