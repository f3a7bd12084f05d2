import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { mapFile } from "#src/memory/ffi/libc.js";
import { createMemfd, openDescriptor, PhysicalMemory } from "#src/memory/index.js";
import {
  type Both,
  Model,
  OPERATIONS_WORD,
  openBoth,
  operationAt,
} from "./fixtures/collection-operations.js";

/** Writers that are killed; set KSTATE_KILLS for more. */
const KILLS = Number(process.env.KSTATE_KILLS ?? 200);
const KILLS_PER_MEMORY = 20;
const PARALLEL = 2;
const fixture = fileURLToPath(new URL("./fixtures/collection-writer.js", import.meta.url));

/** Whether the collections hold what the model does. */
function difference({ map, array }: Both, model: Model): string | undefined {
  if (map.size !== model.map.size) return `${map.size} entries instead of ${model.map.size}`;
  if (array.length !== model.array.length) return `${array.length} rows instead of ${model.array.length}`;
  for (const [key, value] of model.map) {
    const found = map.get(key);
    if (found === undefined || Buffer.compare(found, value) !== 0) return `another value of ${key}`;
  }
  let met = 0;
  for (const key of map.keys()) {
    if (!model.map.has(key)) return `${key} was deleted`;
    met += 1;
  }
  if (met < model.map.size) return `${met} keys met`;
  for (const [index, row] of model.array.entries()) {
    const found = array.get(index);
    if (found.id !== row.id || found.x !== row.x || found.twin !== row.twin || found.label !== row.label) {
      return `another row at ${index}: ${JSON.stringify(found)} instead of ${JSON.stringify(row)}`;
    }
  }
  return undefined;
}

/** Kills a writer when it says that it is at work, wherever it is by then. */
async function killed(writer: ChildProcess): Promise<void> {
  const ended = once(writer, "exit");
  await Promise.race([once(writer.stdout!, "data"), ended]);
  writer.kill("SIGKILL");
  assert.deepEqual(await ended, [null, "SIGKILL"], "the writer failed by itself");
}

/** One memory, with writers that are killed one after the other. */
async function lineage(seed: number, kills: number): Promise<void> {
  const backEnd = createMemfd(32 * 1024 * 1024);
  const progress = createMemfd(4096);
  openBoth(PhysicalMemory.create(backEnd));
  const words = new Int32Array(mapFile(progress.descriptor, 0, 4096, true).buffer);
  const model = new Model();
  let done = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    const target = done + ((seed * 31 + kill * 977) % 2000);
    const writer = spawn(process.execPath, [fixture, String(seed), String(done), String(target)], {
      stdio: ["ignore", "pipe", "inherit", backEnd.descriptor, progress.descriptor],
    });
    await killed(writer);
    for (const finished = Atomics.load(words, OPERATIONS_WORD); done < finished; done += 1)
      model.operate(operationAt(seed, done));
    const memory = PhysicalMemory.attach(openDescriptor(backEnd.descriptor));
    memory.own();
    const both = openBoth(memory);
    // The operation under way is there or not, and everything before it is.
    const without = difference(both, model);
    if (without === undefined) continue;
    model.operate(operationAt(seed, done));
    done += 1;
    const withIt = difference(both, model);
    assert.equal(withIt, undefined, `seed ${seed}, kill ${kill}: without it ${without}`);
  }
  assert.ok(done > kills, `only ${done} operations`);
}

test(`collections of ${KILLS} writers that are killed hold every finished operation, and the last one whole or not at all`, async () => {
  const seeds = Array.from({ length: Math.ceil(KILLS / KILLS_PER_MEMORY) }, (_, i) => i + 1);
  const lane = async (): Promise<void> => {
    for (let seed = seeds.pop(); seed !== undefined; seed = seeds.pop())
      await lineage(seed, KILLS_PER_MEMORY);
  };
  await Promise.all(Array.from({ length: PARALLEL }, lane));
});
