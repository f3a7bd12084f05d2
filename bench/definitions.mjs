// Why fields are pairs: definitions written as an object literal with the user's own keys share V8's hidden class with
// the user's records, and every double stored in those allocates. `node bench/definitions.mjs`, after a build.
//
// Each row runs in a process of its own: stores doubles into 200,000 existing records, as a load into existing objects
// does, after a definition of that style was made.
import { spawnSync } from "node:child_process";
import { argv, execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { defineState, f64 } from "kstate";

const count = 200_000;

const styles = {
  "no definition": () => {},
  "pairs (defineState)": () =>
    defineState({
      name: "d",
      id: 1,
      fields: [
        ["x", f64],
        ["y", f64],
        ["vx", f64],
        ["vy", f64],
      ],
    }),
  "object literal": () => ({
    x: { kind: "f64" },
    y: { kind: "f64" },
    vx: { kind: "f64" },
    vy: { kind: "f64" },
  }),
};

function makeRecords() {
  return Array.from({ length: count }, (_, i) => ({ x: i + 0.5, y: i + 0.25, vx: 0.125, vy: 0.5 }));
}

function store(records, value) {
  for (const record of records) {
    record.x = value;
    record.y = value + 0.5;
    record.vx = value + 0.25;
    record.vy = value + 0.125;
  }
}

function measure(style) {
  globalThis.kept = styles[style]();
  const records = makeRecords();
  const times = [];
  for (let run = 0; run < 15; run++) {
    const start = performance.now();
    store(records, run + 0.3);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[7];
}

if (argv[2] !== undefined) console.log(measure(argv[2]).toFixed(2));
else {
  console.log(`${count} records, four doubles each, median of 15 runs`);
  for (const style of Object.keys(styles)) {
    const { stdout } = spawnSync(execPath, [fileURLToPath(import.meta.url), style], { encoding: "utf8" });
    console.log(`${style.padEnd(24)} ${stdout.trim().padStart(8)} ms`);
  }
}
