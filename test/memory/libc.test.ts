import assert from "node:assert/strict";
import { closeSync, fstatSync, readSync, writeSync } from "node:fs";
import { test } from "node:test";
import { isKstateError } from "#src/error/index.js";
import { createMemory, isDirectAccess, mapFile, setSize } from "#src/memory/ffi/libc.js";
import {
  closeDescriptor,
  MAX_DESCRIPTORS,
  POLL,
  poll,
  receiveMessage,
  sendMessage,
  socketPair,
} from "#src/memory/index.js";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test("a message keeps its bytes and its descriptors, which stay open on both sides", (t) => {
  const [left, right] = socketPair();
  const file = createMemory("test");
  t.after(() => [left, right, file].forEach(closeDescriptor));
  writeSync(file, "content");
  assert.equal(sendMessage(left, text("hello"), [file, file]), "sent");
  const message = receiveMessage(right);
  assert.ok(typeof message === "object");
  assert.equal(Buffer.from(message.payload).toString(), "hello");
  assert.equal(message.descriptors.length, 2);
  for (const descriptor of message.descriptors) {
    assert.equal(fstatSync(descriptor).ino, fstatSync(file).ino);
    const content = Buffer.alloc(7);
    readSync(descriptor, content, 0, 7, 0);
    assert.equal(content.toString(), "content");
    closeSync(descriptor);
  }
});

test("the most descriptors that the kernel takes come in one message and in order", (t) => {
  const [left, right] = socketPair();
  const files = Array.from({ length: MAX_DESCRIPTORS }, (_, size) => {
    const file = createMemory("test");
    setSize(file, size);
    return file;
  });
  t.after(() => [left, right, ...files].forEach(closeDescriptor));
  assert.equal(sendMessage(left, text("all"), files), "sent");
  const message = receiveMessage(right);
  assert.ok(typeof message === "object");
  assert.deepEqual(
    message.descriptors.map((descriptor) => fstatSync(descriptor).size),
    files.map((_, size) => size),
  );
  message.descriptors.forEach(closeDescriptor);
});

test("a receiver sees that there is nothing, and that nobody is there any more", (t) => {
  const [left, right] = socketPair();
  t.after(() => closeDescriptor(right));
  assert.equal(receiveMessage(right), "empty");
  assert.deepEqual(poll([{ fd: right, events: POLL.in }], 0), [0]);
  closeDescriptor(left);
  assert.equal(receiveMessage(right), "closed");
  assert.equal(sendMessage(right, text("x"), []), "closed");
});

test("a sender whose receiver does not read is told to wait, and nothing is lost", (t) => {
  const [left, right] = socketPair();
  t.after(() => [left, right].forEach(closeDescriptor));
  let sent = 0;
  while (sendMessage(left, new Uint8Array(60_000).fill(sent), []) === "sent") sent += 1;
  assert.ok(sent > 0);
  for (let index = 0; index < sent; index += 1) {
    const message = receiveMessage(right);
    assert.ok(
      typeof message === "object" && message.payload[0] === index && message.payload.length === 60_000,
    );
  }
});

test("a failed call names itself and errno", () => {
  assert.throws(
    () => setSize(999_999, 1),
    (error) =>
      isKstateError(error, "SYSTEM_CALL") &&
      error.message === "ftruncate failed: bad file descriptor (EBADF)",
  );
});

test("an ordinary file has no synchronous mapping, and is not mapped from its medium", (t) => {
  const fd = createMemory("ordinary");
  t.after(() => closeDescriptor(fd));
  setSize(fd, 4096);
  assert.equal(isDirectAccess(fd), false);
  assert.throws(
    () => mapFile(fd, 0, 4096, false, "synchronous"),
    (error) => isKstateError(error, "SYSTEM_CALL") && error.detail.errno === "ENOTSUP",
  );
});
