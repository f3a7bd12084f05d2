import assert from "node:assert/strict";
import { test } from "node:test";
import { WireIds } from "#src/registry/wire-ids.js";

test("keys that somebody has chosen to collide take as many steps as others", () => {
  const taken = new Set<number>();
  let steps = 0;
  const isTaken = (wireId: number): boolean => {
    steps += 1;
    return taken.has(wireId);
  };
  const count = 5000;
  for (const crc32 of [() => 7, (bytes: Uint8Array) => bytes.length]) {
    taken.clear();
    steps = 0;
    const ids = new WireIds(crc32);
    for (let index = 0; index < count; index += 1) taken.add(ids.idOf("x".repeat(index % 70), isTaken));
    assert.equal(taken.size, count, "every key has its own");
    assert.ok(steps <= 2 * count + 70, `${steps} steps for ${count} keys`);
  }
});

test("an id is the first free one from the key's own, beyond the largest number, and again when it is free again", () => {
  const taken = new Set([2 ** 31 - 1, -(2 ** 31)]);
  const ids = new WireIds(() => 2 ** 31 - 1);
  const isTaken = (wireId: number) => taken.has(wireId);
  assert.equal(ids.idOf("a", isTaken), -(2 ** 31) + 1);
  taken.delete(2 ** 31 - 1);
  ids.forget();
  assert.equal(ids.idOf("a", isTaken), 2 ** 31 - 1);
});
