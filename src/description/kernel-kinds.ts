/** The kernel's kinds: what its `KSTATE_*` macros save, byte for byte. */

import { KstateError } from "../error/index.ts";
import {
  type AnyField,
  type arrayType,
  elementKind,
  Field,
  ObjectField,
  ScalarField,
  type valueType,
} from "./field.ts";
import { picture } from "./fit.ts";
import type { AddressBase, Box, CustomCodec, Description, Folio, TextOptions } from "./model.ts";

/** Unsigned and signed integers, range-checked on save. `KSTATE_BASE_TYPE`. */
export const u8: ScalarField<number, Uint8Array> = new ScalarField({ kind: "u8" });
export const u16: ScalarField<number, Uint16Array> = new ScalarField({ kind: "u16" });
export const u32: ScalarField<number, Uint32Array> = new ScalarField({ kind: "u32" });
export const i8: ScalarField<number, Int8Array> = new ScalarField({ kind: "i8" });
export const i16: ScalarField<number, Int16Array> = new ScalarField({ kind: "i16" });
export const i32: ScalarField<number, Int32Array> = new ScalarField({ kind: "i32" });
export const f32: ScalarField<number, Float32Array> = new ScalarField({ kind: "f32" });
export const f64: ScalarField<number, Float64Array> = new ScalarField({ kind: "f64" });
/** One byte, 0 or 1. */
export const bool: Field<boolean> = new Field({ kind: "bool" });

/** A 64-bit integer as bigint, with a form for numbers: eight bytes all the same. */
export class WideField<List> extends ScalarField<bigint, List> {
  /** The same eight bytes as a number; outside of the safe integers it is refused, on save and on load. */
  readonly safe: Field<number>;

  constructor(kind: "u64" | "i64") {
    super({ kind });
    this.safe = new Field({ kind: `${kind}.safe` });
  }
}

export const u64: WideField<BigUint64Array> = new WideField("u64");
export const i64: WideField<BigInt64Array> = new WideField("i64");

/**
 * A string of at most `size` bytes of UTF-8, padded with NUL. `lone: "replace"` saves U+FFFD for half of a character,
 * which is three bytes; it is refused unless given. `KSTATE_BASE_TYPE(…, char [size])`.
 */
export function char(size: number, { lone }: TextOptions = {}): Field<string> {
  return new Field(lone === undefined ? { kind: "char", size } : { kind: "char", size, lone });
}

/** Exactly `size` bytes. `KSTATE_BASE_TYPE(…, u8 [size])`. */
export function bytes(size: number): Field<Uint8Array> {
  return new Field({ kind: "bytes", size });
}

type ElementOf<F extends AnyField> = F[typeof valueType];
type ListOf<F extends AnyField> = F extends { readonly [arrayType]: infer List } ? List : ElementOf<F>[];

/** Exactly `count` elements: a typed array for numbers, else an array. `KSTATE_BASE_TYPE(…, T [count])`. */
export function array<F extends AnyField>(element: F, count: number): Field<ListOf<F>> {
  return new Field({ kind: "array", element: elementKind(element, "array"), count });
}

/**
 * What a pointer points to. An object (`struct`, `record`) stands for itself; anything else is in a `Box`,
 * loaded into what it points to. `KSTATE_POINTER`.
 */
export function pointer<T>(element: ObjectField<T>): ObjectField<T>;
export function pointer<T>(element: Field<T>): Field<Box<T>>;
export function pointer<T>(element: Field<T>): ObjectField<T> | Field<Box<T>> {
  return new ObjectField<T>({ kind: "pointer", element: elementKind(element, "pointer") });
}

/**
 * Another described object inside this one: a whole nested entry with its own version. Give a function for a
 * description that is defined later or contains itself. `KSTATE_STRUCT`.
 */
export function struct<State>(of: Description<State> | (() => Description<State>)): ObjectField<State> {
  return new ObjectField({ kind: "struct", of: target(of) });
}

/** `count` pointers' targets one after the other; a name is an earlier field that holds the count. */
export function pointerArray<F extends AnyField>(element: F, count: number | string): Field<ElementOf<F>[]> {
  return new Field({ kind: "pointerArray", element: elementKind(element, "pointerArray"), count });
}

/** An address, saved relative to a named base, because the base differs between programs. `KSTATE_ADDRESS`. */
export function address(base: AddressBase): Field<bigint> {
  return new Field({ kind: "address", base });
}

/**
 * A folio: its address is saved, its bytes stay where they are. `KSTATE_FOLIO`. In a live update it is restored as
 * the same memory: `folio<Folio>()` with the `Folio` of `kstate/live`.
 */
export function folio<F extends Folio = Folio>(): Field<F> {
  return new Field({ kind: "folio" });
}

/**
 * Bytes of your own making. `format` is a name with a version, `"geo@1"`; both sides compare it, so change it
 * whenever the bytes change. `KS_CUSTOM`.
 */
export function custom<T>(format: string, codec: CustomCodec<T>): Field<T> {
  return new Field({ kind: "custom", format, codec: codec as CustomCodec<unknown> });
}

/** A description, or a function that gives it later. */
export function target(of: Description | (() => Description)): () => Description {
  if (typeof of === "function") return of;
  if (typeof of !== "object" || of === null || typeof of.versionId !== "number") {
    throw new KstateError(
      "DESCRIPTION_INVALID",
      `expected a description made by defineState, got ${picture(of)}; for one that is defined later give a function: () => later`,
      { description: "", field: null, problem: "not a description" },
    );
  }
  return () => of;
}
