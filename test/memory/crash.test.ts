import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { isKstateError } from "#src/error/index.js";
import { HANDOVER, openFile, PhysicalMemory } from "#src/memory/index.js";

const directory = mkdtempSync(join(tmpdir(), "kstate-crash-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const fixture = fileURLToPath(new URL("./fixtures/crash.js", import.meta.url));

/** Runs the fixture until it kills itself at a step; 0 lets it finish. */
function crash(path: string, step: number): string[] {
  const { stdout, signal } = spawnSync(process.execPath, [fixture, path, String(step)], { encoding: "utf8" });
  assert.equal(signal, step === 0 ? null : "SIGKILL");
  return stdout.split("\n").filter(Boolean);
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

test("a kill at any step leaves what was finished, or what was begun whole, and never a stale hand-over", () => {
  const steps = Number(crash(join(directory, "whole"), 0).at(-1)?.split(" ")[1]);
  assert.ok(steps > 20, `only ${steps} steps`);
  for (let step = 1; step <= steps; step += 1) {
    const path = join(directory, `step-${step}`);
    const last = crash(path, step).at(-1);
    if (last === undefined) {
      // Killed before there was any memory, or just when there was: empty, or not ours yet.
      try {
        assert.equal(contents(path).folios, 0);
      } catch (error) {
        assert.ok(isKstateError(error, "MEMORY_INVALID"), String(error));
      }
      continue;
    }
    const { checkpoint, state, handover, folios, sevens } = contents(path);
    const found = outcome(state, checkpoint, folios);
    assert.ok(expected[last]?.includes(found), `step ${step}, after "${last}": found ${found}`);
    assert.equal(handover, state === "PENDING", `step ${step}: a stale stream`);
    assert.ok(sevens, `step ${step}: a preserved folio has changed`);
  }
});
