import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  char,
  type Description,
  defineState,
  folio,
  i32,
  list,
  pointer,
  Registry,
  string,
  struct,
  u16,
  u64,
} from "kstate";
import { formatLockFile } from "#src/check/index.js";
import { lockRecord } from "#src/description/index.js";
import { project } from "../support/project.js";

const cli = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

function kstate(directory: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    cwd: directory,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

const item = defineState({ name: "item", id: 2, fields: [["weight", u16]] });
const player = defineState({
  name: "player",
  id: 1,
  versionId: 2,
  fields: [
    ["name", string({ max: 32 })],
    ["hp", u16],
    ["gold", u64.since(2)],
    ["bag", list(struct(item), { max: 9 })],
  ],
});

/** A directory with a stream of two players. */
function saved(t: TestContext, hp = 250, extra: Record<string, object> = {}): string {
  const directory = project(t, {});
  writeStream(directory, "a.stream", hp, extra);
  return directory;
}

function writeStream(directory: string, file: string, hp: number, extra: Record<string, object> = {}): void {
  const registry = new Registry();
  registry.register(player, { name: "Ann", hp, gold: 2n ** 63n, bag: [{ weight: 5 }] }, "ann/1");
  registry.register(player, { name: "Bob", hp: 7, gold: 0n, bag: [] }, 7);
  for (const [name, state] of Object.entries(extra)) {
    const other = defineState({ name, id: 3, fields: [["x", u16]] });
    registry.register(other as Description, state as never);
  }
  writeFileSync(join(directory, file), registry.save());
}

test("kstate inspect shows names, versions, values, offsets and sizes from the stream alone", (t) => {
  const { status, stdout } = kstate(saved(t), "inspect", "a.stream");
  assert.equal(status, 0);
  const [first, ...tree] = stdout.split("\n");
  assert.match(first!, /^stream of \d+ bytes, 2 sections, descriptions \w{12}, data checksum$/);
  assert.equal(
    tree.join("\n"),
    `    offset      size
         4        63  player@2 (id 1) #"ann/1"
        24         7    name: "Ann" (string)
        31         2    hp: 250 (u16)
        33         8    gold: 9223372036854775808 (u64)
        41        26    bag: 1 of item@0 (id 2)
        65         2      [0]
        65         2        weight: 5 (u16)
        67        61  player@2 (id 1) #7
        87         7    name: "Bob" (string)
        94         2    hp: 7 (u16)
        96         8    gold: 0 (u64)
       104        24    bag: 0 of item@0 (id 2)
`,
  );
});

test("--json has the documented shape", (t) => {
  const { status, stdout } = kstate(saved(t), "inspect", "a.stream", "--json");
  assert.equal(status, 0);
  const { sections, ...rest } = JSON.parse(stdout) as { sections: unknown[] };
  assert.deepEqual(rest, {});
  assert.deepEqual(sections[0], {
    name: "player",
    id: 1,
    versionId: 2,
    instanceId: "ann/1",
    offset: 4,
    size: 43,
    fields: {
      name: "Ann",
      hp: 250,
      gold: "9223372036854775808",
      bag: {
        name: "item",
        id: 2,
        versionId: 0,
        instanceId: 0,
        offset: 41,
        size: 6,
        elements: [{ weight: 5 }],
        subsections: [],
      },
    },
    subsections: [],
  });
  assert.equal((sections[1] as { instanceId: unknown }).instanceId, 7);
});

test("--path shows one instance, one field, one element", (t) => {
  const directory = saved(t);
  const at = (path: string, ...more: string[]) =>
    kstate(directory, "inspect", "a.stream", "--path", path, ...more);
  assert.match(at("sections/player/7/hp").stdout, /^ +94 +2 +hp: 7 \(u16\)\n$/);
  assert.equal(at("sections/player/ann%2F1/bag/0/weight", "--json").stdout, "5\n");
  assert.equal(at("sections/player/7/fields/gold", "--json").stdout, '"0"\n');
  assert.equal(at("sections/player/7").stdout.split("\n").length, 6);
  assert.equal(
    (JSON.parse(at("sections/player", "--json").stdout) as { sections: unknown[] }).sections.length,
    2,
  );
  const nothing = at("sections/player/8");
  assert.deepEqual([nothing.status, nothing.stdout], [1, ""]);
  assert.equal(nothing.stderr, "kstate inspect: there is nothing at sections/player/8\n");
  assert.equal(at("player/7").status, 2);
});

test("--hex shows every byte once, with what it belongs to", (t) => {
  const directory = saved(t);
  const { stdout } = kstate(directory, "inspect", "a.stream", "--hex");
  assert.match(stdout, /^00000000 {2}8c 77 37 3b +magic number of a stream\n/);
  assert.match(stdout, /\n0000001f {2}fa 00 +player\/ann\/1\/hp = 250\n/);
  assert.match(stdout, /\n00000018 {2}03 00 00 00 41 6e 6e +player\/ann\/1\/name = "Ann"\n/);
  const part = kstate(directory, "inspect", "a.stream", "--hex", "--path", "sections/player/7").stdout;
  assert.match(part, /^00000043 {2}02 00 00 00/);
  assert.doesNotMatch(part, /magic|trailer/);
  const bytes = stdout.split("\n").flatMap((line) =>
    line
      .slice(10, 57)
      .trim()
      .split(" ")
      .filter((byte) => byte !== ""),
  );
  assert.equal(bytes.join(""), readFileSync(join(directory, "a.stream")).toString("hex"));
});

/** A stream that was written by the kernel's algorithm, with what a kernel leaves behind it. */
function kernelStream(): Uint8Array {
  const file = new URL("../../../test/golden/kernel-streams.json", import.meta.url);
  const { cases } = JSON.parse(readFileSync(file, "utf8")) as { cases: { name: string; hex: string }[] };
  const { hex } = cases.find(({ name }) => name === "seed-v2-subsection")!;
  return Buffer.concat([Buffer.from(hex, "hex"), Buffer.alloc(40, 0xaa)]);
}

test("a kernel's stream is read by a lock file", (t) => {
  const directory = project(t, {});
  writeFileSync(join(directory, "kernel.stream"), kernelStream());
  const kernel = defineState({
    name: "test",
    id: 3,
    versionId: 2,
    fields: [
      ["s", char(10)],
      ["p_ulong", pointer(u64)],
      ["folio", folio()],
      ["k", u16.until(1)],
    ],
    subsections: [defineState({ name: "test_v2", id: 4, versionId: 1, fields: [["i", i32]] })],
  });
  const lock = formatLockFile({ record: lockRecord([kernel]), sources: new Map() });
  writeFileSync(join(directory, "kernel.lock.json"), lock);
  const named = kstate(directory, "inspect", "kernel.stream", "--foreign", "--lock", "kernel.lock.json");
  assert.equal(named.status, 0, named.stderr);
  assert.equal(
    named.stdout,
    `stream of 118 bytes, 1 section, no trailer
    offset      size
         4        70  test@2 (id 3) #123
        24        10    s: "abcdefghk" (char(10))
        34         8    p_ulong: 20 (u64)
        42         8    folio: 19087360 (folio)
        50        24    subsection test_v2@1 (id 4)
        70         4      i: 10 (i32)
`,
  );
  const nameless = kstate(directory, "inspect", "kernel.stream", "--foreign");
  assert.match(
    nameless.stdout,
    / unknown@2 \(id 3\) #123\n.* bytes: 6162636465.* \(bytes that nobody can read\)\n/,
  );
});

test("a damaged stream is shown as far as it goes, with the place, and exits with 1", (t) => {
  const directory = saved(t);
  const stream = readFileSync(join(directory, "a.stream"));
  writeFileSync(join(directory, "cut.stream"), stream.subarray(0, 96));
  const lock = formatLockFile({ record: lockRecord([player]), sources: new Map() });
  writeFileSync(join(directory, "lock.json"), lock);
  const { status, stdout } = kstate(directory, "inspect", "cut.stream", "--lock", "lock.json");
  assert.equal(status, 1);
  assert.match(stdout, /, no trailer, DAMAGED\n/);
  assert.match(stdout, /\n +94 +2 +hp: 7 \(u16\)\n +96 +DAMAGED: 8 bytes are needed, 0 are left\n/);
  const { status: other, stderr } = kstate(directory, "inspect", "missing.stream");
  assert.equal(other, 2);
  assert.match(stderr, /cannot read missing\.stream: ENOENT.*\[RECORD_UNREADABLE\]/);
  writeFileSync(join(directory, "no.stream"), "no stream at all");
  assert.match(kstate(directory, "inspect", "no.stream").stdout, /DAMAGED: a stream begins with 0x3b37778c/);
});

test("kstate diff tells fields and instances that differ", (t) => {
  const directory = saved(t, 250, { old: { x: 1 } });
  writeStream(directory, "b.stream", 90, { new: { x: 1 } });
  const { status, stdout } = kstate(directory, "diff", "a.stream", "b.stream");
  assert.equal(status, 1);
  assert.equal(
    stdout,
    `~ player/ann/1/hp: 250 → 90
+ new/0: version 0, 22 bytes
- old/0: version 0, 22 bytes
`,
  );
  const json = kstate(directory, "diff", "a.stream", "b.stream", "--json");
  assert.deepEqual((JSON.parse(json.stdout) as unknown[])[0], {
    type: "changed",
    path: "player/ann/1/hp",
    before: "250",
    after: "90",
  });
  assert.deepEqual(kstate(directory, "diff", "a.stream", "a.stream"), { status: 0, stdout: "", stderr: "" });
});

test("kstate diff compares two versions of a description field by field", (t) => {
  const directory = saved(t);
  const registry = new Registry();
  registry.register(player, { name: "Ann", hp: 250, gold: 2n ** 63n, bag: [{ weight: 5 }] }, "ann/1");
  registry.register(player, { name: "Bob", hp: 7, gold: 0n, bag: [{ weight: 1 }] }, 7);
  writeFileSync(join(directory, "v1.stream"), registry.save({ versionIds: { player: 1 } }));
  const { stdout } = kstate(directory, "diff", "v1.stream", "a.stream");
  assert.equal(
    stdout,
    `~ player/ann/1 version: 1 → 2
+ player/ann/1/gold: 9223372036854775808
~ player/7 version: 1 → 2
+ player/7/gold: 0
+ player/7/bag: empty
- player/7/bag/0/weight: 1
`,
  );
});

test("the state that a program without a supervisor left is read, too", (t) => {
  const directory = project(t, {
    "app.mjs": `import { defineState, u16 } from "kstate";
import { joinLiveUpdate } from "kstate/live";
const visits = defineState({ name: "visits", id: 1, fields: [["count", u16]] });
const live = await joinLiveUpdate({ name: "visits" });
live.register(visits, { count: 42 });
await live.ready();
process.kill(process.pid, "SIGTERM");
`,
  });
  spawnSync(process.execPath, ["app.mjs"], { cwd: directory, encoding: "utf8" });
  const { status, stdout, stderr } = kstate(
    directory,
    "inspect",
    ".kstate/visits/state",
    "--path",
    "sections/visits/0/count",
  );
  assert.equal(status, 0, stderr);
  assert.match(stdout, / count: 42 \(u16\)\n$/);
});
