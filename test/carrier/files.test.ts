import assert from "node:assert/strict";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { crc32 } from "node:zlib";
import { daxCarrier, fileCarrier, openCarrier } from "#src/carrier/index.js";
import { isKstateError } from "#src/error/index.js";
import { contentOf, suspendedMemory } from "./suspended.ts";

const facts = { service: "chat", generation: 3 };

function freshDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "kstate-files-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const isInvalid = (error: unknown): boolean => isKstateError(error, "IMAGE_INVALID");

test("an image that was cut anywhere, or of which any byte was changed, is refused", async (t) => {
  const path = join(freshDirectory(t), "state");
  const memory = suspendedMemory();
  const carrier = fileCarrier(path);
  await carrier.store(memory, facts);
  const whole = readFileSync(path);
  const places = (step: number): number[] =>
    Array.from({ length: Math.ceil(whole.length / step) }, (_, index) => index * step);
  const refused = (bytes: Uint8Array, what: string): void => {
    writeFileSync(path, bytes);
    assert.throws(() => carrier.find()?.restore(), isInvalid, what);
  };
  for (const at of places(1801)) refused(whole.subarray(0, at), `cut at ${at}`);
  for (const at of [...places(1801), ...places(1).slice(0, 24), ...places(1).slice(-50)]) {
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 0x20;
    refused(damaged, `byte ${at}`);
  }
  writeFileSync(path, whole);
  assert.deepEqual(contentOf(carrier.find()!.restore()), contentOf(memory));
});

test("the message names the file, the offset and what is wrong with it", async (t) => {
  const path = join(freshDirectory(t), "state");
  writeFileSync(path, "not an image of a service at all");
  assert.throws(() => fileCarrier(path).find(), {
    code: "IMAGE_INVALID",
    message: `cannot resume from file:${path}: it does not begin like an image of kstate (offset 16)`,
  });
});

test("a copy that is put back is refused like the state that was resumed", async (t) => {
  const path = join(freshDirectory(t), "state");
  const carrier = fileCarrier(path);
  await carrier.store(suspendedMemory(), facts);
  copyFileSync(path, `${path}.copy`);
  carrier.find()!.finish();
  copyFileSync(`${path}.copy`, path);
  assert.throws(
    () => carrier.find(),
    (error) => isKstateError(error, "STALE"),
  );
  assert.equal(carrier.find({ staleOk: true })?.record.generation, 3);
  await carrier.store(suspendedMemory(4), { service: "chat", generation: 4 });
  assert.equal(carrier.find()?.record.generation, 4, "a later state is not stale");
});

test("a store that fails leaves the state before, and nothing else", async (t) => {
  const directory = freshDirectory(t);
  const path = join(directory, "state");
  const carrier = fileCarrier(path);
  await carrier.store(suspendedMemory(), facts);
  const memory = suspendedMemory(4);
  const { bytesAt } = memory;
  let calls = 0;
  memory.bytesAt = (...range) => {
    calls += 1;
    if (calls === 8) throw new Error("no space left on the device");
    return bytesAt.apply(memory, range);
  };
  await assert.rejects(carrier.store(memory, facts), {
    code: "CARRIER_FAILED",
    message: `cannot keep the state in file:${path}: no space left on the device`,
  });
  assert.deepEqual(readdirSync(directory), ["state"]);
  assert.equal(carrier.find()?.record.generation, 3);
});

test("how much is kept is told, up to all of it", async (t) => {
  const path = join(freshDirectory(t), "state");
  for (const options of [{}, { partBytes: 40_000 }]) {
    const told: [doneBytes: number, totalBytes: number][] = [];
    const progress = (...both: [number, number]): void => void told.push(both);
    const { record } = await fileCarrier(path, options).store(suspendedMemory(), facts, { progress });
    assert.deepEqual(told.at(-1), [record.sizeBytes, record.sizeBytes]);
    assert.ok(told.every(([doneBytes], index) => index === 0 || doneBytes > told[index - 1]![0]));
  }
});

test("parts of a store that failed, or whose process was killed, do not stay", async (t) => {
  const directory = freshDirectory(t);
  const path = join(directory, "state");
  const carrier = fileCarrier(path, { partBytes: 50_000 });
  const memory = suspendedMemory();
  const { bytesAt } = memory;
  let calls = 0;
  memory.bytesAt = (...range) => {
    calls += 1;
    if (calls === 8) throw new Error("no space left on the device");
    return bytesAt.apply(memory, range);
  };
  await assert.rejects(carrier.store(memory, facts), { code: "CARRIER_FAILED" });
  assert.deepEqual(readdirSync(directory), []);
  writeFileSync(join(directory, "state.0123abcd.0001"), "of a process that was killed");
  await carrier.store(suspendedMemory(), facts);
  assert.ok(!readdirSync(directory).includes("state.0123abcd.0001"));
  carrier.find()!.finish();
  await carrier.store(suspendedMemory(4), { service: "chat", generation: 4 });
  carrier.find()!.restore();
  rmSync(path);
  assert.equal(
    carrier.find({ staleOk: true })?.restore().superblock().generation,
    3,
    "the parts of the state that was resumed are still there",
  );
});

