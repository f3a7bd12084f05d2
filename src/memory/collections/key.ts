import type { AnyField, Kind } from "../../description/index.ts";
import { expectation, integerRange, picture } from "../../description/index.ts";
import { KstateError } from "../../error/index.ts";
import type { KeyKind } from "./layout.ts";
import { sipHash } from "./sip-hash.ts";

const MAX_KEY_BYTES = 0xffff;
const encoder = new TextEncoder();
type IntegerKind = "u8" | "u16" | "u32" | "i8" | "i16" | "i32" | "u64.safe" | "i64.safe";

/**
 * The key of the operation at hand, as bytes and words, and its hash. One per map, used again for every operation, so
 * that a look-up allocates nothing.
 */
export abstract class Key {
  abstract readonly kind: KeyKind;
  /** Padded with zeros to a whole word. */
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  length = 0;
  hash = 0;
  readonly #seed: HashSeed;

  constructor(maxBytes: number, seed: HashSeed) {
    this.bytes = new Uint8Array((maxBytes + 11) & ~3);
    this.words = new Int32Array(this.bytes.buffer);
    this.#seed = seed;
  }

  /** Makes `key` the one at hand. `VALUE_INVALID` or `LIMIT_EXCEEDED` when it can not be one. */
  abstract set(key: unknown): void;

  /** The key that so many bytes of memory are. */
  abstract read(bytes: Buffer, at: number, length: number): unknown;

  /** Pads what was written, and hashes it. */
  protected finish(length: number): void {
    this.length = length;
    const { words, bytes } = this;
    const end = (length + 3) & ~3;
    for (let at = length; at < end; at += 1) bytes[at] = 0;
    const seed = this.#seed;
    this.hash = typeof seed === "number" ? quickHash(words, length, seed) : sipHash(words, length, seed);
  }
}

/** What a map's hash is mixed with: the key of version 2, or the seed of version 1. */
export type HashSeed = Int32Array | number;

/** The hash of version 1. */
function quickHash(words: Int32Array, length: number, seed: number): number {
  const count = (length + 3) >> 2;
  let hash = seed ^ length;
  for (let i = 0; i < count; i += 1) {
    hash = Math.imul(hash ^ words[i]!, 0x9e3779b1);
    hash = (hash << 15) | (hash >>> 17);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

class StringKey extends Key {
  readonly kind = "string";
  readonly #max: number;

  constructor(max: number, seed: HashSeed) {
    super(max, seed);
    this.#max = max;
  }

  override set(key: unknown): void {
    if (typeof key !== "string") throw invalid({ kind: "string", max: this.#max }, key);
    const { bytes } = this;
    const { length } = key;
    if (length > this.#max) throw tooLong(this.#max, length);
    for (let i = 0; i < length; i += 1) {
      const unit = key.charCodeAt(i);
      if (unit > 127) return this.#setEncoded(key);
      bytes[i] = unit;
    }
    this.finish(length);
  }

  #setEncoded(key: string): void {
    if (/\p{Surrogate}/u.test(key)) throw invalid({ kind: "string", max: this.#max }, key);
    const { read, written } = encoder.encodeInto(key, this.bytes.subarray(0, this.#max));
    if (read < key.length) throw tooLong(this.#max, Buffer.byteLength(key));
    this.finish(written);
  }

  override read(bytes: Buffer, at: number, length: number): string {
    let high = 0;
    for (let i = 0; i < length; i += 1) high |= bytes[at + i]!;
    return bytes.toString(high < 128 ? "latin1" : "utf8", at, at + length); // of ASCII the former is faster
  }
}

class BytesKey extends Key {
  readonly kind = "bytes";
  readonly #max: number;

  constructor(max: number, seed: HashSeed) {
    super(max, seed);
    this.#max = max;
  }

  override set(key: unknown): void {
    if (!(key instanceof Uint8Array)) throw invalid({ kind: "blob", max: this.#max }, key);
    const { length } = key;
    if (length > this.#max) throw tooLong(this.#max, length);
    const { bytes } = this;
    for (let i = 0; i < length; i += 1) bytes[i] = key[i]!;
    this.finish(length);
  }

  override read(bytes: Buffer, at: number, length: number): Uint8Array {
    return new Uint8Array(bytes.subarray(at, at + length));
  }
}

class IntegerKey extends Key {
  readonly kind = "integer";
  readonly #kind: Kind;
  readonly #range: readonly [number, number];

  constructor(kind: IntegerKind, seed: HashSeed) {
    super(8, seed);
    this.#kind = { kind };
    this.#range = integerRange[kind];
  }

  override set(key: unknown): void {
    const [lowest, highest] = this.#range;
    if (!Number.isSafeInteger(key) || (key as number) < lowest || (key as number) > highest)
      throw invalid(this.#kind, key);
    const number = key as number;
    this.words[0] = number | 0;
    this.words[1] = Math.floor(number / 2 ** 32);
    this.finish(8);
  }

  override read(bytes: Buffer, at: number): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, 8);
    return view.getInt32(4, true) * 2 ** 32 + view.getUint32(0, true);
  }
}

/** The kind of keys that a field makes; undefined for fields that can not be keys. */
export function keyKindOf({ kind }: AnyField): KeyKind | undefined {
  if (kind.kind === "string") return "string";
  if (kind.kind === "blob") return "bytes";
  return kind.kind in integerRange && kind.kind !== "u64" && kind.kind !== "i64" ? "integer" : undefined;
}

/** Keys of a field, for which there is a {@link keyKindOf}; at most 64 KiB long. */
export function keyOf({ kind }: AnyField, seed: HashSeed): Key {
  if (kind.kind === "string") return new StringKey(Math.min(kind.max, MAX_KEY_BYTES), seed);
  if (kind.kind === "blob") return new BytesKey(Math.min(kind.max, MAX_KEY_BYTES), seed);
  return new IntegerKey(kind.kind as IntegerKind, seed);
}

function invalid(kind: Kind, key: unknown): KstateError {
  const [expected, found] = [expectation(kind), picture(key)];
  const place = { path: "key", description: "", offset: -1 };
  return new KstateError("VALUE_INVALID", `cannot use the key: expected ${expected}, got ${found}`, {
    ...place,
    expected,
    found,
  });
}

function tooLong(limit: number, found: number): KstateError {
  return new KstateError("LIMIT_EXCEEDED", `cannot use a key of ${found} bytes: the limit is ${limit}`, {
    path: "key",
    description: "",
    offset: -1,
    limit,
    found,
  });
}
