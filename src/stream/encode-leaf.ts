/** The reference interpreter, writing side: values without described objects in them. */

import {
  type BigName,
  engineLimits,
  expectation,
  fits,
  type IntegerName,
  integerRange,
  type Kind,
  type LimitedKind,
  limitAdvice,
  limitOf,
  picture,
} from "../description/index.ts";
import type { KstateError } from "../error/index.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { assertSynchronous } from "./hook-failure.ts";
import { JsonMisfit, jsonDepthLimit, jsonText, lossyText } from "./json-text.ts";
import { storedValue } from "./stored-value.ts";
import { isWellFormed, loneSurrogateAt } from "./text.ts";
import type { Trace } from "./trace.ts";
import { isGone, isTyped, littleEndianBytes, type TypedArray, viewLength } from "./typed.ts";

/** Kinds that other kinds, or objects, are inside of. */
export type CompositeName =
  | "array"
  | "pointerArray"
  | "pointer"
  | "struct"
  | "record"
  | "list"
  | "set"
  | "map"
  | "optional"
  | "equal"
  | "oneOf"
  | "ref";

export type LeafKind = Exclude<Kind, { readonly kind: CompositeName }>;

type Of<Name extends Kind["kind"]> = Extract<Kind, { readonly kind: Name }>;

export class LeafWriter {
  readonly #out: ByteWriter;
  readonly #trace: Trace;

  constructor(out: ByteWriter, trace: Trace) {
    this.#out = out;
    this.#trace = trace;
  }

