// In the guest: what LUO itself takes, and a carrier on it, by the size of what is kept. Step 1 keeps and kexecs, step 2 restores.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { kexecSystem, luoCarrier, luoSystem } from "/app/dist/carrier/index.js";
import { createMemfd, HANDOVER, PhysicalMemory } from "/app/dist/memory/index.js";
import { say } from "./state.mjs";

const MIB = 1024 * 1024;
const commandLine = readFileSync("/proc/cmdline", "utf8").trim();
const sizes = /bench\.sizes=([\d,]+)/.exec(commandLine)[1].split(",").map(Number);
const rounds = Number(/bench\.rounds=(\d+)/.exec(commandLine)[1]);

/** The orchestrator, with the time that each request takes. */
const times = {};
const timed =
  (name) =>
  (...args) => {
    const startedAt = performance.now();
    const result = luoSystem[name](...args);
    times[name] = performance.now() - startedAt;
    return result;
  };
const system = {
  ...luoSystem,
  preserve: timed("preserve"),
  retrieve: timed("retrieve"),
  finish: timed("finish"),
};

function memoryOf(mebibytes) {
  const backEnd = createMemfd(2 * mebibytes * MIB + 64 * MIB);
  const memory = PhysicalMemory.create(backEnd);
  const cells = memory.alloc(mebibytes * MIB, "full").view(Float64Array);
  for (let index = 0; index < cells.length; index += 1) cells[index] = index + 1;
  memory.keepStream(HANDOVER, memory.alloc(4096), 4096, 1, { state: "CLEAN" });
  return { memory, free: () => backEnd.release(0, backEnd.capacity) };
}

const ms = async (step) => {
  const startedAt = performance.now();
  const result = await step();
  return [result, performance.now() - startedAt];
};

async function keep(mebibytes) {
  const { memory, free } = memoryOf(mebibytes);
  const carrier = luoCarrier(`bench-${mebibytes}`, system);
  for (let round = 1; round <= rounds; round += 1) {
    const [stored, storeMs] = await ms(() => carrier.store(memory, { service: "bench", generation: round }));
    say({ mebibytes, storeMs, preserveMs: times.preserve });
    if (round < rounds) stored.discard();
  }
  free();
}

async function restore(mebibytes) {
  const [waiting, findMs] = await ms(async () => luoCarrier(`bench-${mebibytes}`, system).find());
  const [memory, restoreMs] = await ms(async () => waiting.restore());
  const cells = memory.preserved().folios.find(({ owner }) => owner === "full");
  const bytes = memory.bytesAt(cells.address, mebibytes * MIB);
  const whole = new Float64Array(bytes.buffer, bytes.byteOffset, (mebibytes * MIB) / 8);
  let isWhole = true;
  for (let index = 0; index < whole.length; index += 1) isWhole &&= whole[index] === index + 1;
  waiting.finish();
  say({ mebibytes, findMs, retrieveMs: times.retrieve, restoreMs, finishMs: times.finish, isWhole });
}

if (/bench\.step=1/.test(commandLine)) {
  for (const size of sizes) await keep(size);
  kexecSystem.load({
    kernel: "/boot/kernel",
    initrd: null,
    commandLine: commandLine.replace("bench.step=1", "bench.step=2"),
  });
  kexecSystem.reboot();
} else {
  for (const size of sizes) await restore(size);
  say({ done: true });
  spawnSync("reboot", ["-f"]);
}
