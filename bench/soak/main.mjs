// `npm run soak -- [--minutes N] [--updates N]`: updates, rollbacks and updates that fail, without end, under load. What
// must not grow is watched: descriptors, the memory of the supervisor and of the programs, the heap, the shared memory.
// Exits with 1 when a message was lost or doubled, a connection was closed, or something grew.
import { execFile, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";

const { values } = parseArgs({ options: { minutes: { type: "string" }, updates: { type: "string" } } });
const minutes = Number(values.minutes ?? (values.updates === undefined ? 10 : Number.POSITIVE_INFINITY));
const limit = Number(values.updates ?? Number.POSITIVE_INFINITY);
const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const cli = file("../../dist/cli/main.js");
const directory = mkdtempSync(join(tmpdir(), "kstate-soak-"));
const env = { ...process.env, KSTATE_RUNTIME_DIR: directory, KSTATE_DIR: directory };
const kstate = (...args) => promisify(execFile)(process.execPath, [cli, ...args], { env });

const command = [process.execPath, "--expose-gc", file("service.mjs")];
const supervisor = spawn(process.execPath, [cli, "run", "--", ...command], {
  env,
  stdio: ["ignore", "ignore", "pipe"],
});
supervisor.stderr.setEncoding("utf8");
let log = "";
supervisor.stderr.on("data", (text) => {
  log = (log + text).slice(-20_000);
});
const ended = once(supervisor, "close");

function stats(port) {
  return new Promise((resolve, reject) => {
    get({ port, host: "127.0.0.1", path: "/stats", agent: false }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve(JSON.parse(text));
    }).once("error", reject);
  });
}

/** What must not grow. */
async function sample(port) {
  const program = await stats(port);
  const descriptors = (pid) => readdirSync(`/proc/${pid}/fd`).length;
  const resident = (pid) =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;
  return {
    "descriptors of the supervisor": descriptors(supervisor.pid),
    "descriptors of the program": descriptors(program.pid),
    "resident memory of the supervisor, MiB": resident(supervisor.pid) / 2 ** 20,
    "resident memory of the program, MiB": program.rss / 2 ** 20,
    "heap of the program after a collection, MiB": program.heapUsed / 2 ** 20,
    "shared memory, MiB": sharedBytes(supervisor.pid) / 2 ** 20,
    "control sockets": readdirSync(directory).length,
    entries: program.sessions + program.points + program.items,
  };
}

function sharedBytes(pid) {
  const descriptors = `/proc/${pid}/fd`;
  const paths = readdirSync(descriptors).map((fd) => join(descriptors, fd));
  const memory = paths.find((path) => readlinkSync(path).includes("memfd:kstate"));
  return statSync(memory).blocks * 512;
}

const counts = { updates: 0, rollbacks: 0, refused: 0 };
const blackouts = [];
const samples = [];

/** One of what people do: two updates to the other version, a rollback, one that fails. */
async function act(number) {
  const version = 1 + (number % 2);
  const [kind, ...args] =
    number % 8 === 5
      ? ["refused", "update", "--env", "MODE=fail", "--env", `VERSION=${version}`]
      : number % 4 === 3
        ? ["rollbacks", "rollback"]
        : ["updates", "update", "--env", "MODE=", "--env", `VERSION=${version}`];
  // Version 1 does not have what version 2 has: whoever goes back by an update has to say that it is meant.
  const force = kind !== "rollbacks" && version === 1 ? ["--force"] : [];
  try {
    const { stdout } = await kstate(...args, ...force, "--json");
    if (kind === "refused") throw new Error("an update that cannot load was committed");
    blackouts.push(JSON.parse(stdout).figures.blackoutMs);
  } catch (error) {
    if (kind !== "refused" || !/HOOK_FAILED/.test(error.stdout ?? "")) throw error;
  }
  counts[kind] += 1;
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

let failed = false;
try {
  while (!/ serves/.test(log)) await Promise.race([once(supervisor.stderr, "data"), ended]);
  const { listeners } = JSON.parse((await kstate("status", "--json")).stdout);
  const port = Number(listeners[0].split(":").at(-1));
  const clients = fork(file("clients.mjs"), [String(port)]);
  const until = performance.now() + minutes * 60_000;
  for (let number = 1; performance.now() < until && counts.updates + counts.rollbacks < limit; number += 1) {
    await act(number);
    if (number % 8 === 0) samples.push(await sample(port));
    if (number % 100 === 0) console.log(`${number} tries, ${counts.updates + counts.rollbacks} hand-overs`);
  }
  clients.send("counts");
  const [load] = await once(clients, "message");
  clients.disconnect();
  const underWay = load.sent - load.answered;
  console.log(
    `\n${counts.updates} updates, ${counts.rollbacks} rollbacks, ${counts.refused} refused by the next version; ` +
      `blackout ${median(blackouts).toFixed(1)} ms median, ${Math.max(...blackouts).toFixed(1)} ms worst`,
  );
  console.log(
    `${load.sent} messages sent, ${load.answered} answered (${underWay} under way), ${load.requests} requests, ` +
      `${load.failures.length} failures`,
  );
  for (const failure of load.failures.slice(0, 10)) console.log(`  ${failure}`);
  if (load.failures.length > 0 || underWay > 20 * 21) failed = true;
  failed = !report() || failed;
} catch (error) {
  console.error(`${error.message}\n${error.stdout ?? ""}\n${error.stderr ?? ""}\n${log}`);
  failed = true;
} finally {
  supervisor.kill("SIGTERM");
  await ended;
  rmSync(directory, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

/** Compares the second tenth of the samples with the last one: what has not settled by then grows. */
function report() {
  const part = Math.max(1, Math.floor(samples.length / 10));
  const [early, late] = [samples.slice(part, 2 * part), samples.slice(-part)];
  let flat = true;
  console.log("\n| | early, median | late, median | most |\n| --- | ---: | ---: | ---: |");
  for (const name of Object.keys(samples[0])) {
    const of = (rows) => rows.map((row) => row[name]);
    const [before, after] = [median(of(early.length > 0 ? early : samples)), median(of(late))];
    const digits = name.endsWith("MiB") ? 1 : 0;
    const isFlat = after <= before * 1.25 + (digits === 1 ? 8 : 3);
    flat &&= isFlat;
    const numbers = [before, after, Math.max(...of(samples))].map((value) => value.toFixed(digits));
    console.log(`| ${name} | ${numbers.join(" | ")} |${isFlat ? "" : " **grew**"}`);
  }
  return flat;
}
