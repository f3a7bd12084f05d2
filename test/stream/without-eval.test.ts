import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { compiledModule } from "#src/stream/index.js";
import { project, writeFiles } from "../support/project.js";

const states = (listLimit: number) => `
import { defineState, list, ref, Registry, string, u8, u16, u32 } from "kstate";
const extra = defineState({ name: "extra", id: 2, fields: [["color", u8]] });
export const node = defineState({
  name: "node", id: 3, fields: [["id", u32], ["next", ref(() => node)]],
});
export const description = defineState({
  name: "d", id: 1, versionId: 2, subsections: [extra],
  fields: [
    ["n", u32], ["names", list(string({ max: 10 }), { max: ${listLimit} })], ["first", ref(node)], ["m", u16.since(2, 5)],
  ],
});
`;

const program = `
import { description, Registry } from "./states.js";
if (process.argv[2] === "import") await import("./kstate.compiled.mjs");
const first = { id: 1, next: null };
first.next = { id: 2, next: first };
const registry = new Registry({ codec: "compiled" });
registry.register(description, { n: 7, names: ["a", "bc"], first, m: 9, color: 3 });
const stream = registry.save();
const older = registry.save({ versionIds: { d: 1 } });
const state = {};
const reader = new Registry({ codec: "compiled" });
reader.register(description, state);
reader.load(stream);
const { n, names, m, color } = state;
console.log(JSON.stringify({
  state: { n, names, m, color, cycle: state.first.next.next === state.first },
  streams: [stream, older].map((bytes) => Buffer.from(bytes).toString("hex")),
  use: [registry.codecUse.compiledSaves, registry.codecUse.referenceSaves, reader.codecUse.compiledLoads, reader.codecUse.referenceLoads],
}));
`;

interface Result {
  readonly state: unknown;
  readonly streams: readonly string[];
  /** Compiled saves, reference saves, compiled loads, reference loads. */
  readonly use: readonly number[];
}

/** A project whose compiled module was made for lists of at most `compiledFor`. */
async function projectOf(
  t: TestContext,
  compiledFor: number,
): Promise<(...args: readonly string[]) => Result> {
  const directory = project(t, {
    "compiled-for.js": states(compiledFor),
    "states.js": `${states(10)}export { Registry };`,
    "program.js": program,
  });
  const { description } = (await import(pathToFileURL(join(directory, "compiled-for.js")).href)) as never;
  const made = compiledModule([description]);
  assert.deepEqual([made.units, made.left], [8, []], "save and load of d@2, d@1, d@0 and of extra");
  for (const shared of ["function roomForText(", "function checkText("])
    assert.equal(made.text.split(shared).length, 2, "what all units share stands there once");
  writeFiles(directory, { "kstate.compiled.mjs": made.text });
  return (...args) => {
    const flags = args.filter((arg) => arg.startsWith("--"));
    const rest = args.filter((arg) => !arg.startsWith("--"));
    const argv = [...flags, join(directory, "program.js"), ...rest];
    const { stdout, stderr, status } = spawnSync(process.execPath, argv, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout) as Result;
  };
}

const forbidden = "--disallow-code-generation-from-strings";

describe("where code from strings is forbidden", () => {
  test("the reference serves, with the same bytes and objects", async (t) => {
    const run = await projectOf(t, 10);
    const [reference, compiled] = [run(forbidden), run()];
    assert.deepEqual(reference.use, [0, 4, 0, 2]);
    assert.deepEqual(compiled.use, [4, 0, 2, 0]);
    assert.deepEqual(reference.streams, compiled.streams);
    assert.deepEqual(reference.state, { n: 7, names: ["a", "bc"], m: 9, color: 3, cycle: true });
    assert.deepEqual(compiled.state, reference.state);
  });

  test("a module that was generated beforehand serves by itself once it is imported", async (t) => {
    const run = await projectOf(t, 10);
    const [beforehand, reference] = [run(forbidden, "import"), run(forbidden)];
    assert.deepEqual(beforehand.use, [4, 0, 2, 0]);
    assert.deepEqual(beforehand.streams, reference.streams);
    assert.deepEqual(beforehand.state, reference.state);
  });

  test("a module of other descriptions is not used where they differ", async (t) => {
    const run = await projectOf(t, 11);
    const [stale, reference] = [run(forbidden, "import"), run(forbidden)];
    assert.deepEqual(stale.use, [2, 2, 1, 1], "only the subsection is still the same");
    assert.deepEqual(stale.streams, reference.streams);
    assert.deepEqual(stale.state, reference.state);
  });
});
