import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { isKstateError } from "#src/error/index.js";
import { HANDOVER, openFile, PAGE_SIZE, PhysicalMemory } from "#src/memory/index.js";

const directory = mkdtempSync(join(tmpdir(), "kstate-crash-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const fixture = fileURLToPath(new URL("./fixtures/crash.js", import.meta.url));

/** Runs the fixture until it kills itself at a step; 0 lets it finish. */
async function crash(path: string, step: number): Promise<string[]> {
  const child = spawn(process.execPath, [fixture, path, String(step)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output, [, signal]] = await Promise.all([text(child.stdout), once(child, "close")]);
  assert.equal(signal, step === 0 ? null : "SIGKILL");
  return output.split("\n").filter(Boolean);
}

/** What memory holds, in words. */
function contents(path: string): {
  checkpoint: string;
  state: string;
  handover: boolean;
  folios: number;
  sevens: boolean;
} {
  const memory = PhysicalMemory.attach(openFile(path, 0, { persist: false }));
  const { folios } = memory.preserved();
  const sevens = folios.every(({ address }) =>
    memory
      .claim(address)
      .bytes.subarray(0, 10_000)
      .every((byte) => byte === 7),
  );
  const found = {
    checkpoint: Buffer.from(memory.stream("checkpoint")?.bytes ?? []).toString(),
    state: memory.superblock().state,
    handover: memory.stream(HANDOVER) !== undefined,
    folios: folios.length,
    sevens,
  };
  memory.own(); // nothing is preserved twice
  for (let left = memory.freeBytes; left > 0; left -= PAGE_SIZE)
    assert.ok(
      memory.alloc(PAGE_SIZE).bytes.every((byte) => byte === 0),
      "a free page was not empty",
    );
  return found;
}

/** What may be found after the last thing that was finished, or after the one that had been begun. */
const outcome = (state: string, checkpoint: string, folios: number) => `${state} ${checkpoint} ${folios}`;
const expected: Record<string, string[]> = {
  created: [outcome("RUNNING", "", 0), outcome("RUNNING", "one", 0)],
  "checkpoint=one RUNNING": [outcome("RUNNING", "one", 0), outcome("RUNNING", "two", 0)],
  "checkpoint=two RUNNING": [outcome("RUNNING", "two", 0), outcome("RUNNING", "two", 1)],
  preserved: [outcome("RUNNING", "two", 1), outcome("PENDING", "two", 1)],
  "handover=frozen PENDING": [outcome("PENDING", "two", 1), outcome("RUNNING", "two", 1)],
  settled: [outcome("RUNNING", "two", 1), outcome("RUNNING", "", 1)],
  dropped: [outcome("RUNNING", "", 1), outcome("RUNNING", "", 0)],
  freed: [outcome("RUNNING", "", 0)],
};

/** Kills a program at a step, and looks at what it has left. */
async function check(step: number): Promise<void> {
  const path = join(directory, `step-${step}`);
  const last = (await crash(path, step)).at(-1);
  if (last === undefined) {
    // Killed before there was any memory, or just when there was: empty, or not ours yet.
    try {
      assert.equal(contents(path).folios, 0);
    } catch (error) {
      assert.ok(isKstateError(error, "MEMORY_INVALID"), String(error));
    }
    return;
  }
  const { checkpoint, state, handover, folios, sevens } = contents(path);
  const found = outcome(state, checkpoint, folios);
  assert.ok(expected[last]?.includes(found), `step ${step}, after "${last}": found ${found}`);
  assert.equal(handover, state === "PENDING", `step ${step}: a stale stream`);
  assert.ok(sevens, `step ${step}: a preserved folio has changed`);
}

test("a kill at any store and any call leaves what was finished, or what was begun whole, and never a stale hand-over", async () => {
  const steps = Number((await crash(join(directory, "whole"), 0)).at(-1)?.split(" ")[1]);
  assert.ok(steps > 100, `only ${steps} steps`);
  let step = 0;
  const lane = async (): Promise<void> => {
    while (step < steps) {
      step += 1;
      await check(step);
    }
  };
  await Promise.all([lane(), lane(), lane()]);
});
