// What finding a map costs by its size: node mapping.mjs MIB makes one, and starts a program that takes it over and gets an entry.
import { spawnSync } from "node:child_process";
import { PerformanceObserver } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { blob, u32 } from "../../dist/index.js";
import { createMemfd, openDescriptor, openMap, PhysicalMemory } from "../../dist/memory/index.js";

const MIB = 2 ** 20;
const options = { key: u32, value: blob({ max: MIB }) };

async function takeOver() {
  const collections = [];
  new PerformanceObserver((list) => collections.push(...list.getEntries())).observe({ entryTypes: ["gc"] });
  createMemfd(4096).close(); // koffi is loaded and its functions are there
  const start = performance.now();
  const memory = PhysicalMemory.attach(openDescriptor(Number(process.env.KSTATE_BENCH_FD)));
  const attached = performance.now();
  memory.own();
  const map = openMap(memory, "bench", options);
  const opened = performance.now();
  if (map.get(5)?.length !== 64 * 1024) throw new Error("the entry is not there");
  const got = performance.now();
  await delay(10); // the observer is told afterwards
  const gc = collections
    .filter(({ startTime }) => startTime >= start && startTime < got)
    .reduce((sum, { duration }) => sum + duration, 0);
  return { attach: attached - start, open: opened - attached, get: got - opened, all: got - start, gc };
}

function make(mib, rounds) {
  const backEnd = createMemfd(mib * MIB + 256 * MIB);
  const map = openMap(PhysicalMemory.create(backEnd), "bench", options);
  const value = new Uint8Array(64 * 1024).fill(1);
  for (let key = 0; key < mib * 14; key += 1) map.set(key, value);
  const runs = Array.from({ length: rounds }, () => {
    const { stdout } = spawnSync(process.execPath, [fileURLToPath(import.meta.url)], {
      stdio: ["ignore", "pipe", "inherit", backEnd.descriptor],
      env: { ...process.env, KSTATE_BENCH_FD: "3" },
      encoding: "utf8",
    });
    return JSON.parse(stdout);
  });
  const median = (step) => runs.map((run) => run[step]).toSorted((a, b) => a - b)[Math.floor(rounds / 2)];
  return {
    mib,
    attach: median("attach"),
    open: median("open"),
    get: median("get"),
    all: median("all"),
    gc: median("gc"),
  };
}

const [mib, rounds] = process.argv.slice(2);
const result = mib === undefined ? await takeOver() : make(Number(mib), Number(rounds));
process.stdout.write(`${JSON.stringify(result)}\n`);