test("parts that are missing or damaged are named, and the others need not be copied again", async (t) => {
  const directory = freshDirectory(t);
  const path = join(directory, "state");
  const memory = suspendedMemory();
  const carrier = fileCarrier(path, { partBytes: 50_000 });
  await carrier.store(memory, facts);
  const parts = readdirSync(directory).filter((name) => name !== "state");
  assert.ok(parts.length >= 3);
  const second = join(directory, parts[1]!);
  const bytes = readFileSync(second);
  rmSync(second);
  const names = (error: unknown): boolean =>
    isInvalid(error) && new RegExp(`copy them again: ${parts[1]}$`).test((error as Error).message);
  assert.throws(() => carrier.find(), names);
  writeFileSync(second, Buffer.from(bytes).reverse());
  assert.throws(() => carrier.find()?.restore(), names);
  writeFileSync(second, bytes);
  assert.deepEqual(contentOf(carrier.find()!.restore()), contentOf(memory));
  await carrier.store(suspendedMemory(4), facts);
  const later = readdirSync(directory);
  assert.ok(
    later.every((name) => !parts.includes(name)),
    "the parts before are gone",
  );
});

test("a file that is not on DAX is refused as one", async (t) => {
  const path = join(freshDirectory(t), "state");
  await assert.rejects(daxCarrier(path).store(suspendedMemory(), facts), {
    code: "DAX_UNSUPPORTED",
    message: `cannot keep the state in dax:${path}: its file system is not mounted with dax; mount it so (mount -o dax=always /dev/pmem0 …), or use file:${path}`,
  });
});

test("an address that is not one says how it is written", () => {
  for (const [address, problem] of [
    ["tape:/dev/st0", /write file:PATH, luo:SESSION or dax:PATH/],
    ["/var/lib/chat", /write file:PATH, luo:SESSION or dax:PATH, here file:\/var\/lib\/chat$/],
    ["file:state", /the path is not absolute/],
    [`luo:${"x".repeat(64)}`, /at most 63 bytes/],
  ] as const) {
    assert.throws(
      () => openCarrier(address),
      (error) => isKstateError(error, "CARRIER_FAILED") && problem.test(error.message),
    );
  }
  assert.equal(openCarrier("luo:chat").name, "luo:chat");
});

test("a list of parts names files beside it and nothing else", async (t) => {
  const directory = freshDirectory(t);
  const path = join(directory, "state");
  const carrier = fileCarrier(path, { partBytes: 64 * 1024 });
  await carrier.store(suspendedMemory(), facts);
  const list = JSON.parse(readFileSync(path, "utf8"));
  const damaged = (change: object): void => writeFileSync(path, JSON.stringify({ ...list, ...change }));
  const [first, ...others] = list.parts;
  for (const name of ["", ".", "..", "a\0b", "../state.00000000.0001", "/etc/passwd", "state", 7, null]) {
    damaged({ parts: [{ ...first, name }, ...others] });
    assert.throws(() => carrier.find(), isInvalid, JSON.stringify(name));
  }
  for (const change of [
    { parts: {} },
    { parts: [null] },
    { parts: [{ ...first, bytes: -1 }] },
    { parts: [{ ...first, sha256: "x" }] },
    { version: 2 },
  ]) {
    damaged(change);
    assert.throws(() => carrier.find(), isInvalid, JSON.stringify(change));
  }
  const directoryPart = { ...first, name: "state.00000000.0001", bytes: statSync(directory).size };
  mkdirSync(join(directory, directoryPart.name));
  damaged({ parts: [{ ...directoryPart, bytes: statSync(join(directory, directoryPart.name)).size || 1 }] });
  assert.throws(
    () => carrier.find(),
    (error) =>
      isKstateError(error, "FILE_UNTRUSTED") &&
      /00000000\.0001: it is not a regular file/.test(error.message),
  );
  const missing = Array.from({ length: 100 }, (_, i) => ({ ...first, name: `x.0000000a.${1000 + i}` }));
  damaged({ parts: missing });
  assert.throws(() => carrier.find(), /100 of its parts are missing .* x\.0000000a\.1009 and 90 more/);
});

test("an image that says that it is of a memory without end is refused before any is made", async (t) => {
  const path = join(freshDirectory(t), "state");
  await fileCarrier(path).store(suspendedMemory(), facts);
  const image = readFileSync(path);
  const record = JSON.parse(image.subarray(16, 16 + image.readUInt32LE(8)).toString());
  const text = Buffer.from(JSON.stringify({ ...record, capacity: 2 ** 52 }));
  const head = Buffer.from(image.subarray(0, 16));
  head.writeUInt32LE(text.length, 8);
  head.writeUInt32LE(crc32(text), 12);
  writeFileSync(path, Buffer.concat([head, text]));
  assert.throws(() => fileCarrier(path).find(), /its record is not complete/);
});
