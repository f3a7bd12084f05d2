// (f) What descriptions cost: to define them, and to save and load one object of each.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { bool, defineState, f64, list, Registry, string, u16, u32 } from "../../dist/index.js";

const kinds = [u32, f64, string({ max: 100 }), u16, bool, list(u32, { max: 10 })];
const values = [7, 1.5, "text", 9, true, [1, 2]];

/** Times of one process: node start-up.mjs COUNT CODEC. */
function measure(count, codec) {
  const steps = {};
  const time = (step, call) => {
    const start = process.cpuUsage();
    const result = call();
    const { user, system } = process.cpuUsage(start);
    steps[step] = (user + system) / 1000;
    return result;
  };
  const descriptions = time("define", () =>
    Array.from({ length: count }, (_, i) =>
      defineState({
        name: `d${i}`,
        id: i,
        fields: Array.from({ length: 1 + (i % 30) }, (_, j) => [`f${j}`, kinds[(i + j) % kinds.length]]),
      }),
    ),
  );
  const registry = new Registry({ codec });
  time("register", () => {
    descriptions.forEach((description, i) => {
      const state = {};
      description.fields.forEach(({ name }, j) => {
        state[name] = values[(i + j) % kinds.length];
      });
      registry.register(description, state);
    });
  });
  const stream = time("first save", () => registry.save({ dataChecksum: false }));
  time("second save", () => registry.save({ dataChecksum: false }));
  time("load", () => registry.load(stream));
  return steps;
}

export function startUpRows(count) {
  return ["auto", "compiled", "reference"].map((codec) => {
    const args = [fileURLToPath(import.meta.url), String(count), codec];
    const { stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
    return { codec, count, ...JSON.parse(stdout) };
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(measure(Number(process.argv[2]), process.argv[3])));
}
