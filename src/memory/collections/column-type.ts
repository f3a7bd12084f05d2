/** The typed array that a column of numbers is. */
export type NumberColumn =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** A column: 64-bit integers are bigints, numbers are of their own kind, and all else are bytes. */
export type Column<T> = T extends bigint
  ? BigUint64Array | BigInt64Array
  : T extends number
    ? NumberColumn
    : Uint8Array;

/** Makes a typed array over memory. */
export type ColumnConstructor<T> = (new (
  buffer: ArrayBufferLike,
  offset: number,
  length: number,
) => T) & { readonly BYTES_PER_ELEMENT: number; readonly name: string };

/** The typed array for a kind of field. */
export function columnTypeOf(kind: string): ColumnConstructor<unknown> {
  return types[kind.replace(".safe", "")] ?? Uint8Array;
}

const types: { readonly [kind: string]: ColumnConstructor<unknown> } = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
};
