// npm run bench:memory -- [--quick] [--json FILE [--page]] [--only NAME] [--entries COUNT]: each peer in a process of its own, CPU time. Compare within one run.
// A run without --quick, --only and --entries takes some 12 minutes and 12 GiB, and writes its tables into docs/performance.md. It can be made in
// pieces: `--json FILE` puts what was measured into the file, in the place of the same peer's rows, and `--page` writes the page from it.
// `--only` is a peer or `mappings`.
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
    page: { type: "boolean" },
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
const counts =
  values.only === "mappings"
    ? []
    : values.entries
      ? [Number(values.entries)]
      : values.quick
        ? [100_000]
        : [1_000_000, 10_000_000];
/** Buffers of v8.serialize take some 3 KB each: 10 M of them are more memory than most machines have. */
const isTooLarge = (name, count) => name === "Map and v8.serialize" && count > 2_000_000;
/** A round of 10 M takes minutes in a database: there, operations are measured on a tenth of the entries, once. */
const isDatabase = (name) => /lmdb|sqlite/.test(name);
const roundsOf = (name, count) => (count <= 1e6 ? 3 : isDatabase(name) ? 1 : 2);
const lookedUp = (name, count) => (count > 1e6 && isDatabase(name) ? 1e6 : count);
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

/** What was measured before, and now; in the order of a whole run. */
function merged(before, now) {
  const rank = ({ name, count }) => count * names.length + names.indexOf(name);
  const isNew = ({ name, count }) => !now.rows.some((row) => row.name === name && row.count === count);
  const all = [...before.rows.filter(isNew), ...now.rows].sort((a, b) => rank(a) - rank(b));
  const load = [before.load, now.load].sort((a, b) => b - a)[0];
  return { ...now, load, rows: all, mappings: now.mappings.length > 0 ? now.mappings : before.mappings };
}

const [load] = loadavg().map((value) => value.toFixed(1));
const rows = [];
for (const count of counts) {
  const wanted = (name) => values.only === "" || name === values.only;
  for (const name of names.filter((text) => wanted(text) && !isTooLarge(text, count))) {
    const [rounds, operations] = [roundsOf(name, count), lookedUp(name, count)];
    rows.push({ name, count, rounds, operations, ...run("cell.mjs", name, count, rounds, operations) });
    console.error(`${count} entries, ${name}: ${rows.at(-1).failed ?? "measured"}`);
  }
}
const isMapped = values.only === "" || values.only === "mappings";
const mappings = !isMapped ? [] : sizes.map((mib) => ({ mib, ...run("mapping.mjs", mib, 9) }));
const machine = `${cpus().length} × ${cpus()[0].model}, Linux ${release()}`;
const made = { node: process.version, machine, load, quick: values.quick === true, rows, mappings };
const result =
  values.json && existsSync(values.json) ? merged(JSON.parse(readFileSync(values.json, "utf8")), made) : made;
console.log(tables(result));
if (values.json) writeFileSync(values.json, `${JSON.stringify(result, null, 1)}\n`);
const page = here("../../docs/performance.md");
const hasFailed = [...result.rows, ...result.mappings].some(({ failed }) => failed);
if ((isWhole || values.page) && !hasFailed) writeFileSync(page, pageWith(readFileSync(page, "utf8"), result));
if (hasFailed) process.exitCode = 1;
