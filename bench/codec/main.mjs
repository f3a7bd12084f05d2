// npm run bench:codec -- [--quick] [--json FILE] [--only TEXT] [--size 1] [--rounds N] [--processes N]: runs every cell
// in processes of its own and writes the table to docs/performance.md. Other programs on the machine disturb it: compare
// within one run. A long run can be made in parts, one --only DATA --json FILE for each data set and one --only start-up;
// --from FILE --from FILE then writes the page.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { dataSets } from "./data.mjs";
import { pageWith } from "./page.mjs";
import { startUpRows } from "./start-up.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values } = parseArgs({
  options: {
    quick: { type: "boolean" },
    json: { type: "string" },
    only: { type: "string" },
    from: { type: "string", multiple: true },
    processes: { type: "string" },
    rounds: { type: "string" },
    size: { type: "string" },
  },
});
const size = Number(values.size ?? (values.quick ? 0.1 : 1));
const rounds = Number(values.rounds ?? (values.quick ? 4 : 9));
const processes = Number(values.processes ?? (values.quick ? 1 : 3));

if (!existsSync(here("../node_modules/avsc"))) {
  // The lock file pins versions but cannot name every platform's optional parts, so this is not `npm ci`.
  const { status } = spawnSync(
    "npm",
    ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"],
    {
      cwd: here(".."),
      stdio: "inherit",
    },
  );
  if (status !== 0) throw new Error("the peers could not be installed; is the npm registry reachable?");
}
if (!existsSync(here("../../dist/index.js"))) throw new Error("npm run build first");

const peerNames = [
  "msgpackr",
  "avsc",
  "protobufjs",
  "@bufbuild/protobuf",
  "cbor-x",
  "bebop",
  "flatbuffers",
  "v8",
  "JSON",
  "structuredClone",
  "cbor-x, values copied",
  "bebop, values copied",
];
const ownNames = [
  "kstate",
  "kstate, with CRC",
  "kstate, new buffer",
  "kstate, reference",
  "kstate, zero copy",
];
const ceilingNames = ["ceiling: touch and memcpy", "ceiling: allocate"];

function run(name, peer, step) {
  const args = [
    "--max-old-space-size=6144",
    here("cell.mjs"),
    name,
    peer,
    step,
    String(size),
    String(rounds),
  ];
  const { stdout, signal } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    timeout: 120_000,
    maxBuffer: 1 << 20,
  });
  try {
    return JSON.parse(stdout.trim().split("\n").at(-1));
  } catch {
    return { failed: `ended by ${signal ?? "an error"}` };
  }
}

/** A peer that takes so many times as long as the fastest gets one process: its figure decides nothing. */
const farBehind = 2;
/** Below, nothing was loaded: v8 gives a view of its input. */
const nothingMs = 0.05;

/** Every cell of a data set once, then once more, …: a slow minute of the machine meets all of them. */
function cellsOf(name, wanted) {
  const cells = wanted.map(({ peer, step }) => ({ name, peer, step, runs: [] }));
  for (let i = 0; i < processes; i++) {
    const open = i === 0 ? cells : cells.filter((cell) => isOpen(cell, cells));
    for (const cell of open) {
      cell.runs.push(run(name, cell.peer, cell.step));
      const { missing, failed, cpu, same } = cell.runs.at(-1);
      if (missing) continue;
      const text = failed ?? `${cpu.median.toFixed(1)} ms CPU${same === false ? ", NOT THE SAME" : ""}`;
      console.log(`${name.padEnd(8)} ${cell.step.padEnd(10)} ${cell.peer.padEnd(28)} ${text}`);
    }
  }
  return cells.flatMap(summary);
}

function isOpen({ peer, step, runs: [first] }, cells) {
  if (first.cpu === undefined || peer === "kstate, reference") return false;
  if (!peerNames.includes(peer)) return true;
  const others = cells.filter((cell) => cell.step === step && peerNames.includes(cell.peer));
  const medians = others.map(({ runs }) => runs[0].cpu?.median ?? Number.POSITIVE_INFINITY);
  const fastest = Math.min(...medians.filter((median) => median > nothingMs));
  return first.cpu.median <= farBehind * fastest;
}

/** The medians of the middle one of several processes, and the lowest and highest of all. */
function summary({ name, peer, step, runs }) {
  const [first] = runs;
  if (first.missing) return [];
  const failed = runs.find((one) => one.failed)?.failed;
  if (failed) return [{ name, peer, step, failed }];
  const byCpu = runs.toSorted((a, b) => a.cpu.median - b.cpu.median);
  const middle = byCpu[Math.floor(byCpu.length / 2)];
  const cold = step === "save" && !values.quick ? run(name, peer, "cold save").cold : middle.cold;
  const low = Math.min(...runs.map(({ cpu }) => cpu.low));
  const high = Math.max(...runs.map(({ cpu }) => cpu.high));
  const same = runs.every((one) => one.same !== false) ? middle.same : false;
  return [{ name, peer, step, ...middle, same, cold, low, high }];
}

function wantedOf(name) {
  return [...ceilingNames, ...ownNames, ...peerNames].flatMap((peer) =>
    ["save", "load", "load into"].flatMap((step) => {
      if (values.only && !`${name} ${peer} ${step}`.includes(values.only)) return [];
      if (step !== "save" && /CRC|new buffer/.test(peer)) return [];
      if (step !== "load" && /values copied|zero copy/.test(peer)) return [];
      if (peer === "kstate, zero copy" && name !== "map") return [];
      return [{ peer, step }];
    }),
  );
}

const parts = (values.from ?? []).map((file) => JSON.parse(readFileSync(file, "utf8")));
const rows = parts.flatMap((part) => part.rows);
for (const name of parts.length > 0 ? [] : Object.keys(dataSets)) rows.push(...cellsOf(name, wantedOf(name)));
const isStartUp = parts.length === 0 && (values.only === undefined || values.only === "start-up");
const startUp = isStartUp ? startUpRows(values.quick ? 1000 : 10_000) : parts.flatMap((part) => part.startUp);
const packages = JSON.parse(readFileSync(here("../package.json"), "utf8")).dependencies;
const measured = {
  command: ["npm run bench:codec --", ...process.argv.slice(2).filter((part) => !/json/.test(part))].join(
    " ",
  ),
  quick: values.quick === true,
  node: process.version,
  machine: `${cpus().length} × ${cpus()[0].model}, Linux ${release()}`,
  packages,
  rounds,
  processes,
  rows,
  startUp,
};
const whole = (part) => ({
  ...part,
  command: part.command.replace(/ --only \S+/, "").replace(/ --$/, ""),
  isInParts: true,
  rows,
  startUp,
});
const result = parts.length === 0 ? measured : whole(parts[0]);
if (values.json) writeFileSync(values.json, `${JSON.stringify(result, null, 1)}\n`);
if (!values.only)
  writeFileSync(here("../../docs/performance.md"), pageWith(result, here("../../docs/performance.md")));
if (rows.some(({ peer, same }) => same === false && peer.startsWith("kstate"))) process.exitCode = 1;
