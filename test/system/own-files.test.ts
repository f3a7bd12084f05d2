/** The door to the file system: what is another user's, or may be, is neither read nor changed. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { isKstateError } from "kstate";
import { fileCarrier } from "#src/carrier/index.js";
import { StateDirectory } from "#src/live/state-directory.js";
import { CHECKPOINT, createHeap, createMemfd, PhysicalMemory } from "#src/memory/index.js";
import { HistoryFile } from "#src/supervisor/index.js";
import { ServiceRecordFile } from "#src/supervisor/service-record.js";
import {
  appendOwn,
  createOwn,
  openFollowed,
  openOwn,
  readOwn,
  replaceOwn,
  writeSource,
} from "#src/system/index.js";
import { canBeAnother, SECOND_USER } from "../support/second-user.ts";

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "kstate-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function untrusted(problem: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(isKstateError(error, "FILE_UNTRUSTED"), String(error));
    assert.match(error.message, problem);
    return true;
  };
}

/** A memory with a checkpoint, as a run leaves one. */
function memoryWith(text: string, backEnd = createHeap(1024 * 1024)): PhysicalMemory {
  const memory = PhysicalMemory.create(backEnd);
  const folio = memory.alloc(text.length);
  folio.bytes.set(Buffer.from(text));
  memory.keepStream(CHECKPOINT, folio, text.length, 1);
  return memory;
}

/** A file of which nobody but its owner may lose a byte, and a link to it. */
function linked(directory: string, name: string): string {
  const precious = join(directory, `precious ${name}`);
  writeFileSync(precious, "precious", { mode: 0o600 });
  symlinkSync(precious, join(directory, name));
  return precious;
}

test("no purpose follows a link", (t) => {
  const directory = scratch(t);
  const precious = linked(directory, "link");
  const path = join(directory, "link");
  for (const open of [
    () => openOwn(path, "read"),
    () => openOwn(path, "write"),
    () => openOwn(path, "create"),
    () => openOwn(path, "keep"),
    () => appendOwn(path, "more"),
    () => readOwn(path),
    () => createOwn(path, "new"),
    () => writeSource(path, "new"),
  ]) {
    assert.throws(
      open,
      untrusted(/will not use .*link: it is a symbolic link, so remove it, or name the file/),
    );
  }
  replaceOwn(path, "new"); // takes the link's place
  assert.equal(readFileSync(precious, "utf8"), "precious");
  assert.equal(readFileSync(path, "utf8"), "new");
});

test("what others may write is refused, and what is no file", (t) => {
  const directory = scratch(t);
  const path = join(directory, "file");
  writeFileSync(path, "theirs");
  chmodSync(path, 0o620);
  assert.throws(() => readOwn(path), untrusted(/others may write it \(mode 0620\), so chmod go-w it/));
  assert.throws(() => readOwn(directory), untrusted(/it is not a regular file/));
  const pipe = join(directory, "pipe");
  assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
  assert.throws(() => readOwn(pipe), untrusted(/it is not a regular file/)); // and is not waited for
});

test("what belongs to another user is refused, also by root, and a link to it where links are followed", (t) => {
  if (!canBeAnother(t)) return;
  const directory = scratch(t);
  const path = join(directory, "file");
  writeFileSync(path, "theirs", { mode: 0o600 });
  chownSync(path, SECOND_USER, SECOND_USER);
  symlinkSync(path, join(directory, "link"));
  const problem = /it belongs to user 65534 and this is user 0, so chown it, or work as that user/;
  assert.throws(() => readOwn(path), untrusted(problem));
  assert.throws(() => openOwn(path, "keep"), untrusted(problem));
  assert.throws(() => openFollowed(join(directory, "link")), untrusted(problem));
  assert.equal(readFileSync(path, "utf8"), "theirs");
  writeSource(path, "a checkout"); // sources are whoever's
});

test("a state directory's lock is not found over a link", async (t) => {
  const root = scratch(t);
  mkdirSync(join(root, "chat"), { mode: 0o700 });
  const precious = linked(join(root, "chat"), "lock");
  await assert.rejects(StateDirectory.open("chat", root), untrusted(/chat\/lock: it is a symbolic link/));
  assert.equal(readFileSync(precious, "utf8"), "precious");
});

test("links in the place of temporary files are replaced, and what they lead to stays", async (t) => {
  const root = scratch(t);
  const directory = await StateDirectory.open("chat", root);
  const precious = ["state.tmp", "checkpoint.tmp"].map((name) => linked(join(root, "chat"), name));
  const memory = memoryWith("a run");
  await directory.saveCheckpoint(memory);
  directory.save(memory);
  for (const path of precious) assert.equal(readFileSync(path, "utf8"), "precious");
  assert.equal(directory.load("refuse", createHeap)?.kind, "state");
});

