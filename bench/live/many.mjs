// How an update looks to many WebSockets at once: `node bench/live/many.mjs [CONNECTIONS] [UPDATES]`, 10000 and 5 unless
// given. Every client sends numbered messages, one at a time, and checks that each comes back once and in order.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";

const [connections = 10_000, updates = 5] = process.argv.slice(2).map(Number);
const limit = Number(execFileSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }));
if (limit < connections + 100) {
  console.log(
    `SKIPPED: ${connections} connections need more descriptors than the ${limit} that ulimit -n allows`,
  );
  process.exit(0);
}

const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const service = fileURLToPath(new URL("service.mjs", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "kstate-many-"));
const env = { ...process.env, KSTATE_RUNTIME_DIR: directory };
const kstate = async (...args) => {
  const child = spawn(process.execPath, [cli, ...args], { env, stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (data) => {
    text += data;
  });
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`kstate ${args[0]} ended with ${status}`);
  return JSON.parse(text);
};
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

const supervisor = spawn(process.execPath, [cli, "run", "--", process.execPath, service], {
  env,
  stdio: ["ignore", "inherit", "pipe"],
});
let wrong = 0;
let closed = 0;
let answers = 0;
try {
  for await (const text of supervisor.stderr.iterator({ destroyOnReturn: false }))
    if (/ serves/.test(text)) break;
  supervisor.stderr.resume();
  const port = /:(\d+)$/.exec((await kstate("status", "--json")).listeners[0])[1];

  let going = true;
  /** The longest that a client waited for an answer since this was emptied, by client. */
  const waits = new Float64Array(connections);
  const clients = [];
  const open = async (index) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    await once(socket, "open");
    let number = 0;
    let sentAt = 0;
    const send = () => {
      number += 1;
      sentAt = performance.now();
      socket.send(String(number));
    };
    socket.on("close", () => {
      closed += 1;
    });
    socket.on("message", (data) => {
      if (Number(data) !== number) wrong += 1;
      answers += 1;
      waits[index] = Math.max(waits[index], performance.now() - sentAt);
      if (going) setTimeout(send, 1000 + Math.random() * 1000);
    });
    send();
    clients.push(socket);
  };
  for (let at = 0; at < connections; at += 100) {
    await Promise.all(
      Array.from({ length: Math.min(100, connections - at) }, (_, index) => open(at + index)),
    );
  }
  console.log(`${connections} WebSockets, each with a message every 1 to 2 s`);
  for (let update = 1; update <= updates; update += 1) {
    waits.fill(0);
    const { figures, totalMs } = await kstate("update", "--json", "--freeze-timeout", "60000");
    if (figures.webSockets !== connections) throw new Error(`${figures.webSockets} WebSockets moved`);
    const worst = Math.max(...waits);
    console.log(
      `update ${update}: blackout ${figures.blackoutMs.toFixed(0)} ms ` +
        `(${((1000 * figures.blackoutMs) / connections).toFixed(0)} µs per socket), in all ${totalMs.toFixed(0)} ms; ` +
        `a client waited ${median([...waits]).toFixed(0)} ms at the median, ${worst.toFixed(0)} at the most`,
    );
  }
  going = false;
  await new Promise((resolve) => setTimeout(resolve, 1000)); // the last answers
  console.log(`${answers} answers, ${wrong} lost, doubled or out of order, ${closed} connections closed`);
  for (const client of clients) client.terminate();
} finally {
  supervisor.kill("SIGTERM");
  await once(supervisor, "exit");
  rmSync(directory, { recursive: true, force: true });
}
process.exit(wrong + closed === 0 ? 0 : 1);
