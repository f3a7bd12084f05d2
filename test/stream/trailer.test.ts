import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { crc32 as zlibCrc32 } from "node:zlib";
import { defineState, isKstateError, lockHash, Registry, u8, u16 } from "kstate";
import { crc32 } from "#src/stream/index.js";

const description = defineState({ name: "thing", id: 1, versionId: 2, fields: [["a", u16]] });

function saved(dataChecksum = true): { stream: Uint8Array; registry: Registry } {
  const registry = new Registry();
  registry.register(description, { a: 0x1234 }, "schlüssel");
  return { stream: registry.save({ dataChecksum }), registry };
}

/** Where the body of `saved` ends: magic, header, two bytes, end mark. */
const bodySize = 4 + 20 + 2 + 4;

/** The stream with bytes put in the trailer and its checksum corrected. */
function forged(stream: Uint8Array, change: (trailer: Buffer) => void): Uint8Array {
  const copy = Buffer.from(stream);
  const trailer = copy.subarray(bodySize);
  change(trailer);
  trailer.writeUInt32LE(zlibCrc32(trailer.subarray(0, -4)), trailer.length - 4);
  return Uint8Array.from(copy);
}

function load(stream: Uint8Array, options = {}): void {
  const registry = new Registry();
  registry.register(description, { a: 0 }, "schlüssel");
  registry.load(stream, options);
}

