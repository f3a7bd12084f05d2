/** A program without a supervisor that listens at a path: it removes its own socket and nothing else. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isKstateError } from "kstate";
import { Listeners } from "#src/live/listeners.js";
import { Detached } from "#src/live/sockets/detached.js";
import { AF, bindSocket, closeDescriptor, createSocket, unixAddress } from "#src/memory/index.js";

const linux = { skip: process.platform === "linux" ? false : "Node binds the path itself here" };

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "kstate-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "app.sock");
}

async function open(t: TestContext, path: string): Promise<Server> {
  const server = createServer((socket) => socket.on("error", () => {}).end("kstate"));
  t.after(() => server.close());
  const listeners = new Listeners(new Detached());
  listeners.add(server, { path });
  await listeners.open(new Map());
  return server;
}

function closed(server: Server): Promise<unknown> {
  return new Promise((resolve) => server.close(resolve));
}

async function answerAt(path: string): Promise<string> {
  let text = "";
  for await (const chunk of connect(path)) text += chunk;
  return text;
}

test("a socket is bound at a path, and removed with its server", linux, async (t) => {
  const path = scratch(t);
  const server = await open(t, path);
  assert.equal(server.address(), path);
  assert.equal(await answerAt(path), "kstate");
  await closed(server);
  assert.ok(!existsSync(path));
});

test("what a program that was killed has left is taken over", linux, async (t) => {
  const path = scratch(t);
  const descriptor = createSocket(AF.unix);
  bindSocket(descriptor, unixAddress(path));
  closeDescriptor(descriptor);
  await open(t, path);
  assert.equal(await answerAt(path), "kstate");
});

test("a file at the path, and a socket that is served, are refused and stay", linux, async (t) => {
  const path = scratch(t);
  const refused = (error: unknown): boolean =>
    isKstateError(error, "LISTEN_FAILED") && error.detail.errno === "EADDRINUSE";
  writeFileSync(path, "precious");
  await assert.rejects(open(t, path), refused);
  assert.equal(readFileSync(path, "utf8"), "precious");
  unlinkSync(path);
  await open(t, path);
  await assert.rejects(open(t, path), refused);
  assert.equal(await answerAt(path), "kstate");
});

test("a socket that another program has put at the path stays when the server closes", linux, async (t) => {
  const path = scratch(t);
  const server = await open(t, path);
  unlinkSync(path);
  const other = createServer((socket) => socket.on("error", () => {}).end("mine"));
  t.after(() => other.close());
  await new Promise<void>((listening) => other.listen(path, listening));
  await closed(server);
  assert.equal(await answerAt(path), "mine");
});
