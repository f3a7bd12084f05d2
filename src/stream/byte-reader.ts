import type { Trace } from "./trace.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads little endian bytes, never past `end`: every stream is taken to be hostile. */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly trace: Trace;
  offset: number;
  /** Where the innermost entry ends. */
  end: number;
  readonly #view: DataView;
  /** Where in the stream the bytes begin. */
  readonly #base: number;

  constructor(bytes: Uint8Array, trace: Trace, offset = 0, end: number = bytes.length, base = 0) {
    this.bytes = plainBytes(bytes);
    this.trace = trace;
    this.offset = offset;
    this.end = end;
    this.#base = base;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.end - this.offset;
  }

  /** Passes over `size` bytes and gives the offset where they begin. */
  take(size: number): number {
    const start = this.offset;
    if (size > this.end - start) throw this.truncated(size);
    this.offset = start + size;
    return start;
  }

  truncated(needed: number): Error {
    const left = this.left;
    const offset = this.#base + this.offset;
    const fact = `need ${needed} ${needed === 1 ? "byte" : "bytes"} at offset ${offset}, ${left} left`;
    return this.trace.error("STREAM_TRUNCATED", offset, fact, { needed, left });
  }

  corrupt(at: number, expected: string, found: string): Error {
    const offset = this.#base + at;
    const fact = `expected ${expected} at offset ${offset}, found ${found}`;
    return this.trace.error("STREAM_CORRUPT", offset, fact, { expected, found });
  }

  u8(): number {
    return this.bytes[this.take(1)]!;
  }

  u16(): number {
    return this.#view.getUint16(this.take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.take(4), true);
  }

  i8(): number {
    return this.#view.getInt8(this.take(1));
  }

  i16(): number {
    return this.#view.getInt16(this.take(2), true);
  }

  i32(): number {
    return this.#view.getInt32(this.take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.take(8), true);
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.take(8), true);
  }

  /** 64 bits in two's complement as a number; NaN if it is not a safe integer. */
  safe64(signed: boolean): number {
    const start = this.take(8);
    const low = this.#view.getUint32(start, true);
    const high = signed ? this.#view.getInt32(start + 4, true) : this.#view.getUint32(start + 4, true);
    const value = high * 0x100000000 + low;
    return Number.isSafeInteger(value) ? value : Number.NaN;
  }

  f32(): number {
    return this.#view.getFloat32(this.take(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.take(8), true);
  }

  /** The bytes where they stand in the stream. */
  viewOf(size: number): Uint8Array {
    const start = this.take(size);
    return this.bytes.subarray(start, start + size);
  }

  /** A copy, also of a `Buffer`, whose own `slice` is none. */
  copy(size: number): Uint8Array<ArrayBuffer> {
    const start = this.take(size);
    const copy = new Uint8Array(size);
    copy.set(this.bytes.subarray(start, start + size));
    return copy;
  }

  /** `size` bytes of UTF-8. */
  utf8(size: number): string {
    const start = this.take(size);
    const { bytes } = this;
    if (size <= 24) {
      let text = "";
      let i = start;
      for (; i < start + size; i++) {
        const unit = bytes[i]!;
        if (unit > 0x7f) break;
        text += String.fromCharCode(unit);
      }
      if (i === start + size) return text;
    }
    try {
      return decoder.decode(unshared(bytes.subarray(start, start + size)));
    } catch {
      throw this.corrupt(start, "valid UTF-8", "bytes that are not");
    }
  }
}

/** The same memory as an ordinary Uint8Array: the `slice` of a Buffer is no copy. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  if (Object.getPrototypeOf(bytes) === Uint8Array.prototype) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** TextDecoder does not take shared memory. */
function unshared(bytes: Uint8Array): Uint8Array {
  return typeof SharedArrayBuffer === "function" && bytes.buffer instanceof SharedArrayBuffer
    ? bytes.slice()
    : bytes;
}
