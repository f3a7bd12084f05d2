import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Description, defineState, Registry, u16 } from "kstate";
import type { CheckReport } from "#src/check/index.js";
import { project, writeFiles } from "../support/project.js";
import { Service } from "../support/service.js";

const cli = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

const stateOf = (hp: string, rest = "") => `import { defineState, string, u16, u32 } from "kstate";

type Name = string;

export const user = defineState({
  name: "user",
  id: 1,
  versionId: 1,
  fields: [
    ["hp", ${hp}],
    ["name", string({ max: 20 })],${rest}
  ],
});
`;

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function kstate(directory: string, ...args: string[]): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    cwd: directory,
    encoding: "utf8",
    env: { ...process.env, KSTATE_RUNTIME_DIR: join(directory, "run") },
  });
  return { status, stdout, stderr };
}

function git(directory: string, ...args: string[]): void {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"];
  execFileSync("git", [...identity, ...args], { cwd: directory, stdio: "pipe" });
}

/** A project in TypeScript whose lock file is committed, and whose state has then changed. */
function changed(t: TestContext, hp: string, rest = ""): string {
  const directory = project(
    t,
    {
      "package.json": '{"type":"module","kstate":{"entry":"src/state.ts"}}',
      "src/state.ts": stateOf("u16"),
      ".gitignore": "node_modules\n",
    },
    ["tsx"],
  );
  assert.equal(kstate(directory, "lock").status, 0);
  git(directory, "init", "-q");
  git(directory, "add", ".");
  git(directory, "commit", "-q", "-m", "one");
  writeFiles(directory, { "src/state.ts": stateOf(hp, rest) });
  return directory;
}

test("kstate lock writes the same file each time, with the places of TypeScript sources", (t) => {
  const directory = changed(t, "u16");
  const first = readFileSync(join(directory, "kstate.lock.json"), "utf8");
  assert.match(first, /"source": "src\/state\.ts:5:21"/);
  assert.match(first, /\{"name":"hp","kind":\{"kind":"u16"\},"source":"src\/state\.ts:10:5"\}/);
  const { status, stdout } = kstate(directory, "lock", "src/state.ts", "--out", "again.json");
  assert.equal(status, 0);
  assert.match(stdout, /^again\.json: 1 description, [0-9a-f]{12}\n$/);
  assert.equal(readFileSync(join(directory, "again.json"), "utf8"), first);
});

test("kstate lock --check fails when the file is stale, not when lines moved", (t) => {
  const directory = changed(t, "u16");
  assert.deepEqual(kstate(directory, "lock", "--check"), {
    status: 0,
    stdout: "kstate.lock.json: up to date, 1 description\n",
    stderr: "",
  });
  writeFiles(directory, { "src/state.ts": `\n\n${stateOf("u16")}` });
  assert.equal(kstate(directory, "lock", "--check").status, 0);
  writeFiles(directory, { "src/state.ts": stateOf("u32") });
  const before = readFileSync(join(directory, "kstate.lock.json"), "utf8");
  const { status, stderr } = kstate(directory, "lock", "--check");
  assert.equal(status, 1);
  assert.equal(stderr, 'kstate.lock.json is stale: run "kstate lock" and commit what it writes\n');
  assert.equal(readFileSync(join(directory, "kstate.lock.json"), "utf8"), before);
  assert.equal(kstate(directory, "lock", "--check", "--out", "missing.json").status, 1);
});

test("kstate check compares a git revision with the module that describes", (t) => {
  const directory = changed(t, "u32");
  const { status, stdout } = kstate(directory, "check", "git:HEAD", "src/state.ts");
  assert.equal(status, 1);
  assert.match(stdout, /^error user\.hp: hp was u16 and is u32 in version 1/);
  assert.match(stdout, /\n {2}> 10 \| {5}\["hp", u32\],\n {7}\| {5}\^\n/);
  assert.match(stdout, /\nCOLD: git:HEAD → src\/state\.ts: 1 error, 0 warnings, 0 notes\n$/);
});

