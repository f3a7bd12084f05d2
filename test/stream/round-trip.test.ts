import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Description, Registry } from "kstate";
import { cases, describedBy, normal } from "./any-description.ts";

function registryOf(description: Description, state: object): Registry {
  const registry = new Registry();
  registry.register(description, state as never);
  return registry;
}

describe("any value of any description", () => {
  test("comes back from a stream as it was, into nothing and into any other value", () => {
    fc.assert(
      fc.property(cases, ([fields, value, other]) => {
        const description = describedBy(fields, 1);
        const stream = registryOf(description, value).save();
        for (const into of [{}, other]) {
          const registry = registryOf(description, into);
          registry.load(stream);
          assert.deepStrictEqual(normal(into), normal(value));
          assert.deepEqual(registry.save(), stream, "and saves to the same bytes");
        }
      }),
      { numRuns: 400, seed: 20250902 },
    );
  });

  test("cut anywhere, it is refused and the object is as it was", () => {
    fc.assert(
      fc.property(cases, fc.nat(), ([fields, value, other], at) => {
        const description = describedBy(fields, 1);
        const stream = registryOf(description, value).save();
        const before = normal(structuredClone(other));
        assert.throws(() => registryOf(description, other).load(stream.slice(0, at % stream.length)));
        assert.deepStrictEqual(normal(other), before);
      }),
      { numRuns: 200, seed: 20250902 },
    );
  });
});
