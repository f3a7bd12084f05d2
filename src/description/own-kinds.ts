/** The kinds that JavaScript programs need beside the kernel's. Every one has a limit. */

import {
  type AnyField,
  elementKind,
  Field,
  type FieldList,
  fieldModels,
  ObjectField,
  type ScalarField,
} from "./field.ts";
import type { FieldsState, Flat, ValueOf } from "./infer.ts";
import { target } from "./kernel-kinds.ts";
import type { Description, TextOptions, TypedName } from "./model.ts";

/** A limit in elements, or in bytes for strings and bytes. Above it a value is refused, on save and on load. */
export interface Limit {
  readonly max: number;
}

/** How a JSON value is saved. */
export interface JsonOptions {
  /**
   * Whether what JSON cannot say is changed as `JSON.stringify` does it: NaN and Infinity to null, members left out, a
   * Date or what has `toJSON` to text, a Map to `{}`. False unless given: such a value is refused by its path.
   */
  readonly lossy?: boolean;
}

/** Text of at most `max` bytes of UTF-8. Lone surrogates are refused unless `lone` says otherwise. */
export function string({ max, lone }: Limit & TextOptions): Field<string> {
  return new Field(lone === undefined ? { kind: "string", max } : { kind: "string", max, lone });
}

/** At most `max` bytes. */
export function blob({ max }: Limit): Field<Uint8Array> {
  return new Field({ kind: "blob", max });
}

/** A typed array of at most `max` elements: `typedArray(f64, { max: 1e6 })` is a `Float64Array`. */
export function typedArray<List>(element: ScalarField<unknown, List>, { max }: Limit): Field<List> {
  return new Field({
    kind: "typedArray",
    element: elementKind(element as AnyField, "typedArray").kind as TypedName,
    max,
  });
}

/** A value or `null`. */
export function optional<F extends AnyField>(element: F): Field<ValueOf<F> | null> {
  return new Field({ kind: "optional", element: elementKind(element, "optional") });
}

/** An array of at most `max` elements. */
export function list<F extends AnyField>(element: F, { max }: Limit): Field<ValueOf<F>[]> {
  return new Field({ kind: "list", element: elementKind(element, "list"), max });
}

/** A `Set` of at most `max` elements, in insertion order. */
export function set<F extends AnyField>(element: F, { max }: Limit): Field<Set<ValueOf<F>>> {
  return new Field({ kind: "set", element: elementKind(element, "set"), max });
}

/** A `Map` of at most `max` entries, in insertion order. Keys are scalars, strings, enumerations or refs. */
export function map<K extends AnyField, V extends AnyField>(
  key: K,
  value: V,
  { max }: Limit,
): Field<Map<ValueOf<K>, ValueOf<V>>> {
  return new Field({ kind: "map", key: elementKind(key, "map"), value: elementKind(value, "map"), max });
}

/** An object inside this one, without a header: its fields' versions are those of the description around it. */
export function record<const List extends FieldList>(fields: List): ObjectField<FieldsState<List>> {
  return new ObjectField({ kind: "record", fields: fieldModels(fields, "record") });
}

/** An object of one of several shapes, told apart by the member `tag`. Add variants at the end only. */
export function oneOf<
  const Tag extends string,
  const Variants extends { readonly [name: string]: FieldList },
>(
  tag: Tag,
  variants: Variants,
): Field<
  { [Name in keyof Variants]: Flat<{ [Key in Tag]: Name } & FieldsState<Variants[Name]>> }[keyof Variants]
> {
  const models = Object.entries(variants).map(([name, fields]) => ({
    name,
    fields: fieldModels(fields, name),
  }));
  return new Field({ kind: "oneOf", tag, variants: models });
}

/** One of several strings. Add names at the end only: both sides' lists must begin alike. */
export function enumeration<const Names extends readonly string[]>(names: Names): Field<Names[number]> {
  return new Field({ kind: "enumeration", names: [...names] });
}

/**
 * A reference to a described object, or `null`. Objects referenced from several places stay shared, cycles stay
 * cycles, and chains may have any length. For a description that references itself:
 * `const node: Description<Node> = defineState({ …, fields: [["next", ref(() => node)]] })`.
 */
export function ref<State>(of: Description<State> | (() => Description<State>)): Field<State | null> {
  return new Field({ kind: "ref", of: target(of) });
}

/** `count` bits in ceil(count / 8) bytes, the lowest bit first. Bits beyond `count` must be 0. */
export function bitmap(count: number): Field<Uint8Array> {
  return new Field({ kind: "bitmap", count });
}

/** A `Date`, in whole milliseconds. An invalid one is refused. */
export const date: Field<Date> = new Field({ kind: "date" });

/** Wall-clock time at which something is due, in whole milliseconds since 1970, as of `Date.now()`. */
export const deadline: Field<number> = new Field({ kind: "deadline" });

/** A value that must be the same on both sides: at load the stream's must equal the one that is present. */
export function equal<F extends AnyField>(element: F): Field<ValueOf<F>> {
  return new Field({ kind: "equal", element: elementKind(element, "equal") });
}

/** `size` bytes of zeros, where a field once was or will be. It has no value. */
export function unused(size: number): Field<undefined, false> {
  return new Field({ kind: "unused", size });
}

/**
 * Anything that JSON can say, of at most `max` bytes: the escape hatch, without versions or layout. What would come back
 * as something else (NaN, undefined, a Map, a class) is refused unless `lossy` says otherwise; at most 512 deep.
 */
export function json<T = unknown>({ max, lossy = false }: Limit & JsonOptions): Field<T> {
  return new Field(lossy ? { kind: "json", max, lossy } : { kind: "json", max });
}
