import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { getHeapSpaceStatistics } from "node:v8";
import { nurseryEmptier } from "#src/live/nursery.js";

function nurseryBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")!.space_used_size;
}

test("the nursery is empty after it was emptied, and the program has no gc of its own from that", () => {
  const empty = nurseryEmptier();
  assert.equal("gc" in globalThis, false);
  const kept = Array.from({ length: 5000 }, (_, i) => ({ i, text: `object ${i}` }));
  const before = nurseryBytes();
  empty();
  const after = nurseryBytes();
  assert.ok(after < before / 4, `${before} bytes before, ${after} after`);
  assert.equal(kept[4999]?.text, "object 4999");
});

test("a program that was started with --expose-gc keeps it, in new contexts too", () => {
  const nursery = import.meta.resolve("#src/live/nursery.js");
  const program = `
    import { runInNewContext } from "node:vm";
    import { nurseryEmptier } from ${JSON.stringify(nursery)};
    nurseryEmptier()();
    console.log(typeof gc, runInNewContext("typeof gc"));`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--expose-gc", "--input-type=module", "--eval", program],
    { encoding: "utf8" },
  );
  assert.equal(stdout, "function function\n", stderr);
});
