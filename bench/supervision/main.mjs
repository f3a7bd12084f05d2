// npm run bench:supervision -- [--quick] [--json FILE]: what it costs to run under a supervisor while nothing is updated:
// requests per second of one HTTP service alone and under `kstate run`, in pairs, in turns, one after the other.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { quick: { type: "boolean" }, json: { type: "string" } } });
const pairs = values.quick ? 6 : 20;
const [warmMs, measuredMs] = values.quick ? [500, 1500] : [1000, 4000];
const CONNECTIONS = 16;
const file = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Answers per second that one service gives to clients which ask again at once. */
async function requestsPerSecond(supervised) {
  const directory = mkdtempSync(join(tmpdir(), "kstate-bench-"));
  const env = { ...process.env, KSTATE_RUNTIME_DIR: directory, KSTATE_DIR: directory };
  const run = supervised ? [file("../../dist/cli/main.js"), "run", "--", process.execPath] : [];
  const child = spawn(process.execPath, [...run, file("service.mjs")], {
    env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = once(child, "close");
  try {
    const [port] = await Promise.race([
      once(createInterface(child.stdout), "line"),
      ended.then(() => {
        throw new Error("the service ended");
      }),
    ]);
    const clients = Array.from({ length: CONNECTIONS }, () => startClient(Number(port)));
    const answers = () => clients.reduce((sum, client) => sum + client.answers, 0);
    await pause(warmMs);
    const [before, start] = [answers(), performance.now()];
    await pause(measuredMs);
    const rate = ((answers() - before) * 1000) / (performance.now() - start);
    for (const { socket } of clients) socket.destroy();
    return rate;
  } finally {
    child.kill("SIGTERM");
    await ended;
    rmSync(directory, { recursive: true, force: true });
  }
}

function startClient(port) {
  const client = { answers: 0, socket: connect(port, "127.0.0.1") };
  const ask = () => client.socket.write("GET / HTTP/1.1\r\nHost: bench\r\n\r\n");
  client.socket.on("connect", ask);
  client.socket.on("data", (data) => {
    if (!data.toString("latin1").endsWith("here")) return;
    client.answers += 1;
    ask();
  });
  return client;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const quantile = (numbers, share) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(share * (numbers.length - 1))];

const rows = [];
for (let pair = 0; pair < pairs; pair += 1) {
  const order = pair % 2 === 0 ? [false, true] : [true, false];
  const rates = new Map();
  for (const supervised of order) rates.set(supervised, await requestsPerSecond(supervised));
  rows.push({ alone: rates.get(false), supervised: rates.get(true) });
  console.error(`pair ${pair + 1} of ${pairs}`);
}
const column = (name) =>
  quantile(
    rows.map((row) => row[name]),
    0.5,
  ).toFixed(0);
const ratios = rows.map(({ alone, supervised }) => supervised / alone);
const percent = (share) => `${(100 * (quantile(ratios, share) - 1)).toFixed(1)} %`;
const table = [
  `Made by \`npm run bench:supervision\` with Node ${process.version} on ${cpus().length} × ${cpus()[0].model}: ${pairs} pairs of runs of ${measuredMs} ms, ${CONNECTIONS} connections.`,
  "",
  "| requests per second alone, median | supervised, median | supervised against alone, median of pairs | first quartile | third quartile |",
  "| ---: | ---: | ---: | ---: | ---: |",
  `| ${column("alone")} | ${column("supervised")} | ${percent(0.5)} | ${percent(0.25)} | ${percent(0.75)} |`,
].join("\n");
console.log(table);
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(rows, null, 1));
if (!values.quick) {
  const page = file("../../docs/performance.md");
  const [begin, end] = ["<!-- bench:supervision begin -->", "<!-- bench:supervision end -->"];
  const text = readFileSync(page, "utf8");
  if (!text.includes(begin)) throw new Error(`docs/performance.md has no ${begin}`);
  writeFileSync(page, `${text.split(begin)[0]}${begin}\n\n${table}\n\n${end}${text.split(end)[1]}`);
}
