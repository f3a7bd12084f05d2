import { KstateError } from "../error/index.ts";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import type { Crc32 } from "./crc32.ts";
import type { EntryHeader, StreamBody } from "./entries.ts";
import {
  dataChecksumFlag,
  entryHeaderSize,
  instanceKeyLimit,
  lockRecordLimit,
  trailerFixedSize,
  trailerMagic,
  trailerVersion,
} from "./format.ts";
import { Trace } from "./trace.ts";

/** What the trailer says about one entry. */
export interface EntryNote {
  readonly name: string;
  /** The string key of the instance. */
  readonly key: string | undefined;
  /** How many saves carried the entry unread. */
  readonly carried: number;
}

/** The lock record as it travels: its text and the hash of it, in hex. */
export interface LockText {
  readonly hash: string;
  readonly bytes: Uint8Array;
}

export interface Trailer {
  readonly hasDataChecksum: boolean;
  readonly lock: LockText;
  /** In the order of the entries. */
  readonly notes: readonly EntryNote[];
}

/** Appends the trailer to a body that was just written. */
export function writeTrailer(
  out: ByteWriter,
  entries: readonly { readonly offset: number; readonly size: number; readonly note: EntryNote }[],
  lock: LockText,
  options: { readonly dataChecksum: boolean; readonly crc32: Crc32 },
): void {
  const start = out.offset;
  const body = out.written;
  const headers = headerChecksum(body, entries, options.crc32);
  const data = options.dataChecksum ? dataChecksum(body, entries, options.crc32) : 0;
  const rows = new ByteWriter();
  for (const { offset, note } of entries) writeRow(rows, offset, note);
  const size = trailerFixedSize + lock.bytes.length + 4 + rows.offset + 4;
  out.utf8(trailerMagic);
  out.u16(trailerVersion);
  out.u16(options.dataChecksum ? dataChecksumFlag : 0);
  out.u32(size);
  out.u32(headers);
  out.u32(data);
  out.u64(BigInt(start + size));
  out.bytes(bytesOfHex(lock.hash));
  out.u32(lock.bytes.length);
  out.bytes(lock.bytes);
  out.u32(entries.length);
  out.bytes(rows.written);
  out.u32(options.crc32(out.written.subarray(start)));
}

function writeRow(out: ByteWriter, offset: number, { name, key, carried }: EntryNote): void {
  out.u64(BigInt(offset));
  out.u16(Math.min(carried, 0xffff));
  writeText(out, name);
  out.u8(key === undefined ? 0 : 1);
  writeText(out, key ?? "");
}

function writeText(out: ByteWriter, text: string): void {
  const start = out.offset;
  out.u16(0);
  const size = out.utf8(text);
  out.patchU16(start, size);
}

/** Reads and verifies the trailer that follows a body: every checksum that is there, lengths, the table. */
export function readTrailer(bytes: Uint8Array, body: StreamBody, crc32: Crc32): Trailer {
  const { entries, end: at } = body;
  const checksums = {
    headers: () => headerChecksum(bytes.subarray(0, at), entries, crc32),
    data: () => dataChecksum(bytes, entries, crc32),
  };
  return readTrailerAt(bytes.subarray(at), { at, entries }, checksums, crc32);
}

/** What the checksums of headers and data should be; undefined where that is not to be looked at. */
export interface BodyChecksums {
  headers(): number | undefined;
  data(): number | undefined;
}

/** The same for a stream that is not in memory: `bytes` are those from the end mark on, which ends at `at`. */
export function readTrailerAt(
  bytes: Uint8Array,
  { at, entries }: { readonly at: number; readonly entries: readonly EntryHeader[] },
  checksums: BodyChecksums,
  crc32: Crc32,
): Trailer {
  const trace = new Trace("load");
  trace.start("trailer");
  const input = new ByteReader(bytes, trace, 0, bytes.length, at);
  assertMagic(input, at);
  const version = input.u16();
  if (version > trailerVersion) throw tooNew(version);
  const flags = input.u16();
  const size = input.u32();
  if (size < trailerFixedSize + 8) throw input.corrupt(8, "the size of a trailer", String(size));
  input.offset = 0;
  if (input.left < size) throw input.truncated(size);
  if (bytes.length !== size)
    throw input.corrupt(size, "the end of the stream", `${bytes.length - size} more bytes`);
  const stored = new ByteReader(bytes, trace, size - 4).u32();
  verify("trailer", crc32(bytes.subarray(0, size - 4)), stored);
  if (version !== trailerVersion) throw input.corrupt(4, `version ${trailerVersion}`, String(version));
  if ((flags & ~dataChecksumFlag) !== 0) throw input.corrupt(6, "known flags", `0x${flags.toString(16)}`);
  input.offset = 12;
  input.end = size - 4;
  verify("headers", checksums.headers(), input.u32());
  const hasDataChecksum = (flags & dataChecksumFlag) !== 0;
  verify("data", hasDataChecksum ? checksums.data() : 0, input.u32());
  const length = input.u64();
  if (length !== BigInt(at + size))
    throw input.corrupt(input.offset - 8, `the length ${at + size}`, String(length));
  const lock = readLock(input);
  const notes = readTable(input, entries);
  if (input.left > 0) throw input.corrupt(input.offset, "the end of the trailer", `${input.left} more bytes`);
  return { hasDataChecksum, lock, notes };
}

