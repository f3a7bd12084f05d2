// `npm run bench:live -- [--quick] [--updates N] [--json FILE]`: how long nobody is served in an update, as a client sees
// it that asks every millisecond over one WebSocket, and as the programs measured it. Updates are of a program to itself.
// Beside it the same service replaced in other ways.
import { execFile, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, freemem, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { installPeers, measurePeers } from "./peers.mjs";

const { values } = parseArgs({
  options: { quick: { type: "boolean" }, updates: { type: "string" }, json: { type: "string" } },
});
const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const cli = file("../../dist/cli/main.js");
const performancePage = file("../../docs/performance.md");
const updates = Number(values.updates ?? (values.quick ? 10 : 100));
/** Half of what is free, at most 10 GiB; it is really used. */
const folioMiB = values.quick ? 1024 : Math.min(10_240, Math.floor(freemem() / 2 ** 21 / 256) * 256);
const large = Math.max(3, Math.floor(updates / 10));
/** Every row is called after what it ran, so both come from one number. */
const counted = (count) => count.toLocaleString("en-US");
const objects = (count, what = "") => ({
  name: `${what}${counted(count)} objects`,
  env: { STATE_OBJECTS: count },
});
const crowd = values.quick ? 1_000 : 10_000;
const peerObjects = 25_000;
const subjects = [
  { name: "almost nothing" },
  objects(25_000, "1 MiB in "),
  objects(100_000),
  ...(values.quick ? [] : [{ ...objects(3_000_000, "100 MiB in "), updates: large }]),
  { name: "tracked map of 500,000, 10,000 changes/s", env: { STATE_TRACKED: 500_000 } },
  { name: `${folioMiB / 1024} GiB in folios`, env: { STATE_FOLIO_MIB: folioMiB }, memory: "16G" },
  { name: `${counted(crowd)} WebSockets`, crowd },
];

/** One service and one client, updated again and again. */
async function measure({ name, env: own = {}, memory = "1G", crowd = 0, updates: times = updates }) {
  const directory = mkdtempSync(join(tmpdir(), "kstate-bench-"));
  const env = { ...process.env, KSTATE_RUNTIME_DIR: directory, KSTATE_DIR: directory };
  for (const [key, value] of Object.entries(own)) env[key] = String(value);
  const kstate = (...args) => promisify(execFile)(process.execPath, [cli, ...args], { env });
  const supervisor = spawn(
    process.execPath,
    [cli, "run", "--memory", memory, "--", process.execPath, file("service.mjs")],
    {
      env,
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
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
    const others = crowd === 0 ? undefined : fork(file("crowd.mjs"), [listeners[0].split(":").at(-1), crowd]);
    if (others !== undefined) await once(others, "message");
    await pause(500);
    await ask();
    await pause(1000);
    const idle = (await ask()).otherMs;
    const rows = [];
    for (let update = 0; update < times; update += 1) {
      await ask();
      const { figures } = JSON.parse((await kstate("update", "--json", "--freeze-timeout", "120000")).stdout);
      await pause(200);
      const { handoverMs, otherMs } = await ask();
      rows.push({
        clientMs: handoverMs,
        preparingMs: otherMs,
        serverMs: figures.blackoutMs,
        quiesceMs: figures.quiesceMs,
        bytes: figures.streamBytes,
      });
    }
    if (probe.exitCode !== null) throw new Error("an answer was lost, doubled or out of order");
    if (others !== undefined) {
      others.send("ask");
      const [{ answered, closed }] = await once(others, "message");
      if (answered !== crowd || closed > 0)
        throw new Error(`${answered} of ${crowd} WebSockets answer, ${closed} closed`);
      others.disconnect();
    }
    probe.disconnect();
    return { name, updates: times, idleMs: idle, rows };
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
  "| state | updates | bytes | client, median ms | p99 | worst | programs, median ms | p99 | quiesce, median ms | preparing, median ms | without update |",
);
print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
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
    result.updates,
    result.rows[0].bytes,
    of("clientMs", 0.5),
    of("clientMs", 0.99),
    of("clientMs", 1),
    of("serverMs", 0.5),
    of("serverMs", 0.99),
    of("quiesceMs", 0.5),
    of("preparingMs", 0.5),
    result.idleMs.toFixed(1),
  ];
  print(`| ${cells.join(" | ")} |`);
}
installPeers();
const peers = await measurePeers(Math.max(3, Math.floor(updates / 10)), peerObjects);
print(
  `\n${counted(peerObjects)} objects, replaced in other ways; the client connects again when it is hung up on:\n`,
);
print("| way | times | client, median ms | worst | connections lost | state |");
print("| --- | --- | --- | --- | --- | --- |");
for (const { name, skipped, gaps, closed, kept } of peers) {
  if (skipped !== undefined) print(`| ${name} | skipped: ${skipped} | | | | |`);
  else {
    const cells = [gaps.length, quantile(gaps, 0.5).toFixed(0), quantile(gaps, 1).toFixed(0), closed];
    print(`| ${name} | ${cells.join(" | ")} | ${kept ? "kept" : "**lost**"} |`);
  }
}
if (!values.quick)
  writeFileSync(performancePage, withTable(readFileSync(performancePage, "utf8"), lines.join("\n")));
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, null, 1));
