/** The reference interpreter, writing side: values without described objects in them. */

import {
  type BigName,
  expectation,
  type IntegerName,
  integerRange,
  type Kind,
  picture,
} from "../description/index.ts";
import type { KstateError } from "../error/index.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { isWellFormed } from "./text.ts";
import type { Trace } from "./trace.ts";
import { isTyped, littleEndianBytes } from "./typed.ts";

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
        out.f32(this.#number(kind, value));
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
        this.#text(value, kind.max, expectation(kind));
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
        if (!isTyped(kind.element, value)) throw this.misfit(expectation(kind), value);
        this.limit(value.length, kind.max);
        out.u32(value.length);
        out.bytes(littleEndianBytes(value));
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

  #text(text: string, max: number, expected: string): void {
    const out = this.#out;
    if (text.length > max) this.limit(text.length, max);
    out.u32(0);
    const size = out.utf8(text);
    if (size !== text.length && !isWellFormed(text)) throw this.misfit(expected, text);
    this.limit(size, max);
    out.patchU32(out.offset - size - 4, size);
  }

  #char(kind: Of<"char">, value: unknown): void {
    if (
      typeof value !== "string" ||
      value.length > kind.size ||
      value.includes("\0") ||
      !isWellFormed(value)
    ) {
      throw this.misfit(expectation(kind), value);
    }
    const size = this.#out.utf8(value);
    if (size > kind.size) throw this.misfit(expectation(kind), value);
    this.#out.zeros(kind.size - size);
  }

  #bytes(kind: Of<"bytes" | "blob" | "bitmap">, value: unknown): void {
    if (!(value instanceof Uint8Array)) throw this.misfit(expectation(kind), value);
    if (kind.kind === "blob") {
      this.limit(value.length, kind.max);
      this.#out.u32(value.length);
    } else if (kind.kind === "bytes") {
      if (value.length !== kind.size) throw this.misfit(expectation(kind), value);
    } else if (value.length !== Math.ceil(kind.count / 8) || hasStrayBits(value, kind.count)) {
      throw this.misfit(expectation(kind), value);
    }
    this.#out.bytes(value);
  }

  #enumeration(kind: Of<"enumeration">, value: unknown): void {
    const index = kind.names.indexOf(value as string);
    if (index < 0) throw this.misfit(expectation(kind), value);
    this.#out.u16(index);
  }

  #date(kind: Of<"date">, value: unknown): number {
    const ms = value instanceof Date ? value.getTime() : Number.NaN;
    if (Number.isNaN(ms))
      throw this.misfit(expectation(kind), value instanceof Date ? "an invalid Date" : value);
    return ms;
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
    const out = this.#out;
    kind.codec.save(value, {
      u8: (item) => out.u8(this.#integer("u8", item)),
      u16: (item) => out.u16(this.#integer("u16", item)),
      u32: (item) => out.u32(this.#integer("u32", item)),
      i32: (item) => out.i32(this.#integer("i32", item)),
      u64: (item) => out.u64(this.#big("u64", item)),
      i64: (item) => out.i64(this.#big("i64", item)),
      f32: (item) => out.f32(item),
      f64: (item) => out.f64(item),
      bytes: (item) => out.bytes(item),
      string: (item) => this.#text(item, integerRange.u32[1], "a string without lone surrogates"),
    });
  }

  #json(kind: Of<"json">, value: unknown): void {
    let text: string | undefined;
    try {
      text = JSON.stringify(value);
    } catch (cause) {
      throw this.#trace.error(
        "VALUE_INVALID",
        -1,
        `expected ${expectation(kind)}: ${String(cause)}`,
        { expected: expectation(kind), found: picture(value) },
        cause,
      );
    }
    if (text === undefined) throw this.misfit(expectation(kind), value);
    this.#text(text, kind.max, "JSON without lone surrogates");
  }

  /** Refuses a count or a length above its limit. */
  limit(count: number, max: number): void {
    if (count > max) {
      throw this.#trace.error(
        "LIMIT_EXCEEDED",
        -1,
        `${count} is above the limit of ${max}; raise max, or keep less`,
        {
          limit: max,
          found: count,
        },
      );
    }
  }

  /** The error for a value that is not what its kind expects. */
  misfit(expected: string, value: unknown): KstateError {
    const found = picture(value);
    return this.#trace.error("VALUE_INVALID", -1, `expected ${expected}, got ${found}`, { expected, found });
  }
}

/** Whether a bitmap of `count` bits has one beyond. */
export function hasStrayBits(bitmap: Uint8Array, count: number): boolean {
  return count % 8 !== 0 && bitmap[bitmap.length - 1]! >> (count % 8) !== 0;
}
