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
const ownNames = ["kstate", "kstate, with CRC", "kstate, new buffer", "kstate, reference"];
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

/** What is slow gets fewer processes. */
const longestCellMs = 6000;

/** The medians of several processes, and the lowest and highest of all. */
function cell(name, peer, step) {
  const runs = [];
  const begin = performance.now();
  for (let i = 0; i < processes && (i === 0 || performance.now() - begin < longestCellMs); i++) {
    const one = run(name, peer, step);
    if (one.missing) return undefined;
    if (one.failed) return { failed: one.failed };
    runs.push(one);
  }
  const byCpu = runs.toSorted((a, b) => a.cpu.median - b.cpu.median);
  const middle = byCpu[Math.floor(byCpu.length / 2)];
  const cold = step === "save" && !values.quick ? run(name, peer, "cold save").cold : middle.cold;
  return {
    ...middle,
    cold,
    low: Math.min(...runs.map(({ cpu }) => cpu.low)),
    high: Math.max(...runs.map(({ cpu }) => cpu.high)),
  };
}

const parts = (values.from ?? []).map((file) => JSON.parse(readFileSync(file, "utf8")));
const rows = parts.flatMap((part) => part.rows);
for (const name of parts.length > 0 ? [] : Object.keys(dataSets)) {
  for (const peer of [...ceilingNames, ...ownNames, ...peerNames]) {
    for (const step of ["save", "load", "load into"]) {
      if (values.only && !`${name} ${peer} ${step}`.includes(values.only)) continue;
      if (step !== "save" && /CRC|new buffer/.test(peer)) continue;
      if (step !== "load" && /values copied/.test(peer)) continue;
      const found = cell(name, peer, step);
      if (found === undefined) continue;
      rows.push({ name, peer, step, ...found });
      const text =
        found.failed ??
        `${found.cpu.median.toFixed(1)} ms CPU${found.same === false ? ", NOT THE SAME" : ""}`;
      console.log(`${name.padEnd(8)} ${step.padEnd(10)} ${peer.padEnd(28)} ${text}`);
    }
  }
}
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
  command: part.command.replace(/ --only \S+/, ""),
  isInParts: true,
  rows,
  startUp,
});
const result = parts.length === 0 ? measured : whole(parts[0]);
if (values.json) writeFileSync(values.json, `${JSON.stringify(result, null, 1)}\n`);
if (!values.only)
  writeFileSync(here("../../docs/performance.md"), pageWith(result, here("../../docs/performance.md")));
if (rows.some(({ peer, same }) => same === false && peer.startsWith("kstate"))) process.exitCode = 1;
