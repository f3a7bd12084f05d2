import assert from "node:assert/strict";
import { describe, test } from "node:test";

type Fuzz = (options: { inputs: number; seed: number }) => Map<string, number>;

/** Each fuzzer, and outcomes that show that its damage still reaches deep enough. */
const fuzzers = {
  lines: ["refused", "update", "suspend", "serving", "ready", "listen", "image", "error"],
  locks: ["read", "STREAM_CORRUPT"],
  images: ["restored", "IMAGE_INVALID", "MEMORY_INVALID", "list", "no list"],
} as const;

describe("20,000 damaged inputs each are refused by a code, or mean something that can be used", () => {
  for (const [name, deep] of Object.entries(fuzzers)) {
    test(name, async () => {
      const { href } = new URL(`../../../fuzz/${name}.mjs`, import.meta.url);
      const { fuzz } = (await import(href)) as { fuzz: Fuzz };
      const outcomes = fuzz({ inputs: 20_000, seed: 1 });
      assert.equal(
        [...outcomes.values()].reduce((sum, each) => sum + each, 0),
        20_000,
      );
      for (const outcome of deep) {
        const count = outcomes.get(outcome) ?? 0;
        assert.ok(count > 50, `${outcome} came ${count} times; the damage no longer reaches deep enough`);
      }
    });
  }
});
