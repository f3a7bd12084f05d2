// npm run bench:memory -- [--quick] [--json FILE] [--only TEXT] [--entries COUNT]: each peer in a process of its own, CPU time. Compare within one run.
// A run without --quick, --only and --entries takes some 12 minutes and 12 GiB, and writes its tables into docs/performance.md.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { pageWith, tables } from "./page.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values } = parseArgs({
  options: {
    quick: { type: "boolean" },
    json: { type: "string" },
    only: { type: "string", default: "" },
    entries: { type: "string" },
  },
});
const isWhole = !values.quick && values.only === "" && values.entries === undefined;
const names = [
  "kstate FolioMap",
  "kstate FolioMap, getView",
  "Map",
  "Map, own copies",
  "Map and v8.serialize",
  "lmdb",
  "better-sqlite3",
];
const counts = values.entries ? [Number(values.entries)] : values.quick ? [100_000] : [1_000_000, 10_000_000];
/** Buffers of v8.serialize take some 3 KB each: 10 M of them are more memory than most machines have. */
const isTooLarge = (name, count) => name === "Map and v8.serialize" && count > 2_000_000;
/** A round of 10 M takes a minute in a database. */
const roundsOf = (name, count) => (count <= 1e6 ? 3 : /lmdb|sqlite/.test(name) ? 1 : 3);
const sizes = values.quick ? [64, 1024] : [64, 1024, 10_240];

if (!existsSync(here("../../dist/index.js"))) throw new Error("npm run build first");
if (!existsSync(here("node_modules/lmdb"))) {
  const { status } = spawnSync("npm", ["install", "--no-save", "--no-audit", "--no-fund"], {
    cwd: here("."),
    stdio: "inherit",
  });
  if (status !== 0) throw new Error("npm install failed in bench/memory; the output above says why");
}

function run(script, ...args) {
  const flags = ["--expose-gc", "--max-old-space-size=8192", here(script), ...args.map(String)];
  const { stdout, stderr } = spawnSync(process.execPath, flags, { encoding: "utf8", timeout: 900_000 });
  try {
    return JSON.parse(stdout);
  } catch {
    return { failed: stderr.split("\n").find((line) => line.includes("Error")) ?? "ended early" };
  }
}

const [load] = loadavg().map((value) => value.toFixed(1));
const rows = [];
for (const count of counts) {
  for (const name of names.filter((text) => text.includes(values.only) && !isTooLarge(text, count))) {
    const rounds = roundsOf(name, count);
    rows.push({ name, count, rounds, ...run("cell.mjs", name, count, rounds) });
    console.error(`${count} entries, ${name}: ${rows.at(-1).failed ?? "measured"}`);
  }
}
const mappings = values.only ? [] : sizes.map((mib) => ({ mib, ...run("mapping.mjs", mib, 9) }));
const machine = `${cpus().length} × ${cpus()[0].model}, Linux ${release()}`;
const result = { node: process.version, machine, load, quick: values.quick === true, rows, mappings };
console.log(tables(result));
if (values.json) writeFileSync(values.json, `${JSON.stringify(result, null, 1)}\n`);
const page = here("../../docs/performance.md");
const hasFailed = [...rows, ...mappings].some(({ failed }) => failed);
if (isWhole && !hasFailed) writeFileSync(page, pageWith(readFileSync(page, "utf8"), result));
if (hasFailed) process.exitCode = 1;
