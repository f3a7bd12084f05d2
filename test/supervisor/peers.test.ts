/** Whom the command line talks to: before it says anything it knows that it is this user. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isKstateError } from "kstate";
import {
  AF,
  bindSocket,
  closeDescriptor,
  createSocket,
  listenSocket,
  unixAddress,
} from "#src/memory/index.js";
import { notifySocket, requestControl, storeMemory, supervisorSystem } from "#src/supervisor/index.js";
import { ChildOutput } from "../support/child-output.ts";
import { asAnother, canBeAnother, SECOND_USER, startAsAnother } from "../support/second-user.ts";
import { cli } from "../support/service.ts";

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "kstate-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A socket at a path of this user, that a process of the second user has made listen. */
function listeningOfAnother(t: TestContext, path: string): number {
  const descriptor = createSocket(AF.unix);
  bindSocket(descriptor, unixAddress(path));
  chmodSync(path, 0o666);
  asAnother(() => listenSocket(descriptor, 8));
  t.after(() => closeDescriptor(descriptor));
  return descriptor;
}

test("with no runtime directory set another user's /tmp/kstate-UID gets no command and no secret", async (t) => {
  if (!canBeAnother(t)) return;
  const temporary = scratch(t);
  chmodSync(temporary, 0o1777);
  const directory = join(temporary, "kstate-0");
  const heard = join(directory, "heard");
  await startAsAnother(
    t,
    `const fs = require("node:fs");
    fs.mkdirSync(${JSON.stringify(directory)}, { mode: 0o777 });
    fs.chmodSync(${JSON.stringify(directory)}, 0o777);
    fs.writeFileSync(${JSON.stringify(heard)}, "");
    const server = require("node:net").createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (data) => {
        fs.appendFileSync(${JSON.stringify(heard)}, data);
        socket.end('{"type":"done","result":{"pid":1,"figures":null,"phases":{},"totalMs":1}}\\n');
      });
    });
    server.listen(${JSON.stringify(join(directory, "chat.sock"))}, () => {
      fs.chmodSync(${JSON.stringify(join(directory, "chat.sock"))}, 0o777);
      console.log("listens");
    });`,
  );
  const { KSTATE_RUNTIME_DIR: _own, XDG_RUNTIME_DIR: _users, ...environment } = process.env;
  const argv = [cli, "update", "--name", "chat", "--env", "TOKEN=secret", "--", "node", "next.js"];
  const output = new ChildOutput(
    spawn(process.execPath, argv, {
      env: { ...environment, TMPDIR: temporary },
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
  assert.equal(await output.closed(), 2, output.stdout + output.stderr);
  assert.match(output.stderr, /will not use .*kstate-0: it belongs to user 65534 and this is user 0/);
  assert.match(output.stderr, /\[FILE_UNTRUSTED\]/);
  assert.equal(readFileSync(heard, "utf8"), "");
});

test("in a directory of its own too a client says nothing to another user who listens there", async (t) => {
  if (!canBeAnother(t)) return;
  const directory = scratch(t);
  const path = join(directory, "chat.sock");
  listeningOfAnother(t, path);
  await assert.rejects(requestControl("chat", path, { type: "status" }), (error) => {
    assert.ok(isKstateError(error, "PEER_UNTRUSTED"));
    assert.deepEqual(error.detail, { path, pid: process.pid, uid: SECOND_USER });
    assert.match(
      error.message,
      /will not talk to .*chat\.sock: process \d+ of user 65534 listens there, and this is user 0; nothing was said to it\. Work as the user of the service \(sudo -u '#65534'\), or set KSTATE_RUNTIME_DIR/,
    );
    return true;
  });
});

test("a supervisor takes nobody of another user for a program of its service", (t) => {
  if (!canBeAnother(t)) return;
  const path = join(scratch(t), "chat.0123abcd.sock");
  listeningOfAnother(t, path);
  const untrusted = (error: unknown): boolean => isKstateError(error, "PEER_UNTRUSTED");
  assert.throws(() => supervisorSystem.dialRaw(path), untrusted);
  assert.throws(() => supervisorSystem.dial(path), untrusted);
});

test("a client refuses a runtime directory that others may write, and a link to one", async (t) => {
  const open = scratch(t);
  chmodSync(open, 0o770);
  const ask = (directory: string): Promise<unknown> =>
    requestControl("chat", join(directory, "chat.sock"), { type: "status" });
  await assert.rejects(ask(open), /will not use .*: others may write it \(mode 0770\), so chmod go-w it/);
  await assert.rejects(ask(join(open, "none")), (error) => isKstateError(error, "NO_SUPERVISOR"));
  const own = join(open, "own");
  mkdirSync(own, { mode: 0o755 });
  await assert.rejects(ask(own), (error) => isKstateError(error, "NO_SUPERVISOR"));
  if (!canBeAnother(t)) return;
  chownSync(own, SECOND_USER, SECOND_USER);
  await assert.rejects(ask(own), (error) => isKstateError(error, "FILE_UNTRUSTED"));
});

test("what is asked of a service of this user is answered", async (t) => {
  const path = join(scratch(t), "chat.sock");
  const server = createServer((socket) => {
    socket.once("data", () => socket.end('{"type":"done","result":42}\n'));
  });
  t.after(() => server.close());
  await new Promise<void>((listening) => server.listen(path, listening));
  assert.equal(await requestControl("chat", path, { type: "status" }), 42);
  assert.ok(existsSync(path));
});

test("a service manager's socket that is another user's is told nothing, and is not given the memory", (t) => {
  if (!canBeAnother(t)) return;
  const path = join(scratch(t), "notify");
  const socket = createSocket(AF.unix, "datagram");
  t.after(() => closeDescriptor(socket));
  bindSocket(socket, unixAddress(path));
  assert.ok(notifySocket(path) !== undefined);
  chownSync(path, SECOND_USER, SECOND_USER);
  const untrusted = (error: unknown): boolean => isKstateError(error, "FILE_UNTRUSTED");
  assert.throws(() => notifySocket(path), untrusted);
  assert.throws(() => storeMemory({ NOTIFY_SOCKET: path, FDSTORE: "1" }, 0), untrusted);
});
