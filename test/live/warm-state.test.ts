import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Description, defineState, list, Registry, string, u32 } from "kstate";
import { sampleOf, warmLoad, warmSave } from "#src/live/warm-state.js";

const hooks = { calls: 0 };
const fields = [
  ["count", u32],
  ["names", list(string({ max: 100 }), { max: 100_000 })],
] as const;
const plain = defineState({ name: "plain", id: 1, fields });
const hooked = defineState({
  name: "hooked",
  id: 1,
  fields,
  preSave: () => {
    hooks.calls += 1;
  },
});

function registryOf(description: Description, names: number): Registry {
  const registry = new Registry();
  registry.register(description, {
    count: names,
    names: Array.from({ length: names }, (_, i) => `name ${i}`),
  });
  return registry;
}

/** What warming up the save gives, and how many trials it made. */
async function warmed(registry: Registry): Promise<{ length: number | undefined; trials: number }> {
  let trials = 0;
  const length = await warmSave(registry, {}, (trial) => {
    trials += 1;
    return trial();
  });
  return { length, trials };
}

describe("warming up a save", () => {
  test("comes to the end of a small state, often enough to compile it", async () => {
    const registry = registryOf(plain, 100);
    const { length, trials } = await warmed(registry);
    assert.equal(length, registry.save({ dataChecksum: false }).length);
    assert.ok(trials >= 5, `${trials} trials`);
  });

  test("gives up on a state that is too long, and says so", async () => {
    const { length } = await warmed(registryOf(plain, 100_000));
    assert.equal(length, undefined);
  });

  test("calls hooks once", async () => {
    hooks.calls = 0;
    const { trials } = await warmed(registryOf(hooked, 10));
    assert.deepEqual([trials, hooks.calls], [1, 1]);
  });

  test("leaves what stands in the way for the freeze to find", async () => {
    const registry = new Registry();
    registry.register(plain, { count: -1, names: [] });
    assert.equal((await warmed(registry)).length, undefined);
  });
});

describe("warming up a load", () => {
  test("loads a sample by generated code, and changes nothing", () => {
    const sample = sampleOf(registryOf(plain, 5000), {})!;
    const registry = new Registry();
    const state = { count: 1, names: ["mine"] };
    registry.register(plain, state);
    warmLoad(registry, sample);
    assert.deepEqual(state, { count: 1, names: ["mine"] });
    assert.ok(registry.codecUse.compiledLoads > 1, `${registry.codecUse.compiledLoads} loads`);
  });

  test("passes over a sample that cannot be loaded", () => {
    const registry = registryOf(plain, 1);
    warmLoad(registry, Uint8Array.of(1, 2, 3));
  });
});
