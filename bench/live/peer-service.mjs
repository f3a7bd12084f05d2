// The service without kstate, as it is deployed elsewhere: a WebSocket server that counts its answers and holds
// STATE_OBJECTS objects. STORE is where the state waits while the program is replaced: nothing, a file of v8.serialize, or
// Redis. CLUSTER=1 runs it in workers that SIGHUP replaces one by one.
import cluster from "node:cluster";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { deserialize, serialize } from "node:v8";
import { WebSocketServer } from "ws";

const { STORE = "none", STATE_FILE, REDIS_SOCKET, CLUSTER, PORT, STATE_OBJECTS = "0" } = process.env;

if (CLUSTER === "1" && cluster.isPrimary) {
  for (let worker = 0; worker < 2; worker += 1) cluster.fork();
  process.on("SIGHUP", async () => {
    for (const old of Object.values(cluster.workers)) {
      await once(cluster.fork(), "listening");
      old.kill("SIGTERM");
      await once(old, "exit");
    }
    console.error("replaced");
  });
} else {
  let state = await load();
  state ??= {
    answers: 0,
    items: Array.from({ length: Number(STATE_OBJECTS) }, (_, index) => ({
      name: `item ${index}`,
      x: index,
      y: 0.5,
      score: 1,
    })),
  };
  const server = createServer();
  const webSockets = new WebSocketServer({ server });
  webSockets.on("connection", (webSocket) => {
    webSocket.on("message", (data) => {
      state.answers += 1;
      webSocket.send(`${data} ${state.answers}`);
    });
  });
  const end = async () => {
    server.close();
    await save(state);
    process.exit(0);
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  server.listen(Number(PORT), "127.0.0.1", () => {
    process.send?.("ready");
    console.error("serves");
  });
}

async function load() {
  if (STORE === "file" && existsSync(STATE_FILE)) return deserialize(readFileSync(STATE_FILE));
  if (STORE !== "redis") return null;
  const reply = await redis("GET", "state");
  return reply === null ? null : deserialize(reply);
}

async function save(state) {
  if (STORE === "file") writeFileSync(STATE_FILE, serialize(state));
  if (STORE === "redis") await redis("SET", "state", serialize(state));
}

/** One command of Redis's protocol, and its reply: a bulk string, or null. */
async function redis(...parts) {
  const socket = connect(REDIS_SOCKET);
  socket.write(`*${parts.length}\r\n`);
  for (const part of parts.map((part) => Buffer.from(part))) {
    socket.write(`$${part.length}\r\n`);
    socket.write(part);
    socket.write("\r\n");
  }
  const chunks = [];
  for await (const chunk of socket) {
    chunks.push(chunk);
    const all = Buffer.concat(chunks);
    const at = all.indexOf("\r\n");
    if (at < 0) continue;
    const head = all.toString("latin1", 0, at);
    if (!head.startsWith("$") || head === "$-1") return null;
    const size = Number(head.slice(1));
    if (all.length >= at + 4 + size) return all.subarray(at + 2, at + 2 + size);
  }
  return null;
}
