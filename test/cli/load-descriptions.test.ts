import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { isKstateError } from "kstate";
import { loadDescriptions } from "#src/cli/load-descriptions.js";
import { project } from "../support/project.js";

const two = `import { defineState, u8 } from "kstate";
export const room = defineState({ name: "room", id: 1, fields: [["a", u8]] });
export const states = { list: [defineState({ name: "player", id: 2, fields: [["b", u8]] }), room] };
export const other = { name: "no description", id: 3 };
`;

test("exported descriptions are found, also in arrays and objects, each once", async (t) => {
  const directory = project(t, { "states.js": two });
  const found = await loadDescriptions(join(directory, "states.js"));
  assert.deepEqual(
    found.map(({ name }) => name),
    ["room", "player"],
  );
});

test("what a program registers while it is imported is found, by register and by registerAll", async (t) => {
  const directory = project(t, {
    "app.js": `import { defineState, Registry, u8 } from "kstate";
const registry = new Registry();
registry.register(defineState({ name: "one", id: 1, fields: [["a", u8]] }), { a: 1 });
registry.registerAll(defineState({ name: "many", id: 2, fields: [["a", u8]] }), new Map());
`,
  });
  const found = await loadDescriptions(join(directory, "app.js"));
  assert.deepEqual(
    found.map(({ name }) => name),
    ["one", "many"],
  );
});

test("a TypeScript entry is read by the project's tsx, with imports that Node alone does not resolve", async (t) => {
  const directory = project(
    t,
    {
      "src/entry.ts": `export { room } from "./room.js";\nenum Level { Low = 1 }\nexport const level: Level = Level.Low;\n`,
      "src/room.ts": two,
    },
    ["tsx"],
  );
  const [room] = await loadDescriptions(join(directory, "src/entry.ts"));
  assert.equal(room?.name, "room");
});

test("without tsx, Node's own type stripping serves, or the error says what to install", async (t) => {
  const directory = project(t, { "entry.ts": two.replace("other =", "other: object =") });
  const found = loadDescriptions(join(directory, "entry.ts"));
  if ((process.features as { typescript?: unknown }).typescript) {
    assert.equal((await found)[0]?.name, "room");
  } else {
    await assert.rejects(found, (error: unknown) => {
      assert.ok(isKstateError(error, "ENTRY_INVALID"));
      assert.match(error.message, /install tsx in the project, or name the compiled file/);
      return true;
    });
  }
});

test("an entry that cannot serve is refused, and the message says why", async (t) => {
  const directory = project(t, {
    "empty.js": "export const nothing = 1;",
    "broken.js": 'throw new Error("no database");',
  });
  for (const [name, message] of [
    ["missing.js", /missing\.js: there is no such file/],
    ["empty.js", /it neither exports nor registers a description/],
    ["broken.js", /importing it failed: no database/],
  ] as const) {
    await assert.rejects(loadDescriptions(join(directory, name)), (error: unknown) => {
      assert.ok(isKstateError(error, "ENTRY_INVALID"));
      assert.match(error.message, message);
      return true;
    });
  }
});
