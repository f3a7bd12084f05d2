// Feeds damaged images of suspended services to whoever resumes: `node fuzz/images.mjs [inputs] [seed]`, after a build.
// Whatever the bytes, they are refused by a code of ours, or become a memory that can be read, and whose own image is read
// again to the same.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { HEAD_BYTES, PIECE_HEAD_BYTES } from "../dist/carrier/format.js";
import { Image } from "../dist/carrier/image.js";
import { ImageReader } from "../dist/carrier/image-reader.js";
import { parsePartList } from "../dist/carrier/parts.js";
import { inOneTurn } from "../dist/carrier/steps.js";
import { isKstateError } from "../dist/error/index.js";
import { createHeap } from "../dist/memory/heap-back-end.js";
import { HANDOVER, PhysicalMemory } from "../dist/memory/index.js";
import { mutated } from "./mutate.mjs";
import { mutatedJson } from "./mutate-json.mjs";
import { fuzzerOf, runAsProgram, trying } from "./runner.mjs";

const capacity = 128 * 1024;
const facts = { service: "chat", generation: 3 };

function imageOf(memory, digest) {
  return Buffer.concat([...inOneTurn(Image.take(memory, facts, digest)).bytes()]);
}

function suspended(fill) {
  const memory = PhysicalMemory.create(createHeap(capacity));
  memory.alloc(5_000, "items").bytes.fill(fill, 0, 4_096);
  memory.alloc(9_000, "sparse").bytes[8_000] = 99;
  const stream = memory.alloc(600);
  stream.bytes.fill(0x5a, 0, 600);
  memory.keepStream(HANDOVER, stream, 600, 3, { state: "CLEAN" });
  return memory;
}

const seeds = ["sha256", "none"].map((digest) => seedOf(imageOf(suspended(7), digest)));
const records = seeds.map(recordOf);
const list = {
  kstate: "parts",
  version: 1,
  parts: [1, 2].map((n) => ({ name: `chat.0f3a9c21.000${n}`, bytes: 70, sha256: "0f".repeat(32) })),
};

/** The same in every run: without time, host and random numbers. */
function seedOf(image) {
  const record = {
    ...recordOf(image),
    id: "0f3a9c21",
    bootId: "",
    host: "a",
    savedAt: "2026-01-01T00:00:00.000Z",
  };
  for (let bytes = 0; bytes !== record.sizeBytes; ) {
    bytes = record.sizeBytes;
    record.sizeBytes = withRecord(image, record).length;
  }
  const seed = corrected(withRecord(image, record));
  assert.equal(check(seed), "restored");
  return seed;
}

function recordOf(image) {
  return JSON.parse(image.subarray(HEAD_BYTES, HEAD_BYTES + image.readUInt32LE(8)).toString());
}

/** The image with another record. */
function withRecord(image, record) {
  const text = Buffer.from(JSON.stringify(record) ?? "");
  const head = Buffer.from(image.subarray(0, HEAD_BYTES));
  head.writeUInt32LE(text.length, 8);
  return Buffer.concat([head, text, image.subarray(HEAD_BYTES + image.readUInt32LE(8))]);
}

/** Corrects the checksums of a damaged image as far as its structure can be followed. */
function corrected(image) {
  if (image.length < HEAD_BYTES) return image;
  const end = HEAD_BYTES + image.readUInt32LE(8);
  if (end > image.length) return image;
  image.writeUInt32LE(crc32(image.subarray(HEAD_BYTES, end)), 12);
  let heads = crc32(image.subarray(0, end));
  let at = end;
  let count = 0;
  for (; at + PIECE_HEAD_BYTES <= image.length; count++) {
    const size = image.readUInt32LE(at + 8);
    if (image.readBigUInt64LE(at) === 0xffff_ffff_ffff_ffffn) break;
    const start = at + PIECE_HEAD_BYTES;
    if (start + size > image.length) return image;
    image.writeUInt32LE(crc32(image.subarray(start, start + size)), at + 12);
    heads = crc32(image.subarray(at, start), heads);
    at = start + size;
  }
  if (at + 48 > image.length) return image;
  image.writeUInt32LE(count, at + 8);
  image.writeUInt32LE(heads, at + 12);
  const digest = createHash("sha256")
    .update(image.subarray(0, at + PIECE_HEAD_BYTES))
    .digest();
  if (image.subarray(at + 16, at + 48).some((byte) => byte !== 0)) digest.copy(image, at + PIECE_HEAD_BYTES);
  return image;
}

/** What the pieces of an image are of: the newest superblock says where the table is, and both have checksums. */
function withTable(image, random) {
  const end = HEAD_BYTES + image.readUInt32LE(8);
  const at = end + PIECE_HEAD_BYTES;
  if (at + 8192 > image.length) return image;
  const place = at + random.pick([0, 4096]) + random.below(64);
  image[place] = random.pick([0, 1, 3, 4, 255, random.below(256)]);
  for (const copy of [at, at + 4096]) {
    const crcAt = copy + 56; // of the superblock
    if (crcAt + 4 <= image.length) image.writeUInt32LE(crc32(image.subarray(copy, crcAt)), crcAt);
  }
  return image;
}

function sourceOf(bytes) {
  let at = 0;
  return {
    name: "fuzz",
    read: (into) => {
      const part = bytes.subarray(at, at + into.length);
      into.set(part);
      at += part.length;
      return part.length;
    },
  };
}

function contentOf(memory) {
  const { folios } = memory.preserved();
  const sums = folios.map(({ address, order }) => crc32(memory.bytesAt(address, 4096 * 2 ** order)));
  return JSON.stringify([
    memory.superblock().state,
    folios,
    sums,
    memory.stream(HANDOVER)?.bytes.length ?? 0,
  ]);
}

/** Reads one image; gives the code by which it is refused, or "restored". */
function check(bytes) {
  try {
    const reader = new ImageReader(sourceOf(bytes));
    if (reader.record.capacity > 16 * capacity) return "large";
    const memory = reader.restore(createHeap(reader.record.capacity));
    const content = contentOf(memory);
    const again = new ImageReader(sourceOf(imageOf(memory, "none"))).restore(
      createHeap(reader.record.capacity),
    );
    assert.equal(contentOf(again), content);
    return "restored";
  } catch (error) {
    assert.ok(isKstateError(error), error?.stack ?? String(error));
    assert.ok(error.message.length < 100_000, "what was read is repeated in the message");
    return error.code;
  }
}

function checkList(text) {
  try {
    for (const name of parsePartList("fuzz", text)) assert.ok(/^[^/\0]+$/.test(name) && name !== "..", name);
    return "list";
  } catch (error) {
    assert.ok(isKstateError(error, "IMAGE_INVALID"), error?.stack ?? String(error));
    return "no list";
  }
}

function one(random) {
  const which = random.below(seeds.length);
  const way = random.below(16);
  if (way < 3) {
    const text = JSON.stringify(mutatedJson(list, [list, records[0]], random)) ?? "";
    return trying(text, () => checkList(text));
  }
  let image = Buffer.from(seeds[which]);
  if (way < 6) image = withRecord(image, mutatedJson(records[which], [list, records[which]], random));
  else if (way < 10) image = withTable(image, random);
  else image = Buffer.from(mutated(image, seeds, random));
  if (random.below(8) > 0) image = corrected(image);
  return trying(image.toString("hex"), () => check(image));
}

export const fuzz = fuzzerOf(one);
runAsProgram(import.meta.url, fuzz);
