import assert from "node:assert/strict";
import { test } from "node:test";

type FuzzMemory = (options: { inputs: number; seed: number }) => Map<string, number>;

test("20,000 damaged memories are refused by the name of the collection, or work; every step ends, and no other folio is touched", async () => {
  const { href } = new URL("../../../fuzz/memory.mjs", import.meta.url);
  const { fuzzMemory } = (await import(href)) as { fuzzMemory: FuzzMemory };
  const outcomes = fuzzMemory({ inputs: 20_000, seed: 1 });
  assert.equal(
    [...outcomes.values()].reduce((sum, each) => sum + each, 0),
    20_000,
  );
  for (const code of ["worked", "MEMORY_INVALID", "COLLECTION_MISMATCH"]) {
    const count = outcomes.get(code) ?? 0;
    assert.ok(count > 100, `${code} came ${count} times; the damage no longer reaches deep enough`);
  }
});
