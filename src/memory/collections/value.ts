import { picture } from "../../description/index.ts";
import { KstateError } from "../../error/index.ts";
import type { RowLayout } from "./row-layout.ts";
import { readRow, writeRow } from "./row-layout.ts";

/** How a map's values become bytes and are made of them. */
export interface ValueCodec {
  /** How long every value is; undefined when each has its own length. */
  readonly rowBytes: number | undefined;
  /** The value as bytes, valid until the next call. */
  encode(value: unknown): Uint8Array;
  /** A value of its own, from so many bytes of memory. */
  decode(bytes: Uint8Array, words: Int32Array, at: number, length: number): unknown;
}

const SLAB_BYTES = 65_536;
/** Above it a native copy is faster than a loop over words. */
const LOOP_BYTES = 512;

/** Values that are bytes. Copies of small ones share buffers of 64 KiB, as Node's own do. */
export class BlobCodec implements ValueCodec {
  readonly rowBytes = undefined;
  readonly #max: number;
  #slab = new Int32Array(0);
  #used = 0;

  constructor(max: number) {
    this.#max = max;
  }

  encode(value: unknown): Uint8Array {
    if (!(value instanceof Uint8Array)) {
      const [expected, found] = ["a Uint8Array", picture(value)];
      const message = `cannot store the value: expected ${expected}, got ${found}`;
      throw new KstateError("VALUE_INVALID", message, { ...PLACE, expected, found });
    }
    if (value.length <= this.#max) return value;
    const message = `cannot store a value of ${value.length} bytes: the limit is ${this.#max}`;
    throw new KstateError("LIMIT_EXCEEDED", message, { ...PLACE, limit: this.#max, found: value.length });
  }

  decode(bytes: Uint8Array, words: Int32Array, at: number, length: number): Uint8Array {
    if (length > LOOP_BYTES) return new Uint8Array(bytes.subarray(at, at + length));
    const count = (length + 3) >> 2;
    if (this.#used + count > this.#slab.length) {
      this.#slab = new Int32Array(SLAB_BYTES / 4);
      this.#used = 0;
    }
    const slab = this.#slab;
    const to = this.#used;
    const from = at >> 2;
    for (let i = 0; i < count; i += 1) slab[to + i] = words[from + i]!;
    this.#used = to + count;
    return new Uint8Array(slab.buffer, to << 2, length);
  }
}

/** Values that are rows of a description. */
export class RowCodec implements ValueCodec {
  readonly rowBytes: number;
  readonly #layout: RowLayout;
  readonly #row: Uint8Array;
  readonly #view: DataView;

  constructor(layout: RowLayout) {
    this.#layout = layout;
    this.rowBytes = layout.size;
    this.#row = new Uint8Array(layout.size);
    this.#view = new DataView(this.#row.buffer);
  }

  encode(value: unknown): Uint8Array {
    if (typeof value !== "object" || value === null) {
      const [expected, found] = [`an object of ${this.#layout.name}`, picture(value)];
      const message = `cannot store the value: expected ${expected}, got ${found}`;
      throw new KstateError("VALUE_INVALID", message, { ...PLACE, expected, found });
    }
    writeRow(this.#layout, this.#view, 0, value);
    return this.#row;
  }

  decode(bytes: Uint8Array, _words: Int32Array, at: number): Record<string, unknown> {
    this.#row.set(bytes.subarray(at, at + this.#layout.size));
    return readRow(this.#layout, this.#view, 0);
  }
}

const PLACE = { path: "value", description: "", offset: -1 } as const;
