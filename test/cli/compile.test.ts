import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { project, writeFiles } from "../support/project.js";

const cli = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

const stateOf = (kind: string) => `import { defineState, u8, u16, u32 } from "kstate";
export const user = defineState({ name: "user", id: 1, versionId: 1, fields: [["hp", ${kind}]] });
`;

const program = `import { Registry } from "kstate";
import { user } from "./state.js";
const registry = new Registry({ codec: "compiled" });
registry.register(user, { hp: 7 });
registry.load(registry.save());
const { compiledSaves, compiledLoads } = registry.codecUse;
console.log([compiledSaves, compiledLoads].join(" "));
`;

function run(directory: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: directory, encoding: "utf8" });
  return { status, stdout, stderr };
}

const forbidden = ["--disallow-code-generation-from-strings", "--import", "./kstate.compiled.mjs", "app.js"];

test("kstate compile writes a module that serves where code from strings is forbidden; --check knows a stale one", (t) => {
  const directory = project(t, {
    "package.json": '{"type":"module","kstate":{"entry":"state.js"}}',
    "state.js": stateOf("u16"),
    "app.js": program,
  });
  assert.equal(run(directory, cli, "compile", "--check").status, 1, "it is not there yet");
  const { status, stdout, stderr } = run(directory, cli, "compile");
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "kstate.compiled.mjs: 4 functions for 1 description\n");
  assert.equal(run(directory, cli, "compile", "--check").status, 0);
  assert.deepEqual(run(directory, ...forbidden), { status: 0, stdout: "1 1\n", stderr: "" });

  writeFiles(directory, { "state.js": stateOf("u32") });
  const stale = run(directory, cli, "compile", "--check");
  assert.equal(stale.status, 1);
  assert.equal(stale.stderr, 'kstate.compiled.mjs is stale: run "kstate compile"\n');
  assert.deepEqual(run(directory, ...forbidden), { status: 0, stdout: "0 0\n", stderr: "" });
});

test("kstate compile reads TypeScript, and writes where --out says", (t) => {
  const directory = project(
    t,
    { "package.json": '{"type":"module"}', "src/state.ts": `${stateOf("u8")}export type Hp = number;\n` },
    ["tsx"],
  );
  const { status, stdout, stderr } = run(
    directory,
    cli,
    "compile",
    "src/state.ts",
    "--out",
    join("src", "code.mjs"),
  );
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^src\/code\.mjs: 4 functions/);
});

test("without an entry kstate compile says where to name one", (t) => {
  const directory = project(t, { "package.json": '{"type":"module"}' });
  const { status, stderr } = run(directory, cli, "compile");
  assert.equal(status, 2);
  assert.match(stderr, /no ENTRY: name the module with the descriptions/);
});
