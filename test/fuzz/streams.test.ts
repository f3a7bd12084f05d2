import assert from "node:assert/strict";
import { test } from "node:test";

type Fuzz = (options: { inputs: number; seed: number }) => Map<string, number>;

test("20,000 damaged streams are refused without a trace, or load to something that saves and loads again", async () => {
  const { href } = new URL("../../../fuzz/streams.mjs", import.meta.url);
  const { fuzz } = (await import(href)) as { fuzz: Fuzz };
  const outcomes = fuzz({ inputs: 20_000, seed: 1 });
  const count = (code: string) => outcomes.get(code) ?? 0;
  assert.equal(
    [...outcomes.values()].reduce((sum, each) => sum + each, 0),
    20_000,
  );
  for (const code of ["loaded", "STREAM_CORRUPT", "STREAM_TRUNCATED", "VALUE_INVALID", "LIMIT_EXCEEDED"]) {
    assert.ok(
      count(code) > 100,
      `${code} came ${count(code)} times; the damage no longer reaches deep enough`,
    );
  }
});