test("what the other branch added is not taken for removed without a word", (t) => {
  const directory = changed(t, "u16");
  git(directory, "branch", "-M", "main");
  git(directory, "checkout", "-q", "-b", "mine");
  git(directory, "checkout", "-q", "main");
  writeFiles(directory, { "src/state.ts": stateOf("u16", '\n    ["mana", u16],') });
  assert.equal(kstate(directory, "lock").status, 0);
  git(directory, "commit", "-q", "-a", "-m", "two");
  git(directory, "checkout", "-q", "mine");
  const behind = kstate(directory, "check", "git:main");
  assert.equal(behind.status, 1);
  assert.match(
    behind.stdout,
    /\n {2}main is ahead: it has a change of kstate\.lock\.json that this branch has not, and what was added there is reported as removed; merge main, or compare with where this branch left it: git:main\.\.\.\n$/,
  );
  const report = JSON.parse(kstate(directory, "check", "git:main", "--format", "json").stdout) as CheckReport;
  assert.equal(report.comparisons[0]?.remarks?.length, 1);
  assert.match(
    kstate(directory, "check", "git:main", "--format", "github").stdout,
    /^::notice::main is ahead/m,
  );
  for (const source of ["git:main...", "git:main...:kstate.lock.json"]) {
    const base = kstate(directory, "check", source);
    assert.deepEqual(
      [base.status, base.stdout],
      [0, `IN_PLACE: ${source} → kstate.lock.json: 0 errors, 0 warnings, 0 notes\n`],
    );
  }
  git(directory, "merge", "-q", "main");
  assert.equal(
    kstate(directory, "check", "git:main").stdout,
    "IN_PLACE: git:main → kstate.lock.json: 0 errors, 0 warnings, 0 notes\n",
  );
});

test("a hook that has changed makes the lock file stale, and is a note; files of earlier versions tell no code", (t) => {
  const hooked = (body: string) =>
    stateOf("u16").replace("  fields:", `  postLoad: () => {${body}},\n  fields:`);
  const directory = changed(t, "u16");
  writeFiles(directory, { "src/state.ts": hooked("1;") });
  assert.equal(kstate(directory, "lock").status, 0);
  git(directory, "commit", "-q", "-a", "-m", "two");
  assert.equal(kstate(directory, "lock", "--check").status, 0);
  writeFiles(directory, { "src/state.ts": hooked("2;") });
  assert.equal(kstate(directory, "lock", "--check").status, 1);
  const { status, stdout } = kstate(directory, "check", "git:HEAD", "src/state.ts");
  assert.equal(status, 0);
  assert.match(stdout, /^note user: postLoad has changed; what it does was not compared \[code-changed\]\n/);
  assert.match(stdout, /\nIN_PLACE: git:HEAD → src\/state\.ts: 0 errors, 0 warnings, 1 note\n$/);
  const lock = readFileSync(join(directory, "kstate.lock.json"), "utf8");
  writeFiles(directory, { "kstate.lock.json": lock.replace(/^ +"code": .*\n/gm, "") });
  assert.equal(kstate(directory, "lock", "--check").status, 0);
  assert.match(
    kstate(directory, "check", "kstate.lock.json", "src/state.ts").stdout,
    /0 notes\n {2}not compared: what code does \(user postLoad\): the old side does not tell its own, a lock file does\n$/,
  );
});

test("NEW is the lock file unless given, and what is fine exits with 0", (t) => {
  const directory = changed(t, "u16");
  const { status, stdout } = kstate(directory, "check", "git:HEAD:kstate.lock.json");
  assert.equal(status, 0);
  assert.equal(
    stdout,
    "IN_PLACE: git:HEAD:kstate.lock.json → kstate.lock.json: 0 errors, 0 warnings, 0 notes\n",
  );
});

test("--fail-on says from which severity on it fails", (t) => {
  const directory = changed(t, "u16", '\n    ["mana", u16.since(1)],');
  writeFiles(directory, {
    "src/state.ts": stateOf("u16", '\n    ["mana", u16.since(2)],').replace("versionId: 1", "versionId: 2"),
  });
  const statusOf = (level: string) =>
    kstate(directory, "check", "git:HEAD", "src/state.ts", "--fail-on", level).status;
  assert.deepEqual(["error", "warning", "note"].map(statusOf), [0, 1, 1]);
});

