import type { TypedName } from "../description/index.ts";

export type TypedArray =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array;

export const typedArrays = {
  u8: Uint8Array,
  u16: Uint16Array,
  u32: Uint32Array,
  i8: Int8Array,
  i16: Int16Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
} as const;

/** The scalar kinds whose arrays are typed arrays. */
export function isTypedName(kind: string): kind is TypedName {
  return Object.hasOwn(typedArrays, kind);
}

/** Whether a value is a typed array of that kind; a Buffer is one of u8. */
export function isTyped(kind: TypedName, value: unknown): value is TypedArray {
  return value instanceof typedArrays[kind] && native("tag", value) === typedArrays[kind].name;
}

/** How many elements a typed array has; a property of that name which the program gave it is not asked. */
export function viewLength(view: TypedArray): number {
  return native("length", view) as number;
}

/** Whether the memory of a typed array was taken away: its buffer was transferred, or shrunk to below it. */
export function isGone(view: TypedArray): boolean {
  if (viewLength(view) > 0) return false;
  try {
    Uint8Array.prototype.keys.call(view);
    return false;
  } catch {
    return true;
  }
}

/** What the engine says of a typed array; undefined of anything else. */
function native(what: keyof typeof getters, view: unknown): unknown {
  try {
    return getters[what].call(view);
  } catch {
    return undefined;
  }
}

function getter(name: PropertyKey): () => unknown {
  const common = Object.getPrototypeOf(Uint8Array.prototype) as object;
  return Object.getOwnPropertyDescriptor(common, name)!.get!;
}

const getters = {
  tag: getter(Symbol.toStringTag),
  length: getter("length"),
  buffer: getter("buffer"),
  byteOffset: getter("byteOffset"),
  byteLength: getter("byteLength"),
};

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** The elements as little endian bytes: the very memory where that is possible, else a swapped copy. */
export function littleEndianBytes(list: TypedArray): Uint8Array {
  const bytes = new Uint8Array(
    native("buffer", list) as ArrayBuffer,
    native("byteOffset", list) as number,
    native("byteLength", list) as number,
  );
  return isLittleEndian || list.BYTES_PER_ELEMENT === 1
    ? bytes
    : swapped(bytes.slice(), list.BYTES_PER_ELEMENT);
}

/** A new typed array from a copy of little endian bytes. */
export function typedFrom(kind: TypedName, copy: Uint8Array<ArrayBuffer>): TypedArray {
  const type = typedArrays[kind];
  if (!isLittleEndian) swapped(copy, type.BYTES_PER_ELEMENT);
  return new type(copy.buffer, copy.byteOffset, copy.byteLength / type.BYTES_PER_ELEMENT);
}

function swapped(bytes: Uint8Array, size: number): Uint8Array {
  for (let i = 0; i < bytes.length; i += size) bytes.subarray(i, i + size).reverse();
  return bytes;
}