  write(kind: LeafKind, value: unknown): void {
    const out = this.#out;
    switch (kind.kind) {
      case "u8":
      case "i8":
        out.u8(this.#integer(kind.kind, value));
        break;
      case "u16":
      case "i16":
        out.u16(this.#integer(kind.kind, value));
        break;
      case "u32":
        out.u32(this.#integer(kind.kind, value));
        break;
      case "i32":
        out.i32(this.#integer(kind.kind, value));
        break;
      case "f32":
        out.f32(this.#f32(value));
        break;
      case "f64":
        out.f64(this.#number(kind, value));
        break;
      case "bool":
        if (typeof value !== "boolean") throw this.misfit(expectation(kind), value);
        out.u8(value ? 1 : 0);
        break;
      case "string":
        if (typeof value !== "string") throw this.misfit(expectation(kind), value);
        this.#text(storedValue(kind, value) as string, kind);
        break;
      case "u64":
        out.u64(this.#big(kind.kind, value));
        break;
      case "i64":
        out.i64(this.#big(kind.kind, value));
        break;
      case "u64.safe":
      case "i64.safe":
        out.safe64(this.#integer(kind.kind, value));
        break;
      case "char":
        this.#char(kind, value);
        break;
      case "bytes":
      case "blob":
      case "bitmap":
        this.#bytes(kind, value);
        break;
      case "typedArray":
        this.#typedArray(kind, value);
        break;
      case "enumeration":
        this.#enumeration(kind, value);
        break;
      case "date":
        out.safe64(this.#date(kind, value));
        break;
      case "deadline":
        if (!Number.isSafeInteger(value)) throw this.misfit(expectation(kind), value);
        out.safe64(value as number);
        break;
      case "address":
        this.#address(kind, value);
        break;
      case "folio":
        this.#folio(kind, value);
        break;
      case "custom":
        this.#custom(kind, value);
        break;
      case "unused":
        out.zeros(kind.size);
        break;
      case "json":
        this.#json(kind, value);
        break;
    }
  }

  #number(kind: LeafKind, value: unknown): number {
    if (typeof value !== "number") throw this.misfit(expectation(kind), value);
    return value;
  }

  /** Rounded to the nearest; what would become Infinity is refused. */
  #f32(value: unknown): number {
    const number = this.#number({ kind: "f32" }, value);
    if (!fits({ kind: "f32" }, number)) throw this.misfit(expectation({ kind: "f32" }), number);
    return number;
  }

  #integer(kind: IntegerName, value: unknown): number {
    const [lowest, highest] = integerRange[kind];
    if (!Number.isInteger(value) || (value as number) < lowest || (value as number) > highest) {
      throw this.misfit(expectation({ kind }), value);
    }
    return value as number;
  }

  #big(kind: BigName, value: unknown): bigint {
    const [lowest, highest] = integerRange[kind];
    if (typeof value !== "bigint" || value < lowest || value > highest) {
      throw this.misfit(expectation({ kind }), value);
    }
    return value;
  }

  #text(text: string, kind: Of<"string" | "json">): void {
    const out = this.#out;
    this.limit(text.length, kind);
    out.u32(0);
    const size = out.utf8(text);
    if (size !== text.length && !isWellFormed(text)) throw this.#notWellFormed(kind, text);
    this.limit(size, kind);
    out.patchU32(out.offset - size - 4, size);
  }

  #char(kind: Of<"char">, found: unknown): void {
    const value = storedValue(kind, found);
    if (typeof value !== "string" || value.length > kind.size || value.includes("\0")) {
      throw this.misfit(expectation(kind), found);
    }
    if (!isWellFormed(value)) throw this.#notWellFormed(kind, value);
    const size = this.#out.utf8(value);
    if (size > kind.size) throw this.misfit(expectation(kind), value);
    this.#out.zeros(kind.size - size);
  }

  /** What stands alone in a text says nothing in UTF-8, and one user's text must not be what bars every update. */
  #notWellFormed(kind: Of<"string" | "char" | "json">, text: string): KstateError {
    const [expected, found] = [expectation(kind), picture(text)];
    const at = loneSurrogateAt(text);
    const call =
      kind.kind === "char" ? `char(${kind.size}, { lone: "replace" })` : 'string({ max, lone: "replace" })';
    const fact = `expected ${expected}, got ${found}, with half of a character at index ${at}; mend it (text.toWellFormed()), or describe the field as ${call}, which saves U+FFFD in its place`;
    return this.#trace.error("VALUE_INVALID", -1, fact, { expected, found });
  }

  #typedArray(kind: Of<"typedArray">, value: unknown): void {
    if (!isTyped(kind.element, value)) throw this.misfit(expectation(kind), value);
    const bytes = this.#present(kind, value);
    const length = viewLength(value);
    this.limit(length, kind);
    this.#out.u32(length);
    this.#out.bytes(bytes);
  }

  #bytes(kind: Of<"bytes" | "blob" | "bitmap">, value: unknown): void {
    if (!isTyped("u8", value)) throw this.misfit(expectation(kind), value);
    const bytes = this.#present(kind, value);
    if (kind.kind === "blob") {
      this.limit(bytes.length, kind);
      this.#out.u32(bytes.length);
    } else if (kind.kind === "bytes") {
      if (bytes.length !== kind.size) throw this.misfit(expectation(kind), value);
    } else if (bytes.length !== Math.ceil(kind.count / 8) || hasStrayBits(bytes, kind.count)) {
      throw this.misfit(expectation(kind), value);
    }
    this.#out.bytes(bytes);
  }

  /** The bytes of a view whose memory is still its own. */
  #present(kind: LeafKind, view: TypedArray): Uint8Array {
    if (!isGone(view)) return littleEndianBytes(view);
    const expected = expectation(kind);
    const found = `${picture(view)}, whose memory was transferred or taken away`;
    throw this.#trace.error("VALUE_INVALID", -1, `expected ${expected}, got ${found}`, { expected, found });
  }

