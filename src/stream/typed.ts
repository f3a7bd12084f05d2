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
  return value instanceof typedArrays[kind];
}

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** The elements as little endian bytes: the very memory where that is possible, else a swapped copy. */
export function littleEndianBytes(list: TypedArray): Uint8Array {
  const bytes = new Uint8Array(list.buffer, list.byteOffset, list.byteLength);
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
