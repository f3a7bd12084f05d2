import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";

const program = `
import { defineState, list, Registry, string, u32 } from "kstate";
const description = defineState({
  name: "d", id: 1, fields: [["n", u32], ["names", list(string({ max: 10 }), { max: 10 })]],
});
const registry = new Registry({ codec: process.argv[1] });
registry.register(description, { n: 7, names: ["a", "bc"] });
const stream = registry.save();
const state = {};
const reader = new Registry({ codec: process.argv[1] });
reader.register(description, state);
reader.load(stream);
console.log(JSON.stringify({
  state, stream: Buffer.from(stream).toString("hex"), saved: registry.codecUse, loaded: reader.codecUse,
}));
`;

interface Result {
  readonly state: unknown;
  readonly stream: string;
  readonly saved: { readonly compiledSaves: number; readonly referenceSaves: number };
  readonly loaded: { readonly compiledLoads: number; readonly referenceLoads: number };
}

function resultOf(...flags: readonly string[]): Result {
  const args = [...flags, "--input-type=module", "--eval", program, "compiled"];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Result;
}

describe("where code from strings is forbidden", () => {
  test("the reference serves, with the same bytes and objects", () => {
    const forbidden = resultOf("--disallow-code-generation-from-strings");
    const allowed = resultOf();
    assert.deepEqual(forbidden.saved, {
      compiledSaves: 0,
      referenceSaves: 1,
      compiledLoads: 0,
      referenceLoads: 0,
    });
    assert.deepEqual(forbidden.loaded, {
      compiledSaves: 0,
      referenceSaves: 0,
      compiledLoads: 0,
      referenceLoads: 1,
    });
    assert.equal(allowed.saved.compiledSaves, 1);
    assert.equal(allowed.loaded.compiledLoads, 1);
    assert.equal(forbidden.stream, allowed.stream);
    assert.deepEqual(forbidden.state, { n: 7, names: ["a", "bc"] });
    assert.deepEqual(allowed.state, forbidden.state);
  });
});
