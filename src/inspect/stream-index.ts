/**
 * What a stream consists of, read from its headers and its trailer alone. What is wrong with it does not end the
 * reading: as much as can be known is known, and the damages are listed.
 */

import {
  type DescriptionRecord,
  type LockRecord,
  lockTextHash,
  parseLockRecord,
} from "../description/index.ts";
import { isKstateError } from "../error/index.ts";
import {
  type Crc32,
  type EntryHeader,
  type EntryNote,
  endMark,
  entryHeaderSize,
  readTrailerAt,
  sectionType,
  streamMagic,
  subsectionType,
  type Trailer,
  trailerFixedSize,
} from "../stream/index.ts";
import { type ByteSource, ByteWindow, Damage } from "./byte-window.ts";

export interface StreamIndex {
  readonly source: ByteSource;
  readonly entries: readonly EntryHeader[];
  /** Offset after the end mark, or where the headers could not be followed any more. */
  readonly end: number;
  /** Whether the end mark was found. */
  readonly isComplete: boolean;
  /** Whether there is no trailer, or none was wanted. */
  readonly isForeign: boolean;
  readonly hasDataChecksum: boolean;
  /** SHA-256 of the lock record that the writer sent along. */
  readonly lockHash: string | undefined;
  readonly notes: readonly EntryNote[] | undefined;
  readonly lock: LockRecord | undefined;
  readonly records: ReadonlyMap<string, DescriptionRecord>;
  readonly byId: ReadonlyMap<number, DescriptionRecord>;
  readonly damages: readonly Damage[];
}

export interface IndexOptions {
  /** A kernel's stream, or one whose trailer is not looked at. False unless given. */
  readonly foreign?: boolean;
  /** The descriptions by which it is read, instead of those in the trailer. */
  readonly lock?: LockRecord;
  readonly crc32: Crc32;
}

/** Reads headers and trailer. Throws nothing but what the source throws. */
export function indexStream(source: ByteSource, { foreign = false, lock, crc32 }: IndexOptions): StreamIndex {
  const damages: Damage[] = [];
  const body = readHeaders(source, damages);
  const tail = foreign || !body.isComplete ? undefined : readTail(source, body, damages, crc32);
  const record = lock ?? tail?.lock;
  const descriptions = record?.descriptions ?? [];
  return {
    source,
    ...body,
    isForeign: foreign || tail === undefined,
    hasDataChecksum: tail?.trailer?.hasDataChecksum ?? false,
    lockHash: tail?.hash,
    notes: tail?.trailer?.notes,
    lock: record,
    records: new Map(descriptions.map((found) => [found.name, found])),
    byId: new Map(descriptions.map((found) => [found.id, found])),
    damages,
  };
}

interface Body {
  readonly entries: readonly EntryHeader[];
  readonly end: number;
  readonly isComplete: boolean;
}

/** From the magic number to the end mark, not looking into data. */
function readHeaders(source: ByteSource, damages: Damage[]): Body {
  const input = new ByteWindow(source);
  const entries: EntryHeader[] = [];
  try {
    const magic = input.u32();
    if (magic !== streamMagic)
      throw new Damage(0, `a stream begins with 0x${streamMagic.toString(16)}, not 0x${magic.toString(16)}`);
    for (;;) {
      const header = readHeader(input, entries);
      if (header === undefined) return { entries, end: input.offset, isComplete: true };
      entries.push(header);
      input.skip(header.size);
    }
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
    damages.push(error);
    return { entries, end: Math.min(error.offset, source.size), isComplete: false };
  }
}

function readHeader(input: ByteWindow, entries: readonly EntryHeader[]): EntryHeader | undefined {
  const { offset } = input;
  const type = input.i32();
  if (type === endMark) return undefined;
  if (type !== sectionType && type !== subsectionType)
    throw new Damage(offset, `a section (2), a subsection (1) or the end (-1) is expected, not ${type}`);
  if (type === subsectionType && entries.length === 0)
    throw new Damage(offset, "a subsection without a section");
  if (input.left < entryHeaderSize - 4) throw new Damage(offset, "the stream ends inside of a header");
  const [id, versionId, instanceId, size] = [input.i32(), input.i32(), input.i32(), input.i32()] as const;
  if (size < 0) throw new Damage(offset + 16, `a size is expected, not ${size}`);
  return { index: entries.length, type, id, versionId, instanceId, offset, size };
}

