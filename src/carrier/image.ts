import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { crc32 } from "node:zlib";
import { PAGE_SIZE, type PhysicalMemory } from "../memory/index.ts";
import {
  DIGEST_BYTES,
  END_ADDRESS,
  END_BYTES,
  HEAD_BYTES,
  IMAGE_MAGIC,
  IMAGE_VERSION,
  type ImageRecord,
  PIECE_BYTES,
  PIECE_HEAD_BYTES,
} from "./format.ts";
import type { Steps } from "./steps.ts";

/** A run of pages that are not all zeros. */
interface Run {
  readonly address: number;
  readonly lengthBytes: number;
}

/** What is said of a suspended service besides what is in its memory. */
export interface ImageFacts {
  readonly service: string;
  readonly generation: number;
}

/** The image of a memory that is CLEAN and that nobody writes to while it is taken and read. */
export class Image {
  readonly record: ImageRecord;
  readonly #memory: PhysicalMemory;
  readonly #runs: readonly Run[];

  /** Looks at every page, which takes a while where there are many. */
  static *take(memory: PhysicalMemory, facts: ImageFacts, digest: ImageRecord["digest"]): Steps<Image> {
    const runs: Run[] = [];
    for (const piece of piecesOf(memory)) {
      runs.push(...withoutZeros(piece.address, memory.bytesAt(piece.address, piece.lengthBytes)));
      yield { kind: "turn" };
    }
    return new Image(memory, facts, digest, runs);
  }

  private constructor(
    memory: PhysicalMemory,
    facts: ImageFacts,
    digest: ImageRecord["digest"],
    runs: readonly Run[],
  ) {
    this.#memory = memory;
    this.#runs = runs;
    const dataBytes = runs.reduce((sum, { lengthBytes }) => sum + PIECE_HEAD_BYTES + lengthBytes, 0);
    const record = {
      id: randomUUID(),
      ...facts,
      capacity: memory.superblock().capacity,
      bootId: bootId(),
      host: hostname(),
      savedAt: new Date().toISOString(),
      digest,
    };
    this.record = withSize(record, HEAD_BYTES + dataBytes + END_BYTES);
  }

  /** The bytes of the image, in order; the data are views of the memory. */
  *bytes(): Generator<Uint8Array> {
    const { digest } = this.record;
    const hash = digest === "sha256" ? createHash("sha256") : undefined;
    const head = encodeHead(this.record);
    let headsCrc = crc32(head);
    hash?.update(head);
    yield head;
    for (const { address, lengthBytes } of this.#runs) {
      const data = this.#memory.bytesAt(address, lengthBytes);
      const pieceHead = encodePieceHead(BigInt(address), lengthBytes, crc32(data));
      headsCrc = crc32(pieceHead, headsCrc);
      hash?.update(pieceHead).update(data);
      yield pieceHead;
      yield data;
    }
    const end = encodePieceHead(END_ADDRESS, this.#runs.length, headsCrc);
    hash?.update(end);
    yield end;
    yield hash?.digest() ?? new Uint8Array(DIGEST_BYTES);
  }
}

const ZEROS = Buffer.alloc(PAGE_SIZE);

/** Everything that is preserved, in pieces that cross no multiple of {@link PIECE_BYTES}. */
function* piecesOf(memory: PhysicalMemory): Generator<Run> {
  for (const range of memory.preservedRanges()) {
    const end = range.address + range.lengthBytes;
    for (let address = range.address; address < end; ) {
      const lengthBytes = Math.min(PIECE_BYTES - (address % PIECE_BYTES), end - address);
      yield { address, lengthBytes };
      address += lengthBytes;
    }
  }
}

function* withoutZeros(address: number, { buffer, byteOffset, length }: Uint8Array): Generator<Run> {
  const bytes = Buffer.from(buffer, byteOffset, length);
  let start = 0;
  for (let at = 0; at < length; at += PAGE_SIZE) {
    if (bytes.compare(ZEROS, 0, PAGE_SIZE, at, at + PAGE_SIZE) !== 0) continue;
    if (at > start) yield { address: address + start, lengthBytes: at - start };
    start = at + PAGE_SIZE;
  }
  if (length > start) yield { address: address + start, lengthBytes: length - start };
}

/** The record says how long the image is, the record included. */
function withSize(record: Omit<ImageRecord, "sizeBytes">, restBytes: number): ImageRecord {
  let sizeBytes = restBytes;
  for (;;) {
    const whole = { ...record, sizeBytes };
    const found = restBytes + Buffer.byteLength(JSON.stringify(whole));
    if (found === sizeBytes) return whole;
    sizeBytes = found;
  }
}

function encodeHead(record: ImageRecord): Uint8Array {
  const text = Buffer.from(JSON.stringify(record));
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(IMAGE_MAGIC, 0);
  head.writeUInt32LE(IMAGE_VERSION, 4);
  head.writeUInt32LE(text.length, 8);
  head.writeUInt32LE(crc32(text), 12);
  return Buffer.concat([head, text]);
}

function encodePieceHead(address: bigint, length: number, crc: number): Uint8Array {
  const head = Buffer.alloc(PIECE_HEAD_BYTES);
  head.writeBigUInt64LE(address, 0);
  head.writeUInt32LE(length, 8);
  head.writeUInt32LE(crc, 12);
  return head;
}

/** Tells one boot of a kernel from the next; empty where the system does not say. */
export function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}
