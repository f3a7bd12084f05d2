// npm run bench:carrier: what it costs to keep and to restore a suspended memory, by its size; CPU time, medians.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileCarrier, processCarrier } from "../../dist/carrier/index.js";
import { createMemfd, HANDOVER, PhysicalMemory } from "../../dist/memory/index.js";

const ROUNDS = 5;
const MIB = 1024 * 1024;
const directory = mkdtempSync(join(tmpdir(), "kstate-bench-"));

function memoryOf(mebibytes) {
  const memory = PhysicalMemory.create(createMemfd(4 * mebibytes * MIB + 64 * MIB));
  const folio = memory.alloc(mebibytes * MIB, "full");
  folio.view(Float64Array).forEach((_, index, cells) => {
    cells[index] = index + 1;
  });
  const stream = memory.alloc(4096);
  memory.keepStream(HANDOVER, stream, 4096, 1, { state: "CLEAN" });
  return memory;
}

async function cpuMs(step) {
  const before = process.cpuUsage();
  const result = await step();
  const { user, system } = process.cpuUsage(before);
  return [result, (user + system) / 1000];
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

console.log("| carrier | folios, MiB | keep, ms | restore, ms |\n| --- | --- | --- | --- |");
for (const mebibytes of [16, 64, 256]) {
  const memory = memoryOf(mebibytes);
  const carriers = { process: processCarrier(), file: fileCarrier(join(directory, "state")) };
  for (const [name, carrier] of Object.entries(carriers)) {
    const keep = [];
    const restore = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      keep.push((await cpuMs(() => carrier.store(memory, { service: "bench", generation: round })))[1]);
      restore.push((await cpuMs(() => carrier.find().restore()))[1]);
    }
    console.log(`| ${name} | ${mebibytes} | ${median(keep).toFixed(0)} | ${median(restore).toFixed(0)} |`);
  }
}
rmSync(directory, { recursive: true, force: true });
