import type { AddressBase, Description, TypedName } from "../description/index.ts";
import { Distinct } from "./distinct.ts";
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

/** Small byte arrays share memory in slabs, as those of `Buffer.from` do: one allocation for hundreds. */
class Slab {
  #buffer = new ArrayBuffer(0);
  #used = 0;

  #view = new DataView(this.#buffer);

  copy(bytes: Uint8Array, from: DataView, start: number, size: number): Uint8Array {
    if (size > slabLimit) return ownCopy(bytes, start, size);
    if (this.#used + size > this.#buffer.byteLength) {
      this.#buffer = new ArrayBuffer(slabSize);
      this.#view = new DataView(this.#buffer);
      this.#used = 0;
    }
    const copy = new Uint8Array(this.#buffer, this.#used, size);
    if (size > 256) copy.set(bytes.subarray(start, start + size));
    else copyWords(this.#view, this.#used, from, start, size);
    this.#used += size;
    return copy;
  }
}

/** Below some hundred bytes a loop is quicker than making a view for `set`. */
function copyWords(to: DataView, at: number, from: DataView, start: number, size: number): void {
  let i = 0;
  for (; i + 4 <= size; i += 4) to.setInt32(at + i, from.getInt32(start + i));
  for (; i < size; i++) to.setUint8(at + i, from.getUint8(start + i));
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

/** Into the same memory if it is of the same type and length, as the reference does. */
function bytesAt(bytes: Uint8Array, start: number, size: number, existing: unknown): unknown {
  if (existing instanceof Uint8Array && existing.byteLength === size) {
    existing.set(bytes.subarray(start, start + size));
    return existing;
  }
  return ownCopy(bytes, start, size);
}

function typedAt(
  name: TypedName,
  bytes: Uint8Array,
  start: number,
  count: number,
  existing: unknown,
): unknown {
  const size = count * typedArrays[name].BYTES_PER_ELEMENT;
  const isSame = existing instanceof typedArrays[name] && existing.byteLength === size;
  if (isSame && isLittleEndian && (name === "u8" || hasOwnPrototype(name, existing))) {
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

/** What generated code that loads may call, beside what stands in its own text. */
export const loadHelpers = {
  isUtf8,
  textAt,
  charAt,
  bytesAt,
  typedAt,
  blobAt: blobWith(new Slab()),
  zeroOf,
  isPlainField,
  /** For passing over what was checked before. */
  distinct: new Distinct(),
  places: new Places(),
  baseOf: ({ at }: AddressBase) => (typeof at === "function" ? at() : at),
  otherVersion: (description: Description, versionId: number) => new OtherVersion(description, versionId),
};

function blobWith(slab: Slab) {
  return (bytes: Uint8Array, view: DataView, start: number, size: number, existing: unknown): unknown =>
    existing instanceof Uint8Array && existing.byteLength === size
      ? bytesAt(bytes, start, size, existing)
      : slab.copy(bytes, view, start, size);
}
