/** The reference interpreter, reading side: values without described objects in them. */

import {
  type CustomReader,
  expectation,
  fits,
  type Kind,
  type LimitedKind,
  limitAdvice,
  limitOf,
  type TypedName,
} from "../description/index.ts";
import type { KstateError } from "../error/index.ts";
import type { ByteReader } from "./byte-reader.ts";
import { hasStrayBits, type LeafKind } from "./encode-leaf.ts";
import { assertSynchronous } from "./hook-failure.ts";
import { hasHugeNumber, isDeepJson, jsonDepthLimit } from "./json-text.ts";
import { isUtf8 } from "./text.ts";
import { typedArrays, typedFrom } from "./typed.ts";

type Of<Name extends Kind["kind"]> = Extract<Kind, { readonly kind: Name }>;

export class LeafReader {
  readonly #in: ByteReader;
  readonly #isForeign: boolean;
  readonly #isZeroCopy: boolean;

  /** `isZeroCopy`: values of `bytes` and `blob` are views of the stream. */
  constructor(input: ByteReader, isForeign: boolean, isZeroCopy: boolean) {
    this.#in = input;
    this.#isForeign = isForeign;
    this.#isZeroCopy = isZeroCopy;
  }

  read(kind: LeafKind): unknown {
    const input = this.#in;
    switch (kind.kind) {
      case "u8":
        return input.u8();
      case "u16":
        return input.u16();
      case "u32":
        return input.u32();
      case "i8":
        return input.i8();
      case "i16":
        return input.i16();
      case "i32":
        return input.i32();
      case "f32":
        return input.f32();
      case "f64":
        return input.f64();
      case "bool":
        return this.flag("0 or 1 (u8 takes any byte)") === 1;
      case "string":
        return input.utf8(this.count(kind, 1));
      case "u64":
        return input.u64();
      case "i64":
        return input.i64();
      case "u64.safe":
        return this.#safe(kind, false);
      case "i64.safe":
      case "deadline":
        return this.#safe(kind, true);
      case "char":
        return this.#char(kind);
      case "bytes":
        return this.#bytes(kind.size);
      case "blob":
        return this.#bytes(this.count(kind, 1));
      case "bitmap":
        return this.#bitmap(kind);
      case "typedArray":
        return this.typed(kind.element, this.count(kind, typedArrays[kind.element].BYTES_PER_ELEMENT));
      case "enumeration":
        return kind.names[this.choice(kind.names.length, kind)];
      case "date":
        return this.#date(kind);
      case "address": {
        const { at } = kind.base;
        return BigInt.asUintN(64, input.u64() + (typeof at === "function" ? at() : at));
      }
      case "folio":
        return { address: input.u64() };
      case "custom":
        return this.#custom(kind);
      case "unused":
        return this.#unused(kind.size);
      case "json":
        return this.#json(kind);
    }
  }