test("--deployed compares with each of several versions, and the worst decides", (t) => {
  const directory = changed(t, "u32");
  assert.equal(kstate(directory, "lock", "--out", "new.json").status, 0);
  const { status, stdout } = kstate(
    directory,
    ...["check", "new.json", "--deployed", "new.json", "--deployed", "git:HEAD", "--format", "json"],
  );
  const { verdict, comparisons } = JSON.parse(stdout) as CheckReport;
  assert.equal(status, 1);
  assert.equal(verdict, "COLD");
  assert.deepEqual(
    comparisons.map((side) => [side.old, side.new, side.verdict]),
    [
      ["new.json", "new.json", "IN_PLACE"],
      ["git:HEAD", "new.json", "COLD"],
    ],
  );
});

test("a stream is compared by what its writer knew", (t) => {
  const directory = changed(t, "u32");
  const registry = new Registry();
  const user = defineState({ name: "user", id: 1, versionId: 1, fields: [["hp", u16]] }) as Description;
  registry.register(user, { hp: 1 } as never);
  writeFileSync(join(directory, "old.stream"), registry.save());
  const { status, stdout } = kstate(directory, "check", "old.stream", "src/state.ts", "--format", "github");
  assert.equal(status, 1);
  assert.match(stdout, /^::error file=src\/state\.ts,line=10,col=5,title=kstate field-width-changed/);
});

test("a running service is compared by the record of its program, by name and by socket", async (t) => {
  const service = await Service.start(t, "counter");
  const named = await service.kstate("check", "default", "default");
  assert.equal(named.status, 0, named.stderr);
  assert.equal(
    named.stdout,
    "IN_PLACE: default → default: 0 errors, 0 warnings, 0 notes\n  not compared: what hooks, checks and custom fields do: neither side tells their code\n",
  );
  const socket = `unix:${join(service.directory, "default.sock")}`;
  const dialled = await service.kstate("check", socket, "default");
  assert.equal(dialled.status, 0, dialled.stderr);
});

test("what cannot be read is told with its reason, and exits with 2", (t) => {
  const directory = changed(t, "u16");
  writeFiles(directory, { "broken.json": "{", "throws.js": 'throw new Error("no database");' });
  for (const [source, problem] of [
    ["nobody", /no service named nobody runs here/],
    ["missing.json", /there is no such file/],
    ["git:nope", /nope/],
    ["git:--output=x", /write git:REVISION or git:REVISION:PATH/],
    ["git:HEAD:missing.json", /missing\.json/],
    ["broken.json", /expected JSON/],
    ["throws.js", /importing it failed: no database/],
  ] as const) {
    const { status, stderr } = kstate(directory, "check", source);
    assert.equal(status, 2, source);
    assert.match(
      stderr,
      new RegExp(`^kstate check: cannot read the descriptions of ${source}: .*\\[RECORD_UNREADABLE\\]\\n$`),
    );
    assert.match(stderr, problem);
  }
});

test("a wrong command line exits with 2", (t) => {
  const directory = project(t, {});
  for (const [args, problem] of [
    [["check"], /nothing to compare: kstate check git:main/],
    [["check", "a", "b", "c"], /more than OLD and NEW/],
    [["check", "a", "--format", "xml"], /--format xml is not one of text, json, github, sarif/],
    [["check", "--explain", "nothing"], /there is no rule nothing; there are id-changed, /],
    [["check", "--frobnicate"], /Unknown option '--frobnicate'/],
    [["lock"], /no ENTRY: name the module/],
  ] as const) {
    const { status, stderr } = kstate(directory, ...args);
    assert.equal(status, 2, stderr);
    assert.match(stderr, problem);
  }
});

test("--explain tells what a rule is about", (t) => {
  const { status, stdout } = kstate(project(t, {}), "check", "--explain", "limit-changed");
  assert.equal(status, 0);
  assert.match(stdout, /^limit-changed: A limit \(max\) changed/);
  assert.match(stdout, /\n\nFix: /);
  assert.match(kstate(project(t, {}), "check", "--help").stdout, /^kstate check OLD \[NEW\]/);
});