function assertMagic(input: ByteReader, at: number): void {
  if (input.left === 0) throw missing(at);
  if (input.left < trailerFixedSize) throw input.truncated(trailerFixedSize);
  const start = input.take(4);
  for (let i = 0; i < 4; i++) if (input.bytes[start + i] !== trailerMagic.charCodeAt(i)) throw missing(at);
}

function missing(offset: number): KstateError {
  return new KstateError(
    "TRAILER_MISSING",
    `cannot load: after the end mark at offset ${offset} there is no trailer; a kernel's stream is loaded with { foreign: true }`,
    { offset },
  );
}

function tooNew(version: number): KstateError {
  return new KstateError(
    "TRAILER_TOO_NEW",
    `cannot load: the trailer has version ${version}, this kstate reads up to ${trailerVersion}; update kstate on the reading side`,
    { version, highest: trailerVersion },
  );
}

function readLock(input: ByteReader): LockText {
  const hashStart = input.take(32);
  const hash = hexOf(input.bytes.subarray(hashStart, hashStart + 32));
  const start = input.offset;
  const length = input.u32();
  if (length > lockRecordLimit) {
    throw input.corrupt(start, `a lock record of at most ${lockRecordLimit} bytes`, String(length));
  }
  const textStart = input.take(length);
  return { hash, bytes: input.bytes.subarray(textStart, textStart + length) };
}

function readTable(input: ByteReader, entries: readonly EntryHeader[]): readonly EntryNote[] {
  const start = input.offset;
  const count = input.u32();
  if (count !== entries.length) throw input.corrupt(start, `${entries.length} entries`, String(count));
  return entries.map((entry) => {
    const rowStart = input.offset;
    const offset = input.u64();
    if (offset !== BigInt(entry.offset))
      throw input.corrupt(rowStart, `the offset ${entry.offset}`, String(offset));
    const carried = input.u16();
    const name = input.utf8(input.u16());
    const hasKey = input.u8();
    if (hasKey > 1) throw input.corrupt(input.offset - 1, "0 or 1", String(hasKey));
    const key = input.utf8(input.u16());
    const isKey = hasKey === 1 ? key !== "" && key.length <= instanceKeyLimit : key === "";
    if (!isKey)
      throw input.corrupt(rowStart, `a key of 1 to ${instanceKeyLimit} characters, or none`, `${key.length}`);
    return { name, key: hasKey === 1 ? key : undefined, carried };
  });
}

type Extent = { readonly offset: number; readonly size: number };

/** Over the magic, the headers and the end mark, which stand around the data. */
function headerChecksum(body: Uint8Array, entries: readonly Extent[], crc32: Crc32): number {
  let crc = crc32(body.subarray(0, 4));
  for (const { offset } of entries) crc = crc32(body.subarray(offset, offset + entryHeaderSize), crc);
  return crc32(body.subarray(body.length - 4), crc);
}

function dataChecksum(body: Uint8Array, entries: readonly Extent[], crc32: Crc32): number {
  let crc = 0;
  for (const { offset, size } of entries) {
    crc = crc32(body.subarray(offset + entryHeaderSize, offset + entryHeaderSize + size), crc);
  }
  return crc;
}

function verify(part: "headers" | "data" | "trailer", computed: number | undefined, stored: number): void {
  if (computed === stored || computed === undefined) return;
  const [expected, found] = [hex32(stored), hex32(computed)];
  throw new KstateError(
    "CHECKSUM_MISMATCH",
    `cannot load: the checksum of the ${part} should be ${expected} and is ${found}; the stream was damaged`,
    { part, expected, found },
  );
}

function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) =>
    Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16),
  );
}
