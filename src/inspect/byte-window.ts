/** Bytes that can be read at any place, so that a large stream need not be in memory. */
export interface ByteSource {
  readonly size: number;
  /** The bytes from `offset` on, fewer at the end. They may be overwritten by the next read. */
  read(offset: number, length: number): Uint8Array;
}

/** A stream that is in memory. */
export function sourceOf(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

/** Where a stream is not what it should be. Thrown and caught inside of the inspector. */
export class Damage {
  readonly offset: number;
  readonly problem: string;

  constructor(offset: number, problem: string) {
    this.offset = offset;
    this.problem = problem;
  }
}

/** Where only the program itself can read on: a custom field whose end nobody else knows. */
export class Opaque {
  readonly offset: number;
  readonly segment: string;
  readonly kind: string;

  constructor(offset: number, segment: string, kind: string) {
    this.offset = offset;
    this.segment = segment;
    this.kind = kind;
  }
}

const chunkSize = 64 * 1024;

/** Reads little endian values one after the other through a small window, never past `end`. */
export class ByteWindow {
  readonly source: ByteSource;
  offset = 0;
  /** Where the innermost entry ends. */
  end: number;
  #bytes = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  #start = 0;

  constructor(source: ByteSource) {
    this.source = source;
    this.end = source.size;
  }

  get left(): number {
    return Math.min(this.end, this.source.size) - this.offset;
  }

  /** Passes over bytes and gives where they begin. */
  skip(size: number): number {
    if (size > this.left)
      throw new Damage(this.offset, `${size} bytes are needed, ${Math.max(0, this.left)} are left`);
    const start = this.offset;
    this.offset += size;
    return start;
  }

  /** The next bytes, valid until the next read. */
  take(size: number): Uint8Array {
    const start = this.skip(size);
    if (size > chunkSize) return this.source.read(start, size);
    const at = this.#load(start, size);
    return this.#bytes.subarray(at, at + size);
  }

  u8(): number {
    const at = this.#next(1);
    return this.#view.getUint8(at);
  }
  u16(): number {
    const at = this.#next(2);
    return this.#view.getUint16(at, true);
  }
  u32(): number {
    const at = this.#next(4);
    return this.#view.getUint32(at, true);
  }
  i8(): number {
    const at = this.#next(1);
    return this.#view.getInt8(at);
  }
  i16(): number {
    const at = this.#next(2);
    return this.#view.getInt16(at, true);
  }
  i32(): number {
    const at = this.#next(4);
    return this.#view.getInt32(at, true);
  }
  u64(): bigint {
    const at = this.#next(8);
    return this.#view.getBigUint64(at, true);
  }
  i64(): bigint {
    const at = this.#next(8);
    return this.#view.getBigInt64(at, true);
  }
  f32(): number {
    const at = this.#next(4);
    return this.#view.getFloat32(at, true);
  }
  f64(): number {
    const at = this.#next(8);
    return this.#view.getFloat64(at, true);
  }

  #next(size: number): number {
    return this.#load(this.skip(size), size);
  }

  /** Makes sure that bytes are in the window; gives where in it. */
  #load(start: number, size: number): number {
    const isThere = start >= this.#start && start + size <= this.#start + this.#bytes.length;
    if (!isThere) {
      this.#bytes = this.source
        .read(start, Math.max(size, Math.min(chunkSize, this.source.size - start)))
        .slice();
      this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
      this.#start = start;
    }
    return start - this.#start;
  }
}
