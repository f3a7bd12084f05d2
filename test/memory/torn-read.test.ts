import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createMemfd, duplicate, openDescriptor, PhysicalMemory } from "#src/memory/index.js";

const fixture = fileURLToPath(new URL("./fixtures/restless-writer.js", import.meta.url));
const READS = Number(process.env.KSTATE_TORN_READS ?? 20_000);
/** So many superblocks have to be met: on a busy machine the owner rests after all, and is waited for. */
const MOMENTS = 1000;
const MAX_READS = 5_000_000 + READS;

test("whoever does not own the memory finds a superblock, a table and streams of one moment, though the owner never rests", async () => {
  const backEnd = createMemfd(1024 * 1024);
  PhysicalMemory.create(backEnd);
  const writer = spawn(process.execPath, [fixture], {
    stdio: ["ignore", "pipe", "inherit", duplicate(backEnd.descriptor)],
  });
  try {
    await once(writer.stdout!, "data");
    const memory = PhysicalMemory.attach(openDescriptor(backEnd.descriptor));
    let [last, moments] = [0, 0];
    let reads = 0;
    for (; reads < READS || moments < MOMENTS; reads += 1) {
      assert.ok(reads < MAX_READS, `the owner changed it only ${moments} times`);
      const { superblock, table } = memory.snapshot();
      assert.ok(superblock.sequence >= last, `from ${last} back to ${superblock.sequence}`);
      if (superblock.sequence > last) moments += 1;
      last = superblock.sequence;
      const [stream] = table.streams;
      assert.equal(stream!.generation, superblock.generation);
      assert.equal(stream!.length, 8 + (stream!.generation % 16));
      assertOneRound(
        table.folios.map(({ owner }) => owner),
        stream!.generation,
      );
      memory.readStream("round", ({ bytes, generation }) => {
        const round = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);
        return () => assert.equal(round, generation);
      })!();
    }
    if (READS > 100_000) console.log(`${reads} reads of ${moments} moments, up to sequence ${last}`);
  } finally {
    writer.kill("SIGKILL");
    await once(writer, "close");
  }
});

/** What is preserved is of the stream's round, or of the next one, whose stream was not yet kept. */
function assertOneRound(owners: readonly string[], generation: number): void {
  assert.equal(new Set(owners).size <= 1, true, "owners of two rounds");
  const round = owners[0] === undefined ? undefined : Number.parseInt(owners[0], 10);
  if (round === undefined) return assert.ok(generation % 8 === 0 || generation % 8 === 7);
  assert.ok(round === generation || round === generation + 1, `${round} beside ${generation}`);
  assert.equal(owners.length, round % 8);
}