interface Tail {
  readonly trailer: Trailer | undefined;
  readonly hash: string;
  readonly lock: LockRecord | undefined;
}

/** The trailer as far as it is whole. Undefined where there is none. */
function readTail(source: ByteSource, body: Body, damages: Damage[], crc32: Crc32): Tail | undefined {
  const at = body.end;
  if (source.size === at) return undefined;
  const bytes = source.read(at, source.size - at).slice();
  const trailer = trailerOf(source, body, bytes, damages, crc32);
  return trailer === null ? undefined : lockOf(trailer, bytes, at, damages);
}

/** Null where no trailer begins; undefined where one is damaged. A wrong checksum alone does not make it useless. */
function trailerOf(
  source: ByteSource,
  { entries, end }: Body,
  bytes: Uint8Array,
  damages: Damage[],
  crc32: Crc32,
): Trailer | undefined | null {
  const skipped = new Set<string>();
  for (;;) {
    try {
      return readTrailerAt(
        bytes,
        { at: end, entries },
        {
          headers: () => (skipped.has("headers") ? undefined : headersOf(source, entries, end, crc32)),
          data: () => (skipped.has("data") ? undefined : dataOf(source, entries, crc32)),
        },
        crc32,
      );
    } catch (error) {
      if (!isKstateError(error)) throw error;
      if (isKstateError(error, "TRAILER_MISSING")) return null;
      const offset = (error.detail as { readonly offset?: number }).offset ?? end;
      damages.push(new Damage(offset, error.message.replace(/^cannot load[^:]*: /, "")));
      const part = isKstateError(error, "CHECKSUM_MISMATCH") ? error.detail.part : "";
      if ((part !== "headers" && part !== "data") || skipped.has(part)) return undefined;
      skipped.add(part);
    }
  }
}

function headersOf(source: ByteSource, entries: readonly EntryHeader[], end: number, crc32: Crc32): number {
  let crc = crc32(source.read(0, 4));
  for (const { offset } of entries) crc = crc32(source.read(offset, entryHeaderSize), crc);
  return crc32(source.read(end - 4, 4), crc);
}

const chunkSize = 1024 * 1024;

function dataOf(source: ByteSource, entries: readonly EntryHeader[], crc32: Crc32): number {
  let crc = 0;
  for (const { offset, size } of entries) {
    const start = offset + entryHeaderSize;
    for (let at = 0; at < size; at += chunkSize)
      crc = crc32(source.read(start + at, Math.min(chunkSize, size - at)), crc);
  }
  return crc;
}

/** The lock record vouches for itself by its hash, so that it serves even where the rest is damaged. */
function lockOf(trailer: Trailer | undefined, bytes: Uint8Array, at: number, damages: Damage[]): Tail {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLong = bytes.length >= trailerFixedSize;
  const stored = Array.from(bytes.subarray(28, 60), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const text = isLong ? bytes.slice(trailerFixedSize, trailerFixedSize + view.getUint32(60, true)) : bytes;
  const hash = trailer?.lock.hash ?? stored;
  if (!isLong || lockTextHash(text) !== hash) {
    const offset = at + Math.min(trailerFixedSize, bytes.length);
    damages.push(new Damage(offset, "the lock record is not whole: it does not fit its hash"));
    return { trailer, hash, lock: undefined };
  }
  try {
    return { trailer, hash, lock: parseLockRecord(new TextDecoder().decode(text)) };
  } catch (error) {
    damages.push(new Damage(at + trailerFixedSize, (error as Error).message));
    return { trailer, hash, lock: undefined };
  }
}
