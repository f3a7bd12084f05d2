import { KstateError } from "../error/index.ts";

const encoder = new TextEncoder();
const smallest = 4096;

/** NaN as it is written: quiet, positive, without a payload. */
export const nanBits = { f32: 0x7fc00000, f64: 0x7ff8000000000000n } as const;

/** Appends little endian bytes to a buffer that grows, or to one that was handed in and does not. */
export class ByteWriter {
  offset = 0;
  #bytes: Uint8Array<ArrayBufferLike>;
  #view: DataView;
  /** Whether the buffer was handed in and cannot grow. */
  readonly isFixed: boolean;

  constructor(into?: Uint8Array) {
    this.isFixed = into !== undefined;
    this.#bytes = into ?? new Uint8Array(smallest);
    this.#view = viewOf(this.#bytes);
  }

  /** The whole buffer, for generated code; valid until `reserve`. */
  get buffer(): Uint8Array {
    return this.#bytes;
  }

  /** The whole buffer, for generated code; valid until `reserve`. */
  get view(): DataView {
    return this.#view;
  }

  /** What was written: a view, valid until the next write. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.offset);
  }

  get capacity(): number {
    return this.#bytes.length;
  }

  /** Makes room for `size` more bytes. */
  reserve(size: number): void {
    const needed = this.offset + size;
    if (needed <= this.#bytes.length) return;
    if (this.isFixed) {
      throw new KstateError(
        "STREAM_FULL",
        `cannot save: the buffer given as "into" has ${this.#bytes.length} bytes and at least ${needed} are needed; give a larger one`,
        { needed, size: this.#bytes.length },
      );
    }
    const bytes = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    bytes.set(this.written);
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  u8(value: number): void {
    this.reserve(1);
    this.#bytes[this.offset++] = value;
  }

  u16(value: number): void {
    this.reserve(2);
    this.#view.setUint16(this.offset, value, true);
    this.offset += 2;
  }

  u32(value: number): void {
    this.reserve(4);
    this.#view.setUint32(this.offset, value, true);
    this.offset += 4;
  }

  i32(value: number): void {
    this.reserve(4);
    this.#view.setInt32(this.offset, value, true);
    this.offset += 4;
  }

  u64(value: bigint): void {
    this.reserve(8);
    this.#view.setBigUint64(this.offset, value, true);
    this.offset += 8;
  }

  i64(value: bigint): void {
    this.reserve(8);
    this.#view.setBigInt64(this.offset, value, true);
    this.offset += 8;
  }

  /** A safe integer as 64 bits in two's complement, without a bigint. */
  safe64(value: number): void {
    this.reserve(8);
    const high = Math.floor(value / 0x100000000);
    this.#view.setUint32(this.offset, value - high * 0x100000000, true);
    this.#view.setInt32(this.offset + 4, high, true);
    this.offset += 8;
  }

  /** NaN is one value to a program, so it is always the same bytes. */
  f32(value: number): void {
    this.reserve(4);
    this.#view.setFloat32(this.offset, value, true);
    if (Number.isNaN(value)) this.#view.setUint32(this.offset, nanBits.f32, true);
    this.offset += 4;
  }

  f64(value: number): void {
    this.reserve(8);
    this.#view.setFloat64(this.offset, value, true);
    if (Number.isNaN(value)) this.#view.setBigUint64(this.offset, nanBits.f64, true);
    this.offset += 8;
  }

  bytes(value: Uint8Array): void {
    this.reserve(value.length);
    this.#bytes.set(value, this.offset);
    this.offset += value.length;
  }

  zeros(size: number): void {
    this.reserve(size);
    this.#bytes.fill(0, this.offset, this.offset + size);
    this.offset += size;
  }

  /** UTF-8 without a length; gives the number of bytes. The caller has refused lone surrogates. */
  utf8(text: string): number {
    if (this.isFixed && this.offset + text.length * 3 > this.#bytes.length) {
      const encoded = encoder.encode(text);
      this.bytes(encoded);
      return encoded.length;
    }
    this.reserve(text.length * 3);
    const start = this.offset;
    if (text.length <= 48) {
      let i = 0;
      for (; i < text.length; i++) {
        const unit = text.charCodeAt(i);
        if (unit > 0x7f) break;
        this.#bytes[start + i] = unit;
      }
      if (i === text.length) {
        this.offset += i;
        return i;
      }
    }
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(start));
    this.offset += written;
    return written;
  }

  /** Puts a number where one was written before. */
  patchU32(offset: number, value: number): void {
    this.#view.setUint32(offset, value, true);
  }

  patchU16(offset: number, value: number): void {
    this.#view.setUint16(offset, value, true);
  }

  patchU64(offset: number, value: bigint): void {
    this.#view.setBigUint64(offset, value, true);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
