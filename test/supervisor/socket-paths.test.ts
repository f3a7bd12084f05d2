/** The paths of UNIX sockets: what stands there and is not ours stays, at the start and at the end. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isKstateError } from "kstate";
import { AF, bindSocket, closeDescriptor, createSocket, unixAddress } from "#src/memory/index.js";
import { claimName, supervisorSystem } from "#src/supervisor/index.js";
import { ListeningSockets } from "#src/supervisor/listening-sockets.js";
import { sweepSockets } from "#src/supervisor/runtime-directory.js";
import { canBeAnother, SECOND_USER } from "../support/second-user.ts";

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "kstate-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** What a process that was killed leaves: a socket that nobody listens on. */
function leaveSocket(path: string): void {
  const descriptor = createSocket(AF.unix);
  bindSocket(descriptor, unixAddress(path));
  closeDescriptor(descriptor);
}

async function listenAt(t: TestContext, path: string): Promise<Server> {
  const server = createServer((socket) => socket.on("error", () => {}).end("mine"));
  t.after(() => server.close());
  await new Promise<void>((listening) => server.listen(path, listening));
  return server;
}

async function answerAt(path: string): Promise<string> {
  let text = "";
  for await (const chunk of connect(path)) text += chunk;
  return text;
}

const open = (listening: ListeningSockets, path: string): Promise<number> =>
  listening.open(`unix:${path}`, { kind: "unix", path });

function refused(problem: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isKstateError(error, "LISTEN_FAILED"), String(error));
    assert.equal(error.detail.errno, "EADDRINUSE");
    assert.match(error.message, problem);
    return true;
  };
}

test("a file at the path of a listener is refused and stays", async (t) => {
  const path = join(scratch(t), "app.sock");
  writeFileSync(path, "precious");
  const listening = new ListeningSockets(supervisorSystem);
  await assert.rejects(
    open(listening, path),
    refused(/will not remove .*app\.sock: it is there already and is not a socket/),
  );
  assert.equal(readFileSync(path, "utf8"), "precious");
});

test("a link at the path of a listener is refused, and what it leads to stays", async (t) => {
  const directory = scratch(t);
  const path = join(directory, "app.sock");
  leaveSocket(join(directory, "other.sock"));
  symlinkSync(join(directory, "other.sock"), path);
  await assert.rejects(open(new ListeningSockets(supervisorSystem), path), refused(/is not a socket/));
  assert.ok(existsSync(join(directory, "other.sock")));
});

test("a socket that somebody listens on is refused and goes on", async (t) => {
  const path = join(scratch(t), "app.sock");
  await listenAt(t, path);
  await assert.rejects(open(new ListeningSockets(supervisorSystem), path), refused(/EADDRINUSE/));
  assert.equal(await answerAt(path), "mine");
});

test("a dead socket of another user is refused and stays", async (t) => {
  if (!canBeAnother(t)) return;
  const path = join(scratch(t), "app.sock");
  leaveSocket(path);
  chownSync(path, SECOND_USER, SECOND_USER);
  // Root trusts itself and root alone.
  await assert.rejects(
    open(new ListeningSockets(supervisorSystem), path),
    refused(/it is a socket of user 65534/),
  );
  assert.ok(lstatSync(path).isSocket());
});

test("what a process of this user has left is taken over, and removed at the end", async (t) => {
  const path = join(scratch(t), "app.sock");
  leaveSocket(path);
  const listening = new ListeningSockets(supervisorSystem);
  await open(listening, path);
  assert.ok(existsSync(path));
  listening.close();
  assert.ok(!existsSync(path));
});

test("a socket that another program has put at the path stays at the end", async (t) => {
  const path = join(scratch(t), "app.sock");
  const listening = new ListeningSockets(supervisorSystem);
  await open(listening, path);
  unlinkSync(path);
  await listenAt(t, path);
  listening.close();
  assert.equal(await answerAt(path), "mine");
});

test("the path of an adopted listener is removed only if it is this listener's", async (t) => {
  const directory = scratch(t);
  const [own, others] = [join(directory, "own.sock"), join(directory, "others.sock")];
  const listening = new ListeningSockets(supervisorSystem);
  for (const path of [own, others]) {
    listening.adopt(`unix:${path}`, (await supervisorSystem.bind({ kind: "unix", path })).descriptor);
  }
  unlinkSync(others);
  const source = `require("node:net").createServer((s) => s.on("error", () => {}).end("mine")).listen(${JSON.stringify(others)}, () => console.log("listens"))`;
  const child = spawn(process.execPath, ["-e", source], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  listening.close();
  assert.ok(!existsSync(own));
  assert.equal(await answerAt(others), "mine");
});

test("a supervisor's own socket takes no file's place, and leaves another's alone at the end", async (t) => {
  const path = join(scratch(t), "chat.sock");
  writeFileSync(path, "precious");
  await assert.rejects(claimName("chat", path), (error) => isKstateError(error, "FILE_UNTRUSTED"));
  assert.equal(readFileSync(path, "utf8"), "precious");
  unlinkSync(path);
  const server = await claimName("chat", path);
  await assert.rejects(claimName("chat", path), (error) => isKstateError(error, "NAME_IN_USE"));
  unlinkSync(path);
  await listenAt(t, path);
  await new Promise((closed) => server.close(closed));
  assert.equal(await answerAt(path), "mine");
});

test("sweeping leaves a service alone whose name looks like a program's", async (t) => {
  const directory = scratch(t);
  const [left, living] = ["chat.0123abcd.sock", "chat.4567cdef.sock"].map((name) => join(directory, name));
  leaveSocket(left!);
  await listenAt(t, living!);
  await sweepSockets(directory, "chat", "");
  assert.ok(!existsSync(left!));
  assert.equal(await answerAt(living!), "mine");
});