test("a state that is a link, another user's, or open to others is not loaded", async (t) => {
  const root = scratch(t);
  const directory = await StateDirectory.open("chat", root);
  directory.save(memoryWith("a run"));
  const path = join(root, "chat", "state");
  const load = () => directory.load("refuse", createHeap);
  chmodSync(path, 0o602);
  assert.throws(load, untrusted(/chat\/state: others may write it/));
  chmodSync(path, 0o644);
  assert.equal(load()?.kind, "state");
  if (process.getuid?.() === 0) {
    chownSync(path, SECOND_USER, SECOND_USER);
    assert.throws(load, untrusted(/chat\/state: it belongs to user 65534/));
  }
  rmSync(path);
  linked(join(root, "chat"), "state");
  assert.throws(load, untrusted(/chat\/state: it is a symbolic link/));
});

test("a state directory that is a link, another user's, or open to others is not used", async (t) => {
  const root = scratch(t);
  const path = join(root, "chat");
  mkdirSync(path);
  chmodSync(path, 0o770);
  await assert.rejects(StateDirectory.open("chat", root), untrusted(/chat: others may write it/));
  assert.deepEqual(readdirSync(path), []);
  symlinkSync(path, join(root, "linked"));
  await assert.rejects(StateDirectory.open("linked", root), untrusted(/linked: it is a symbolic link/));
  if (!canBeAnother(t)) return;
  chmodSync(path, 0o700);
  chownSync(path, SECOND_USER, SECOND_USER);
  await assert.rejects(StateDirectory.open("chat", root), untrusted(/chat: it belongs to user 65534/));
});

test("the directory around may be a group's, and if it is everybody's it has to be sticky", async (t) => {
  const root = scratch(t);
  chmodSync(root, 0o2775);
  await StateDirectory.open("group", root);
  chmodSync(root, 0o777);
  await assert.rejects(
    StateDirectory.open("open", root),
    untrusted(/everybody may write in it \(mode 0777\)/),
  );
  chmodSync(root, 0o1777);
  await StateDirectory.open("sticky", root);
});

test("an image is written beside links and not through them, whole and in parts", (t) => {
  const directory = scratch(t);
  const path = join(directory, "chat.kstate");
  const precious = linked(directory, "chat.kstate.new");
  const memory = memoryWith("a run", createMemfd(1024 * 1024));
  const facts = { service: "chat", generation: 1 };
  fileCarrier(path).storeNow(memory, facts);
  assert.equal(readFileSync(precious, "utf8"), "precious");
  fileCarrier(path, { partBytes: 4096 }).storeNow(memory, facts);
  assert.ok(fileCarrier(path).find() !== undefined);
  const part = readdirSync(directory).find((name) => name.endsWith(".0001"))!;
  chmodSync(join(directory, part), 0o666);
  assert.throws(() => fileCarrier(path).find(), untrusted(/\.0001: others may write it/));
  rmSync(path);
  linked(directory, "chat.kstate");
  assert.throws(() => fileCarrier(path).find(), untrusted(/chat\.kstate: it is a symbolic link/));
});

test("what a supervisor writes down is not found over a link", (t) => {
  const directory = scratch(t);
  const precious = ["chat.history.jsonl", "chat.json"].map((name) => linked(directory, name));
  const history = new HistoryFile(directory, "chat");
  const entry = { at: "now", kind: "resolved", generation: 1, verdict: "CANCELLED" } as const;
  assert.throws(() => history.read(), untrusted(/it is a symbolic link/));
  assert.throws(() => history.add(entry), untrusted(/it is a symbolic link/));
  assert.throws(() => new ServiceRecordFile(directory, "chat").read(), untrusted(/it is a symbolic link/));
  for (const path of precious) assert.equal(readFileSync(path, "utf8"), "precious");
  rmSync(join(directory, "chat.history.jsonl"));
  history.add(entry);
  assert.equal(lstatSync(join(directory, "chat.history.jsonl")).mode & 0o777, 0o600);
});

/** Files of the system's own, sources, and descriptors that are open already. */
const OTHER_READERS = new Set([
  "openSync carrier/luo-system.ts",
  "openSync carrier/file-carrier.ts", // a directory, to sync it
  "openSync live/state-directory.ts", // the same
  "openSync cli/stream-file.ts",
  "openSync cli/service-log.ts", // standard error, which is open
]);

test("nothing writes or opens a file but through the door", () => {
  const source = fileURLToPath(new URL("../../../src/", import.meta.url));
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  const found = files
    .filter((name) => !name.startsWith("system/"))
    .flatMap((name) => {
      const imports = [
        ...readFileSync(join(source, name), "utf8").matchAll(
          /import \{([^}]*)\} from "node:fs(?:\/promises)?"/g,
        ),
      ];
      const calls = imports.flatMap(([, names]) => names!.split(",").map((each) => each.trim()));
      return calls
        .filter((call) =>
          /^(open|openSync|writeFile|writeFileSync|appendFile|appendFileSync|createWriteStream)$/.test(call),
        )
        .map((call) => `${call} ${name}`);
    });
  assert.ok(files.length > 100);
  assert.deepEqual(
    found.filter((each) => !OTHER_READERS.has(each)),
    [],
  );
});