  #enumeration(kind: Of<"enumeration">, value: unknown): void {
    const index = kind.names.indexOf(value as string);
    if (index < 0) throw this.misfit(expectation(kind), value);
    this.#out.u16(index);
  }

  #date(kind: Of<"date">, value: unknown): number {
    if (!fits(kind, value))
      throw this.misfit(expectation(kind), value instanceof Date ? "an invalid Date" : value);
    return Date.prototype.getTime.call(value);
  }

  #address(kind: Of<"address">, value: unknown): void {
    const { at } = kind.base;
    if (typeof value !== "bigint" || value < 0n || value > integerRange.u64[1])
      throw this.misfit(expectation(kind), value);
    // As the kernel has it: NULL and what is below the base wrap, and are themselves again on load.
    this.#out.u64(BigInt.asUintN(64, value - (typeof at === "function" ? at() : at)));
  }

  #folio(kind: Of<"folio">, value: unknown): void {
    const address =
      typeof value === "object" && value !== null ? (value as { address?: unknown }).address : undefined;
    if (typeof address !== "bigint" || address < 0n || address > integerRange.u64[1]) {
      throw this.misfit(expectation(kind), value);
    }
    this.#out.u64(address);
  }

  #custom(kind: Of<"custom">, value: unknown): void {
    let isOpen = true;
    const write = (kind: LeafKind, item: unknown) => {
      if (!isOpen)
        throw new TypeError(`the writer of ${JSON.stringify(kind.kind)} is used after save returned`);
      this.write(kind, item);
    };
    try {
      const result: unknown = kind.codec.save(value, {
        u8: (item) => write(customKinds.u8, item),
        u16: (item) => write(customKinds.u16, item),
        u32: (item) => write(customKinds.u32, item),
        i32: (item) => write(customKinds.i32, item),
        u64: (item) => write(customKinds.u64, item),
        i64: (item) => write(customKinds.i64, item),
        f32: (item) => write(customKinds.f32, item),
        f64: (item) => write(customKinds.f64, item),
        bytes: (item) => write({ kind: "bytes", size: item?.length }, item),
        string: (item) => write(customKinds.string, item),
      });
      assertSynchronous("save", kind.format, result, this.#trace.place(-1));
    } finally {
      isOpen = false;
    }
  }

  #json(kind: Of<"json">, value: unknown): void {
    let text: string | undefined;
    try {
      text = kind.lossy === true ? lossyText(value) : jsonText(value);
    } catch (cause) {
      throw this.#notJson(kind, value, cause);
    }
    if (text === undefined) throw this.misfit(expectation(kind), value);
    this.#text(text, kind);
  }

  #notJson(kind: Of<"json">, value: unknown, cause: unknown): Error {
    const [expected, limit] = [expectation(kind), limitOf(kind)];
    if (cause instanceof RangeError && /string length/i.test(cause.message)) {
      const fact = `its text is above the limit of ${limit}; ${limitAdvice(kind, true)}`;
      return this.#trace.error("LIMIT_EXCEEDED", -1, fact, { limit, found: limit + 1 }, cause);
    }
    if (!(cause instanceof JsonMisfit)) {
      const fact = `expected ${expected}: ${String(cause)}`;
      return this.#trace.error("VALUE_INVALID", -1, fact, { expected, found: picture(value) }, cause);
    }
    if (cause.isTooDeep) {
      const fact = `JSON is nested deeper than ${jsonDepthLimit}, or in a circle; use ref for what has no depth`;
      return this.#trace.error("DEPTH_EXCEEDED", -1, fact, { limit: jsonDepthLimit });
    }
    const { found } = cause;
    for (const part of cause.path) this.#trace.member(part);
    const fact = `expected ${expected}, got ${found}; use a field of its own kind, or json({ max, lossy: true }) to save what JSON.stringify makes of it`;
    return this.#trace.error("VALUE_INVALID", -1, fact, { expected, found });
  }

  /** Refuses a count or a length above its limit. */
  limit(count: number, kind: LimitedKind): void {
    const limit = limitOf(kind);
    if (count <= limit) return;
    const fact = `${count} is above the limit of ${limit}; ${limitAdvice(kind, true)}`;
    throw this.#trace.error("LIMIT_EXCEEDED", -1, fact, { limit, found: count });
  }

  /** The error for a value that is not what its kind expects. */
  misfit(expected: string, value: unknown): KstateError {
    const found = picture(value);
    return this.#trace.error("VALUE_INVALID", -1, `expected ${expected}, got ${found}`, { expected, found });
  }
}

/** What a codec of the program's may write. */
const customKinds = {
  u8: { kind: "u8" },
  u16: { kind: "u16" },
  u32: { kind: "u32" },
  i32: { kind: "i32" },
  u64: { kind: "u64" },
  i64: { kind: "i64" },
  f32: { kind: "f32" },
  f64: { kind: "f64" },
  string: { kind: "string", max: engineLimits.text },
} as const;

/** Whether a bitmap of `count` bits has one beyond. */
export function hasStrayBits(bitmap: Uint8Array, count: number): boolean {
  return count % 8 !== 0 && bitmap[bitmap.length - 1]! >> (count % 8) !== 0;
}
