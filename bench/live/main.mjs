// `npm run bench:live -- [--quick] [--json FILE]`: how long nobody is served in an update, as a client sees it that asks
// every millisecond over one WebSocket, and as the programs measured it. Updates are of a program to itself.
import { execFile, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";

const { values } = parseArgs({ options: { quick: { type: "boolean" }, json: { type: "string" } } });
const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const cli = file("../../dist/cli/main.js");
const performancePage = file("../../docs/performance.md");
const updates = values.quick ? 10 : 100;
const subjects = [
  { name: "almost nothing", objects: 0 },
  { name: "1 MiB in 25,000 objects", objects: 25_000 },
  ...(values.quick ? [] : [{ name: "100,000 objects", objects: 100_000 }]),
];

/** One service and one client, updated again and again. */
async function measure({ name, objects }) {
  const directory = mkdtempSync(join(tmpdir(), "kstate-bench-"));
  const env = { ...process.env, KSTATE_RUNTIME_DIR: directory, STATE_OBJECTS: String(objects) };
  const kstate = (...args) => promisify(execFile)(process.execPath, [cli, ...args], { env });
  const supervisor = spawn(process.execPath, [cli, "run", "--", process.execPath, file("service.mjs")], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(supervisor, "close");
  try {
    supervisor.stderr.setEncoding("utf8");
    for (let log = ""; !/ serves/.test(log); ) {
      const [text] = await Promise.race([once(supervisor.stderr, "data"), ended.then(() => [""])]);
      if (text === "") throw new Error(`the service ended:\n${log}`);
      log += text;
    }
    supervisor.stderr.resume();
    const { listeners } = JSON.parse((await kstate("status", "--json")).stdout);
    const probe = fork(file("probe.mjs"), [listeners[0].split(":").at(-1)]);
    const ask = async () => {
      probe.send("gap");
      return (await once(probe, "message"))[0];
    };
    await pause(500);
    await ask();
    await pause(1000);
    const idle = (await ask()).gapMs;
    const rows = [];
    for (let update = 0; update < updates; update += 1) {
      await ask();
      const { figures } = JSON.parse((await kstate("update", "--json")).stdout);
      await pause(200);
      const { gapMs } = await ask();
      rows.push({
        clientMs: gapMs,
        serverMs: figures.blackoutMs,
        quiesceMs: figures.quiesceMs,
        bytes: figures.streamBytes,
      });
    }
    if (probe.exitCode !== null) throw new Error("an answer was lost, doubled or out of order");
    probe.disconnect();
    return { name, updates, idleMs: idle, rows };
  } finally {
    supervisor.kill("SIGTERM");
    await ended;
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The page with the table in the place of the one before. */
function withTable(page, table) {
  const [begin, end] = ["<!-- bench:live begin -->", "<!-- bench:live end -->"];
  const [before, rest] = page.split(begin);
  const head = "Made by `npm run bench:live` with ";
  return `${before}${begin}\n\n${head}${table}\n\n${end}${rest.split(end)[1]}`;
}

function quantile(numbers, share) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

const lines = [];
const print = (line) => {
  lines.push(line);
  console.log(line);
};
const results = [];
print(
  `node ${process.version}, ${cpus().length} cores, load ${loadavg()[0].toFixed(1)}, ${updates} updates each\n`,
);
print(
  "| state | bytes | client, median ms | p99 | worst | programs, median ms | p99 | quiesce, median ms | longest gap without update |",
);
print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
for (const subject of subjects) {
  const result = await measure(subject);
  results.push(result);
  const of = (key, share) =>
    quantile(
      result.rows.map((row) => row[key]),
      share,
    ).toFixed(1);
  const cells = [
    result.name,
    result.rows[0].bytes,
    of("clientMs", 0.5),
    of("clientMs", 0.99),
    of("clientMs", 1),
    of("serverMs", 0.5),
    of("serverMs", 0.99),
    of("quiesceMs", 0.5),
    result.idleMs.toFixed(1),
  ];
  print(`| ${cells.join(" | ")} |`);
}
if (!values.quick)
  writeFileSync(performancePage, withTable(readFileSync(performancePage, "utf8"), lines.join("\n")));
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, null, 1));
