import type { AddressBase, Description, TypedName } from "../description/index.ts";
import type { FillContext } from "./decoded.ts";
import { Distinct } from "./distinct.ts";
import { hasHugeNumber, isDeepJson } from "./json-text.ts";
import { Places } from "./places.ts";
import { isUtf8 } from "./text.ts";
import { typedArrays, typedFrom } from "./typed.ts";
import { zeroOf } from "./zero.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

type ReadUtf8 = (this: Uint8Array, start: number, end: number) => string;

/** Node's own way is three times as fast as TextDecoder; elsewhere there is only that. */
const readUtf8 =
  typeof Buffer === "function"
    ? (Buffer.prototype as unknown as { readonly utf8Slice?: ReadUtf8 }).utf8Slice
    : undefined;

/** What was met in another version than the code was generated for. */
export class OtherVersion {
  readonly description: Description;
  readonly versionId: number;

  constructor(description: Description, versionId: number) {
    this.description = description;
    this.versionId = versionId;
  }
}

const slabSize = 64 * 1024;
/** Above this size bytes get memory of their own. */
const slabLimit = 2048;
/** At least so much of a slab must be bytes that were asked for, or the next ones are copied one by one. */
const slabUse = slabSize / 2;

/**
 * Small byte arrays share memory in slabs, as those of `Buffer.from` do: one allocation for hundreds. A slab is one copy
 * of a part of the stream, of which they are views; where they are few among other data, they get copies of their own.
 */
class Slab {
  #source: Uint8Array | undefined;
  #buffer = new ArrayBuffer(0);
  #start = 0;
  #used = slabSize;
  #single = 0;

  copy(bytes: Uint8Array, start: number, size: number): Uint8Array {
    if (size > slabLimit) return ownCopy(bytes, start, size);
    const offset = start - this.#start;
    if (bytes !== this.#source || offset < 0 || offset + size > this.#buffer.byteLength) {
      return this.#begin(bytes, start, size);
    }
    this.#used += size;
    return new Uint8Array(this.#buffer, offset, size);
  }

  #begin(bytes: Uint8Array, start: number, size: number): Uint8Array {
    if (this.#single > 0) {
      this.#single--;
      return ownCopy(bytes, start, size);
    }
    if (this.#used < slabUse && bytes === this.#source) {
      this.#single = 256;
      this.#used = slabSize;
      return ownCopy(bytes, start, size);
    }
    const end = Math.min(start + slabSize, bytes.length);
    this.#source = bytes;
    this.#start = start;
    this.#buffer = new ArrayBuffer(end - start);
    new Uint8Array(this.#buffer).set(bytes.subarray(start, end));
    this.#used = size;
    return new Uint8Array(this.#buffer, 0, size);
  }

  /** Forgets the stream, which may be written anew. */
  end(): void {
    this.#source = undefined;
    this.#buffer = new ArrayBuffer(0);
    this.#used = slabSize;
    this.#single = 0;
  }
}

function ownCopy(bytes: Uint8Array, start: number, size: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(size);
  copy.set(bytes.subarray(start, start + size));
  return copy;
}

function textAt(bytes: Uint8Array, start: number, end: number): string {
  return readUtf8 === undefined
    ? decoder.decode(bytes.subarray(start, end))
    : readUtf8.call(bytes, start, end);
}

function charAt(bytes: Uint8Array, start: number, size: number): string {
  let end = start;
  while (end < start + size && bytes[end] !== 0) end++;
  return textAt(bytes, start, end);
}

/** Who fills, and so knows what was filled already; undefined while bytes are only looked at. */
type Filler = Pick<FillContext, "claims">;

/** Up to so many bytes one by one are faster than a call. */
const loopLimit = 64;

/** Into the same memory if it is of the same type and length, as the reference does. */
function bytesAt(
  bytes: Uint8Array,
  start: number,
  size: number,
  existing: unknown,
  filler: Filler | undefined,
): unknown {
  return isFilled(bytes, start, size, existing, filler) ? existing : ownCopy(bytes, start, size);
}

function viewAt(
  bytes: Uint8Array,
  start: number,
  size: number,
  existing: unknown,
  filler: Filler | undefined,
): unknown {
  return isFilled(bytes, start, size, existing, filler)
    ? existing
    : new Uint8Array(bytes.buffer, bytes.byteOffset + start, size);
}

function isFilled(
  bytes: Uint8Array,
  start: number,
  size: number,
  existing: unknown,
  filler: Filler | undefined,
): boolean {
  const fits = existing instanceof Uint8Array && existing.byteLength === size;
  if (!fits || filler?.claims.bytes(existing) !== true) return false;
  if (size > loopLimit) existing.set(bytes.subarray(start, start + size));
  else for (let i = 0; i < size; i++) existing[i] = bytes[start + i]!;
  return true;
}

function typedAt(
  name: TypedName,
  bytes: Uint8Array,
  start: number,
  count: number,
  existing: unknown,
  filler: Filler | undefined,
): unknown {
  const size = count * typedArrays[name].BYTES_PER_ELEMENT;
  const isSame = existing instanceof typedArrays[name] && existing.byteLength === size;
  const mayFill = isSame && isLittleEndian && (name === "u8" || hasOwnPrototype(name, existing));
  if (mayFill && filler?.claims.bytes(existing) === true) {
    new Uint8Array(existing.buffer, existing.byteOffset, size).set(bytes.subarray(start, start + size));
    return existing;
  }
  return typedFrom(name, ownCopy(bytes, start, size));
}

function hasOwnPrototype(name: TypedName, existing: object): boolean {
  return Object.getPrototypeOf(existing) === typedArrays[name].prototype;
}

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Whether a field of objects with this prototype is just a place for a value. */
function isPlainField(prototype: unknown, name: string): boolean {
  for (let at = prototype; at !== null; at = Object.getPrototypeOf(at)) {
    const property = Object.getOwnPropertyDescriptor(at, name);
    if (property !== undefined) return false;
  }
  return true;
}

const slab = new Slab();

/** What generated code that loads may call, beside what stands in its own text. */
export const loadHelpers = {
  isUtf8,
  textAt,
  charAt,
  bytesAt,
  viewAt,
  typedAt,
  blobAt: blobWith(slab),
  endSlab: () => slab.end(),
  zeroOf,
  isDeepJson,
  hasHugeNumber,
  isPlainField,
  /** For passing over what was checked before. */
  distinct: new Distinct(),
  places: new Places(),
  baseOf: ({ at }: AddressBase) => (typeof at === "function" ? at() : at),
  otherVersion: (description: Description, versionId: number) => new OtherVersion(description, versionId),
};

function blobWith(slab: Slab) {
  return (
    bytes: Uint8Array,
    start: number,
    size: number,
    existing: unknown,
    filler: Filler | undefined,
  ): unknown => (isFilled(bytes, start, size, existing, filler) ? existing : slab.copy(bytes, start, size));
}
