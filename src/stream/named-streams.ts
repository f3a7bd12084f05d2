/**
 * Several independent streams in one piece of bytes, by name: what the kernel's author planned as substreams. Each is
 * saved, loaded and dropped by itself, in any order.
 *
 * The bytes, little endian:
 *
 *      0  u8[4]  "KNST"
 *      4  u32    version: 1
 *      8  u32    number of streams
 *     12  u32    size of the table in bytes
 *     16  table, for each stream: u64 offset of the stream, u64 its size, u16 length of its name, the name in UTF-8
 *      …  u32    CRC-32 of everything so far
 *      …  the streams, in the table's order, each beginning at a multiple of 8
 *
 * Streams have their own checksums. Two streams never overlap and every byte that belongs to none is 0.
 */

import { KstateError } from "../error/index.ts";
import { ByteReader, plainBytes } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { type Crc32, crc32 as ownCrc32 } from "./crc32.ts";
import { isWellFormed } from "./text.ts";
import { Trace } from "./trace.ts";

const magic = "KNST";
const version = 1;
const fixedSize = 16;

/** Where named streams are kept. Physical memory, files and the heap have one each. */
export interface StreamShelf {
  names(): readonly string[];
  /** The stream of that name; undefined if there is none. */
  read(name: string): Uint8Array | undefined;
  /** Keeps a stream under a name, instead of the one that was there. */
  write(name: string, stream: Uint8Array): void;
  /** Forgets a stream; gives whether there was one. */
  drop(name: string): boolean;
}

/** Named streams on the heap, which become bytes and are read from bytes. */
export class NamedStreams implements StreamShelf {
  readonly #streams = new Map<string, Uint8Array>();

  /** From bytes that `toBytes` made. The streams are views of them. Throws `STREAM_CORRUPT` and the like. */
  static fromBytes(bytes: Uint8Array, crc32: Crc32 = ownCrc32): NamedStreams {
    const streams = new NamedStreams();
    const plain = plainBytes(bytes);
    for (const { name, offset, size } of readTable(plain, crc32)) {
      streams.#streams.set(name, plain.subarray(offset, offset + size));
    }
    return streams;
  }

  names(): readonly string[] {
    return [...this.#streams.keys()];
  }

  read(name: string): Uint8Array | undefined {
    return this.#streams.get(name);
  }

  write(name: string, stream: Uint8Array): void {
    if (name === "" || name.length > 255 || !isWellFormed(name)) {
      throw new TypeError(`a stream's name has 1 to 255 characters, got ${JSON.stringify(name)}`);
    }
    this.#streams.set(name, plainBytes(stream).slice());
  }

  drop(name: string): boolean {
    return this.#streams.delete(name);
  }

  toBytes(crc32: Crc32 = ownCrc32): Uint8Array {
    const table = new ByteWriter();
    const rows: number[] = [];
    for (const [name, stream] of this.#streams) {
      rows.push(table.offset);
      table.u64(0n);
      table.u64(BigInt(stream.length));
      const start = table.offset;
      table.u16(0);
      const size = table.utf8(name);
      table.patchU16(start, size);
    }
    let offset = aligned(fixedSize + table.offset + 4);
    const offsets: number[] = [];
    for (const stream of this.#streams.values()) {
      table.patchU64(rows[offsets.length]!, BigInt(offset));
      offsets.push(offset);
      offset = aligned(offset + stream.length);
    }
    return this.#laidOut(table.written, offsets, crc32);
  }

  #laidOut(table: Uint8Array, offsets: readonly number[], crc32: Crc32): Uint8Array {
    const out = new ByteWriter();
    out.utf8(magic);
    out.u32(version);
    out.u32(this.#streams.size);
    out.u32(table.length);
    out.bytes(table);
    out.u32(crc32(out.written));
    let i = 0;
    for (const stream of this.#streams.values()) {
      out.zeros(offsets[i++]! - out.offset);
      out.bytes(stream);
    }
    return out.written.slice();
  }
}

interface Row {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

function readTable(bytes: Uint8Array, crc32: Crc32): readonly Row[] {
  const trace = new Trace("load");
  trace.start("streams");
  const input = new ByteReader(bytes, trace);
  const start = input.take(fixedSize);
  const found = String.fromCharCode(...bytes.subarray(start, start + 4));
  if (found !== magic) throw input.corrupt(start, JSON.stringify(magic), JSON.stringify(found));
  input.offset = start + 4;
  const foundVersion = input.u32();
  const count = input.u32();
  const tableSize = input.u32();
  if (foundVersion !== version) throw input.corrupt(start + 4, `version ${version}`, String(foundVersion));
  input.take(tableSize);
  verify(crc32(bytes.subarray(0, input.offset)), input.u32());
  const dataStart = input.offset;
  input.offset = start + fixedSize;
  input.end = dataStart - 4;
  const rows = readRows(input, count, dataStart);
  assertZeros(bytes, rows, dataStart, input);
  return rows;
}

/** Streams follow each other in the table's order and lie inside the bytes. */
function readRows(input: ByteReader, count: number, dataStart: number): readonly Row[] {
  const rows: Row[] = [];
  const names = new Set<string>();
  let expected = aligned(dataStart);
  for (let i = 0; i < count; i++) {
    const at = input.offset;
    const [offset, size] = [Number(input.u64()), Number(input.u64())];
    const name = input.utf8(input.u16());
    if (name === "" || names.has(name)) throw input.corrupt(at + 18, "each name once", JSON.stringify(name));
    if (offset !== expected) throw input.corrupt(at, `the offset ${expected}`, String(offset));
    if (offset + size > input.bytes.length) throw input.truncated(offset + size - input.bytes.length);
    names.add(name);
    rows.push({ name, offset, size });
    expected = aligned(offset + size);
  }
  if (input.left > 0) throw input.corrupt(input.offset, "the end of the table", `${input.left} more bytes`);
  return rows;
}

function assertZeros(bytes: Uint8Array, rows: readonly Row[], dataStart: number, input: ByteReader): void {
  let at = dataStart;
  for (const { offset, size } of [...rows, { offset: bytes.length, size: 0 }]) {
    for (; at < offset; at++)
      if (bytes[at] !== 0) throw input.corrupt(at, "0 between streams", String(bytes[at]));
    at = offset + size;
  }
}

function verify(computed: number, stored: number): void {
  if (computed === stored) return;
  const [expected, found] = [stored, computed].map((value) => `0x${value.toString(16).padStart(8, "0")}`) as [
    string,
    string,
  ];
  throw new KstateError(
    "CHECKSUM_MISMATCH",
    `cannot load: the checksum of the table of streams should be ${expected} and is ${found}`,
    { part: "streams", expected, found },
  );
}

function aligned(offset: number): number {
  return Math.ceil(offset / 8) * 8;
}