  #bytes(size: number): Uint8Array {
    return this.#isZeroCopy ? this.#in.viewOf(size) : this.#in.copy(size);
  }

  #safe(kind: Kind, signed: boolean): number {
    const value = this.#in.safe64(signed);
    if (Number.isNaN(value)) {
      throw this.invalid(this.#in.offset - 8, expectation(kind), "a number that is too large");
    }
    return value;
  }

  /** A byte that is 0 or 1. */
  flag(expected: string): number {
    const value = this.#in.u8();
    if (value > 1) throw this.invalid(this.#in.offset - 1, expected, String(value));
    return value;
  }

  /** A count of elements of at least `size` bytes each: within the limit and within the bytes left. */
  count(kind: LimitedKind, size: number): number {
    const input = this.#in;
    const count = input.u32();
    if (count > limitOf(kind)) throw this.above(count, kind);
    if (count * size > input.left) throw input.truncated(count * size);
    return count;
  }

  /** The error for a count or length just read that is above its limit. */
  above(found: number, kind: LimitedKind): KstateError {
    const { trace, offset } = this.#in;
    const limit = limitOf(kind);
    const fact = `${found} at offset ${offset - 4} is above the limit of ${limit}; ${limitAdvice(kind, false)}`;
    return trace.error("LIMIT_EXCEEDED", offset - 4, fact, { limit, found });
  }

  #char({ size }: Of<"char">): string {
    const input = this.#in;
    const start = input.take(size);
    const { bytes } = input;
    let length = 0;
    while (length < size && bytes[start + length] !== 0) length++;
    if (!this.#isForeign) {
      for (let i = length; i < size; i++) {
        if (bytes[start + i] !== 0)
          throw this.invalid(start + i, "NUL after the end of the text", String(bytes[start + i]));
      }
    }
    input.offset = start;
    if (!isUtf8(bytes, start, start + length)) {
      throw input.corrupt(start, `valid UTF-8 (bytes(${size}) takes any bytes)`, "bytes that are none");
    }
    const text = input.utf8(length);
    input.offset = start + size;
    return text;
  }

  #bitmap(kind: Of<"bitmap">): Uint8Array {
    const bits = this.#in.copy(Math.ceil(kind.count / 8));
    if (hasStrayBits(bits, kind.count)) {
      throw this.invalid(this.#in.offset - 1, `no bit from ${kind.count} on`, "one");
    }
    return bits;
  }

  /** A typed array of that many elements, a copy. */
  typed(name: TypedName, count: number): unknown {
    return typedFrom(name, this.#in.copy(count * typedArrays[name].BYTES_PER_ELEMENT));
  }

  /** An index below a count. */
  choice(count: number, kind: Kind): number {
    const index = this.#in.u16();
    if (index >= count) throw this.invalid(this.#in.offset - 2, expectation(kind), `index ${index}`);
    return index;
  }

  #date(kind: Of<"date">): Date {
    const date = new Date(this.#in.safe64(true));
    if (!fits(kind, date))
      throw this.invalid(this.#in.offset - 8, expectation(kind), "a time that no Date can say");
    return date;
  }

  #unused(size: number): undefined {
    const input = this.#in;
    const start = input.take(size);
    for (let i = start; i < start + size; i++) {
      if (input.bytes[i] !== 0 && !this.#isForeign) throw this.invalid(i, "zeros", String(input.bytes[i]));
    }
    return undefined;
  }

  #json(kind: Of<"json">): unknown {
    const start = this.#in.offset;
    const size = this.count(kind, 1);
    const { bytes, offset, trace } = this.#in;
    if (isDeepJson(size, (i) => bytes[offset + i]!)) {
      const fact = `JSON at offset ${start} is nested deeper than ${jsonDepthLimit}`;
      throw trace.error("DEPTH_EXCEEDED", start, fact, { limit: jsonDepthLimit });
    }
    const text = this.#in.utf8(size);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw this.#in.corrupt(start, "JSON", String((cause as Error).message));
    }
    if (hasHugeNumber(text, value))
      throw this.invalid(start, expectation(kind), "a number that is too large");
    return value;
  }

  #custom(kind: Of<"custom">): unknown {
    const value = kind.codec.load(this.customReader());
    assertSynchronous("load", kind.format, value, this.#in.trace.place(this.#in.offset));
    return value;
  }

  /** The value of a custom field; undefined if it is passed over. */
  custom(kind: Kind, isSkipped: boolean): unknown {
    if (kind.kind !== "custom") throw new TypeError(`${kind.kind} is not custom`);
    if (!isSkipped) return this.#custom(kind);
    kind.codec.skip?.(this.customReader());
    return undefined;
  }

  /** What the codec of a custom field reads with. */
  customReader(): CustomReader {
    const input = this.#in;
    return {
      get left() {
        return input.left;
      },
      u8: () => input.u8(),
      u16: () => input.u16(),
      u32: () => input.u32(),
      i32: () => input.i32(),
      u64: () => input.u64(),
      i64: () => input.i64(),
      f32: () => input.f32(),
      f64: () => input.f64(),
      bytes: (size) => input.copy(assertSize(size)),
      skip: (size) => void input.take(assertSize(size)),
      string: (max) => input.utf8(this.count({ kind: "string", max }, 1)),
      fail: (expected, found) => {
        throw this.invalid(input.offset, expected, found);
      },
    };
  }

  /** The error for bytes that are no value of the kind. */
  invalid(offset: number, expected: string, found: string): KstateError {
    const fact = `expected ${expected} at offset ${offset}, found ${found}`;
    return this.#in.trace.error("VALUE_INVALID", offset, fact, { expected, found });
  }
}

function assertSize(size: number): number {
  if (!Number.isInteger(size) || size < 0)
    throw new RangeError(`a size must be an integer from 0, is ${size}`);
  return size;
}
