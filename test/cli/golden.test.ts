import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { defineState, Registry, u16 } from "kstate";
import { project, writeFiles } from "../support/project.js";

const cli = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

function kstate(directory: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    cwd: directory,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

const userOf = (fields: string, more = "") => `import { defineState, u16, u32 } from "kstate";
export const user = defineState({ name: "user", id: 1, fields: [${fields}]${more} });
`;

/** A project with the stream of a user and a bot. */
function released(t: TestContext): string {
  const directory = project(t, {
    "package.json": '{"type":"module","version":"1.2.0","kstate":{"entry":"state.js"}}',
    "state.js": userOf('["hp", u16]'),
  });
  const registry = new Registry();
  registry.register(defineState({ name: "user", id: 1, fields: [["hp", u16]] }), { hp: 5 }, "ann");
  registry.register(defineState({ name: "bot", id: 2, fields: [["hp", u16]] }), { hp: 6 });
  writeFileSync(join(directory, "now.stream"), registry.save());
  return directory;
}

test("kstate golden add keeps a stream under the version of the package, and never overwrites one", (t) => {
  const directory = released(t);
  assert.equal(kstate(directory, "golden", "add", "now.stream").stdout, "golden/v1.2.0.kstate: added\n");
  const kept = readFileSync(join(directory, "golden/v1.2.0.kstate"));
  assert.deepEqual(kept, readFileSync(join(directory, "now.stream")));
  const again = kstate(directory, "golden", "add", "now.stream");
  assert.equal(again.status, 1);
  assert.match(
    again.stderr,
    /golden\/v1\.2\.0\.kstate is there already; golden streams are added, never changed/,
  );
  assert.equal(kstate(directory, "golden", "add", "now.stream", "--as", "v2", "--dir", "kept").status, 0);
  assert.ok(existsSync(join(directory, "kept/v2.kstate")));
});

test("kstate golden add does not keep what is damaged", (t) => {
  const directory = released(t);
  const stream = readFileSync(join(directory, "now.stream"));
  writeFileSync(join(directory, "cut.stream"), stream.subarray(0, stream.length - 1));
  stream[24]! ^= 1;
  writeFileSync(join(directory, "flipped.stream"), stream);
  for (const name of ["cut.stream", "flipped.stream"]) {
    const { status, stderr } = kstate(directory, "golden", "add", name);
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`^kstate golden: ${name} is not kept: `));
  }
  assert.ok(!existsSync(join(directory, "golden")));
});

test("kstate golden verify loads all streams, and fails when one cannot be loaded any more", (t) => {
  const directory = released(t);
  kstate(directory, "golden", "add", "now.stream");
  assert.deepEqual(kstate(directory, "golden", "verify"), {
    status: 0,
    stdout: "golden/v1.2.0.kstate: 1 user, carried unread: bot\n1 stream, all can be loaded\n",
    stderr: "",
  });
  writeFiles(directory, { "state.js": userOf('["hp", u32]') });
  const broken = kstate(directory, "golden", "verify", "state.js");
  assert.equal(broken.status, 1);
  assert.match(
    broken.stderr,
    /^golden\/v1\.2\.0\.kstate: writer and reader disagree about user@0[\s\S]*\[LAYOUT_MISMATCH\]\n$/,
  );
  assert.equal(broken.stdout, "1 stream, 1 cannot be loaded\n");
  writeFiles(directory, { "state.js": userOf('["hp", u16]', ', postLoad() { throw new Error("no"); }') });
  assert.match(kstate(directory, "golden", "verify").stderr, /postLoad of user threw .*no.*\[HOOK_FAILED\]/);
});

test("kstate golden says what it needs", (t) => {
  const directory = released(t);
  for (const [args, problem] of [
    [["golden"], /say kstate golden add STREAM, or kstate golden verify/],
    [["golden", "add"], /name one STREAM/],
    [["golden", "add", "missing.stream"], /cannot read missing\.stream: ENOENT/],
    [["golden", "verify"], /there are no streams in golden/],
  ] as const) {
    const { status, stderr } = kstate(directory, ...args);
    assert.equal(status, 2, stderr);
    assert.match(stderr, problem);
  }
});
