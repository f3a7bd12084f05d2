import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { mapFile, viewMemory } from "#src/memory/ffi/libc.js";
import { createMemfd, openDescriptor, PhysicalMemory } from "#src/memory/index.js";
import { OPERATIONS_WORD } from "./fixtures/kill-operations.js";
import { killSubjects } from "./fixtures/kill-subjects.js";

/** Writers that are killed, of each subject; set KSTATE_KILLS for more. */
const KILLS = Number(process.env.KSTATE_KILLS ?? 40);
const KILLS_PER_MEMORY = 20;
const PARALLEL = 2;
const fixture = fileURLToPath(new URL("./fixtures/collection-writer.js", import.meta.url));

/** Kills a writer when it says that it is at work, wherever it is by then. */
async function killed(writer: ChildProcess): Promise<void> {
  const ended = once(writer, "exit");
  await Promise.race([once(writer.stdout!, "data"), ended]);
  writer.kill("SIGKILL");
  assert.deepEqual(await ended, [null, "SIGKILL"], "the writer failed by itself");
}

/** One memory, with writers that are killed one after the other. */
async function lineage(name: string, seed: number, kills: number): Promise<void> {
  const subject = killSubjects[name]!;
  const backEnd = createMemfd(subject.capacityMib * 1024 * 1024);
  const progress = createMemfd(4096);
  subject.open(PhysicalMemory.create(backEnd), 0);
  const words = new Int32Array(viewMemory(mapFile(progress.descriptor, 0, 4096, true), 4096));
  const model = subject.model();
  let done = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    const target = done + ((seed * 31 + kill * 977) % 2000);
    const writer = spawn(process.execPath, [fixture, name, ...[seed, kill, done, target].map(String)], {
      stdio: ["ignore", "pipe", "inherit", backEnd.descriptor, progress.descriptor],
    });
    await killed(writer);
    for (const finished = Atomics.load(words, OPERATIONS_WORD); done < finished; done += 1)
      model.operate(seed, done);
    const memory = PhysicalMemory.attach(openDescriptor(backEnd.descriptor));
    memory.own();
    const opened = subject.open(memory, kill);
    // The operation under way is there or not, and everything before it is.
    const without = model.difference(opened);
    if (without === undefined) continue;
    model.operate(seed, done);
    done += 1;
    const withIt = model.difference(opened);
    assert.equal(withIt, undefined, `seed ${seed}, kill ${kill}: without it ${without}`);
  }
  assert.ok(done > kills, `only ${done} operations`);
  backEnd.close();
  progress.close();
}

for (const name of Object.keys(killSubjects)) {
  test(`${name}, of ${KILLS} writers that are killed: every finished operation is there, and the last one whole or not at all`, async () => {
    const seeds = Array.from({ length: Math.ceil(KILLS / KILLS_PER_MEMORY) }, (_, i) => i + 1);
    const lane = async (): Promise<void> => {
      for (let seed = seeds.pop(); seed !== undefined; seed = seeds.pop())
        await lineage(name, seed, KILLS_PER_MEMORY);
    };
    await Promise.all(Array.from({ length: PARALLEL }, lane));
  });
}
