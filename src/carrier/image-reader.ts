import { createHash, type Hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { KstateError } from "../error/index.ts";
import { type BackEnd, PAGE_SIZE, PhysicalMemory } from "../memory/index.ts";
import {
  DIGEST_BYTES,
  END_ADDRESS,
  HEAD_BYTES,
  IMAGE_MAGIC,
  IMAGE_VERSION,
  type ImageRecord,
  MAX_CAPACITY,
  MAX_RECORD_BYTES,
  PIECE_BYTES,
  PIECE_HEAD_BYTES,
} from "./format.ts";

/** Where an image comes from, from front to back. */
export interface ByteSource {
  /** What it is called in messages: `file:/var/lib/chat.kstate`. */
  readonly name: string;
  /** Fills `into` with the next bytes, and returns how many there were: less than asked only at the end. */
  read(into: Uint8Array): number;
}

/**
 * Reads one image and believes nothing that it says: every length is bounded, every piece has its checksum. Errors are
 * `IMAGE_INVALID` with the offset.
 */
export class ImageReader {
  readonly record: ImageRecord;
  readonly #source: ByteSource;
  readonly #hash: Hash | undefined;
  #offset = 0;
  #headsCrc = 0;

  constructor(source: ByteSource) {
    this.#source = source;
    const head = this.#bytes(HEAD_BYTES);
    if (head.readUInt32LE(0) !== IMAGE_MAGIC)
      throw this.#invalid("it does not begin like an image of kstate");
    const version = head.readUInt32LE(4);
    if (version !== IMAGE_VERSION) {
      throw this.#invalid(`it is of version ${version}, and this kstate reads ${IMAGE_VERSION}`);
    }
    const length = head.readUInt32LE(8);
    if (length > MAX_RECORD_BYTES) throw this.#invalid(`its record has ${length} bytes`);
    const text = this.#bytes(length);
    if (crc32(text) !== head.readUInt32LE(12)) throw this.#invalid("its record is damaged");
    this.record = this.#parse(text.toString("utf8"));
    this.#headsCrc = crc32(text, crc32(head));
    if (this.record.digest === "sha256") this.#hash = createHash("sha256").update(head).update(text);
  }

  /** The memory of the image, in a new back end of its capacity. CLEAN, owned by nobody. */
  restore(backEnd: BackEnd): PhysicalMemory {
    return PhysicalMemory.restore(backEnd, (place) => this.#pieces(place));
  }

  #pieces(place: (address: number, lengthBytes: number) => Uint8Array): void {
    let count = 0;
    for (let next = 0; ; count += 1) {
      const before = this.#headsCrc;
      const head = this.#bytes(PIECE_HEAD_BYTES);
      const length = head.readUInt32LE(8);
      const crc = head.readUInt32LE(12);
      if (head.readBigUInt64LE(0) === END_ADDRESS) return this.#end({ head, count, length, crc, before });
      this.#headsCrc = crc32(head, before);
      this.#hash?.update(head);
      const address = this.#address(head, length, next);
      const data = place(address, length);
      this.#fill(data);
      if (crc32(data) !== crc) throw this.#invalid(`the piece for 0x${address.toString(16)} is damaged`);
      this.#hash?.update(data);
      next = address + length;
    }
  }

  /** The address of a piece, inside the memory and after the piece before. */
  #address(head: Buffer, length: number, next: number): number {
    const address = Number(head.readBigUInt64LE(0));
    const isWhole = address % PAGE_SIZE === 0 && length % PAGE_SIZE === 0 && length > 0;
    const isOne = Math.floor(address / PIECE_BYTES) === Math.floor((address + length - 1) / PIECE_BYTES);
    if (isWhole && isOne && address >= next && address + length <= this.record.capacity) return address;
    throw this.#invalid(`a piece of ${length} bytes for 0x${address.toString(16)} cannot be`);
  }

  #end(found: { head: Buffer; count: number; length: number; crc: number; before: number }): void {
    if (found.length !== found.count || found.crc !== found.before) throw this.#invalid("pieces are missing");
    this.#hash?.update(found.head);
    const digest = this.#bytes(DIGEST_BYTES);
    if (this.#hash !== undefined && !this.#hash.digest().equals(digest))
      throw this.#invalid("its digest is wrong");
    if (this.#offset !== this.record.sizeBytes) {
      throw this.#invalid(`it says that it has ${this.record.sizeBytes} bytes and has ${this.#offset}`);
    }
  }

  #parse(text: string): ImageRecord {
    let record: Partial<ImageRecord> | null;
    try {
      record = JSON.parse(text) as Partial<ImageRecord> | null;
    } catch {
      throw this.#invalid("its record is not JSON");
    }
    const { id, service, bootId, host, savedAt, generation, capacity, sizeBytes, digest } = record ?? {};
    const texts = [id, service, bootId, host, savedAt].every((value) => typeof value === "string");
    const numbers = [generation, capacity, sizeBytes].every(
      (value) => Number.isSafeInteger(value) && value! >= 0,
    );
    const isMemory = numbers && capacity! % PAGE_SIZE === 0 && capacity! > 0 && capacity! <= MAX_CAPACITY;
    if (texts && isMemory && (digest === "sha256" || digest === "none")) {
      return record as ImageRecord;
    }
    throw this.#invalid("its record is not complete");
  }

  #bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    this.#fill(bytes);
    return bytes;
  }

  #fill(into: Uint8Array): void {
    const count = this.#source.read(into);
    this.#offset += count;
    if (count < into.length)
      throw this.#invalid(
        this.#offset === 0 ? "it is empty" : "it ends too early: it was cut, or never finished",
      );
  }

  #invalid(problem: string): KstateError {
    const { name } = this.#source;
    const message = `cannot resume from ${name}: ${problem} (offset ${this.#offset})`;
    return new KstateError("IMAGE_INVALID", message, { carrier: name, offset: this.#offset, problem });
  }
}