describe("the trailer", () => {
  test("has the bytes that the contract says", () => {
    const { stream, registry } = saved();
    const body = Buffer.from(stream.subarray(0, bodySize));
    const trailer = Buffer.from(stream.subarray(bodySize));
    const record = registry.lockRecord();
    assert.equal(trailer.toString("latin1", 0, 4), "KSTR");
    assert.equal(trailer.readUInt16LE(4), 1, "version");
    assert.equal(trailer.readUInt16LE(6), 1, "flags: data checksum");
    assert.equal(trailer.readUInt32LE(8), trailer.length, "size");
    const headers = Buffer.concat([body.subarray(0, 24), body.subarray(26)]);
    assert.equal(trailer.readUInt32LE(12), zlibCrc32(headers), "CRC of headers");
    assert.equal(trailer.readUInt32LE(16), zlibCrc32(body.subarray(24, 26)), "CRC of data");
    assert.equal(trailer.readBigUInt64LE(20), BigInt(stream.length), "length of the stream");
    assert.equal(trailer.toString("hex", 28, 60), lockHash(record), "hash of the lock record");
    const lockSize = trailer.readUInt32LE(60);
    const lock = trailer.subarray(64, 64 + lockSize);
    assert.deepEqual(JSON.parse(lock.toString("utf8")), record);
    assert.equal(createHash("sha256").update(lock).digest("hex"), lockHash(record));
    const table = trailer.subarray(64 + lockSize);
    assert.equal(table.readUInt32LE(0), 1, "entries");
    assert.equal(table.readBigUInt64LE(4), 4n, "offset of the entry");
    assert.equal(table.readUInt16LE(12), 0, "generations carried");
    assert.equal(table.readUInt16LE(14), 5);
    assert.equal(table.toString("utf8", 16, 21), "thing");
    assert.equal(table.readUInt8(21), 1, "has a key");
    assert.equal(table.readUInt16LE(22), 10);
    assert.equal(table.toString("utf8", 24, 34), "schlüssel");
    assert.equal(table.readUInt32LE(34), zlibCrc32(trailer.subarray(0, -4)), "CRC of the trailer");
    assert.equal(table.length, 38);
  });

  test("without a data checksum the flag and the field are 0, and a reader may insist on one", () => {
    const { stream } = saved(false);
    const trailer = Buffer.from(stream.subarray(bodySize));
    assert.deepEqual([trailer.readUInt16LE(6), trailer.readUInt32LE(16)], [0, 0]);
    assert.doesNotThrow(() => load(stream));
    assert.throws(
      () => load(stream, { requireDataChecksum: true }),
      (error) => isKstateError(error, "DATA_CHECKSUM_REQUIRED"),
    );
    assert.doesNotThrow(() => load(saved().stream, { requireDataChecksum: true }));
  });

  const lies: [string, (trailer: Buffer) => void, string][] = [
    ["a newer version", (trailer) => trailer.writeUInt16LE(2, 4), "TRAILER_TOO_NEW"],
    ["version 0", (trailer) => trailer.writeUInt16LE(0, 4), "STREAM_CORRUPT"],
    ["unknown flags", (trailer) => trailer.writeUInt16LE(3, 6), "STREAM_CORRUPT"],
    ["another length", (trailer) => trailer.writeBigUInt64LE(5n, 20), "STREAM_CORRUPT"],
    ["another checksum of the headers", (trailer) => trailer.writeUInt32LE(5, 12), "CHECKSUM_MISMATCH"],
    ["another checksum of the data", (trailer) => trailer.writeUInt32LE(5, 16), "CHECKSUM_MISMATCH"],
    ["another hash of the lock record", (trailer) => trailer.writeUInt32LE(5, 28), "CHECKSUM_MISMATCH"],
    [
      "a lock record longer than the trailer",
      (trailer) => trailer.writeUInt32LE(0x00ffffff, 60),
      "STREAM_TRUNCATED",
    ],
    ["a lock record above the limit", (trailer) => trailer.writeUInt32LE(0xffffffff, 60), "STREAM_CORRUPT"],
    [
      "another number of entries",
      (trailer) => trailer.writeUInt32LE(2, trailer.length - 38),
      "STREAM_CORRUPT",
    ],
    [
      "another offset of an entry",
      (trailer) => trailer.writeUInt32LE(5, trailer.length - 34),
      "STREAM_CORRUPT",
    ],
    ["a key without its flag", (trailer) => trailer.writeUInt8(0, trailer.length - 17), "STREAM_CORRUPT"],
    ["a key flag that is none", (trailer) => trailer.writeUInt8(2, trailer.length - 17), "STREAM_CORRUPT"],
    [
      "a name that is longer than the trailer",
      (trailer) => trailer.writeUInt16LE(0xffff, trailer.length - 24),
      "STREAM_TRUNCATED",
    ],
  ];

  for (const [what, change, code] of lies) {
    test(`${what}, with a correct checksum, is refused with ${code}`, () => {
      assert.throws(
        () => load(forged(saved().stream, change)),
        (error) => {
          assert.ok(isKstateError(error), String(error));
          assert.equal(error.code, code, error.message);
          return true;
        },
      );
    });
  }

  test("a lock record that is no lock record is refused, whatever it is", () => {
    const wrong = [
      "[]",
      "{}",
      "null",
      '{"format":2,"descriptions":[]}',
      '{"format":1,"descriptions":[1]}',
      "{",
      '{"format":1,"descriptions":[{"name":1}]}',
      `{"format":1,"descriptions":[{"name":"a","id":1,"versionId":0,"minVersionId":0,"subsections":[],"fields":[{"name":"x","kind":${'{"kind":"list","element":'.repeat(100)}{"kind":"u8"}${"}".repeat(100)}}]}]}`,
    ];
    for (const text of wrong) {
      assert.throws(
        () => load(withLock(saved().stream, text)),
        (error) =>
          isKstateError(error, "STREAM_CORRUPT") && error.message.startsWith("cannot read the lock record"),
        text.slice(0, 60),
      );
    }
  });

  test("a lock record without the description that the stream has is refused", () => {
    assert.throws(
      () => load(withLock(saved().stream, '{"descriptions":[],"format":1}')),
      (error) =>
        isKstateError(error, "STREAM_CORRUPT") && error.message.includes("lock record does not have it"),
    );
  });

  test("CRC-32 is zlib's, in one piece and in many", () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 31) & 255);
    for (const length of [0, 1, 7, 8, 9, 63, 64, 65, 1000]) {
      const part = bytes.subarray(0, length);
      assert.equal(crc32(part), zlibCrc32(part));
      assert.equal(crc32(part.subarray(3), crc32(part.subarray(0, 3))), zlibCrc32(part));
    }
  });

  test("a buffer handed in is written into, and one that is too small is an error that says how large", () => {
    const registry = new Registry();
    registry.register(defineState({ name: "d", id: 1, fields: [["a", u8]] }), { a: 7 });
    const whole = registry.save();
    const into = new Uint8Array(whole.length + 50);
    const written = registry.save({ into });
    assert.equal(written.buffer, into.buffer);
    assert.deepEqual(written, whole);
    assert.deepEqual(registry.save({ into: new Uint8Array(whole.length) }), whole);
    for (let size = 0; size < whole.length; size++) {
      assert.throws(
        () => registry.save({ into: new Uint8Array(size) }),
        (error) =>
          isKstateError(error, "STREAM_FULL") && error.detail.size === size && error.detail.needed > size,
      );
    }
  });
});

/** The stream with another lock record, everything else made to fit. */
function withLock(stream: Uint8Array, text: string): Uint8Array {
  const trailer = Buffer.from(stream.subarray(bodySize));
  const lock = Buffer.from(text);
  const table = trailer.subarray(64 + trailer.readUInt32LE(60));
  const longer = Buffer.concat([stream.subarray(0, bodySize), trailer.subarray(0, 64), lock, table]);
  return forged(longer, (forgedTrailer) => {
    forgedTrailer.writeUInt32LE(forgedTrailer.length, 8);
    forgedTrailer.writeBigUInt64LE(BigInt(longer.length), 20);
    createHash("sha256").update(lock).digest().copy(forgedTrailer, 28);
    forgedTrailer.writeUInt32LE(lock.length, 60);
  });
}
