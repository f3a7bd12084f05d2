// npm run bench:memory -- [--quick] [--json FILE] [--only TEXT] [--entries COUNT]: each peer in a process of its own, CPU time. Compare within one run.
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values } = parseArgs({
  options: {
    quick: { type: "boolean" },
    json: { type: "string" },
    only: { type: "string", default: "" },
    entries: { type: "string" },
  },
});
const names = [
  "kstate FolioMap",
  "kstate FolioMap, getView",
  "Map",
  "Map, own copies",
  "Map and v8.serialize",
  "lmdb",
  "better-sqlite3",
];
const steps = ["set, new", "set, present", "get", "delete", "iterate"];
const counts = values.entries ? [Number(values.entries)] : values.quick ? [100_000] : [1_000_000, 10_000_000];
/** Buffers of v8.serialize take some 3 KB each: 10 M of them are more memory than most machines have. */
const isTooLarge = (name, count) => name === "Map and v8.serialize" && count > 2_000_000;
const sizes = values.quick ? [64, 1024] : [64, 1024, 10_240];

if (!existsSync(here("../../dist/index.js"))) throw new Error("npm run build first");
if (!existsSync(here("node_modules/lmdb"))) {
  spawnSync("npm", ["install", "--no-save", "--no-audit", "--no-fund"], { cwd: here("."), stdio: "inherit" });
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

const rows = [];
for (const count of counts) {
  console.log(`\n${count} entries of 100 bytes: ns of CPU time an operation, bytes an entry`);
  console.log(`${"".padEnd(26)}${[...steps, "bytes"].map((step) => step.padStart(14)).join("")}`);
  for (const name of names.filter((text) => text.includes(values.only) && !isTooLarge(text, count))) {
    const row = { name, count, ...run("cell.mjs", name, count, values.quick ? 3 : count > 1e6 ? 3 : 5) };
    rows.push(row);
    const cells = [...steps, "bytes"].map((step) => (row[step]?.toFixed(0) ?? "–").padStart(14));
    console.log(`${name.padEnd(26)}${row.failed ?? cells.join("")}`);
  }
}

console.log("\nfinding a map by its size, in ms: attach to the memory, own it and open the map, first get");
const mappings = values.only ? [] : sizes.map((mib) => ({ mib, ...run("mapping.mjs", mib, 9) }));
for (const { mib, attach, open, get, all, failed } of mappings) {
  const text = failed ?? [attach, open, get, all].map((ms) => ms.toFixed(2).padStart(9)).join("");
  console.log(`${`${mib} MiB`.padEnd(26)}${text}`);
}
const machine = `${cpus().length} × ${cpus()[0].model}, Linux ${release()}`;
const result = { node: process.version, machine, quick: values.quick === true, rows, mappings };
if (values.json) writeFileSync(values.json, `${JSON.stringify(result, null, 1)}\n`);
if ([...rows, ...mappings].some(({ failed }) => failed)) process.exitCode = 1;
