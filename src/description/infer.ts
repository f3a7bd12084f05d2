import type { AnyField, aliveType, FieldList, valueType } from "./field.ts";
import type { Description, stateType } from "./model.ts";

/** The value of a field in TypeScript. */
export type ValueOf<F extends AnyField> = F[typeof valueType];

type AliveName<Pair extends readonly [string, AnyField]> = Pair[1][typeof aliveType] extends true
  ? Pair[0]
  : never;

/** The object that a list of fields describes: fields without `until`, a retyped field in its newest type. */
export type FieldsState<List extends FieldList> = {
  [Pair in List[number] as AliveName<Pair>]: ValueOf<Pair[1]>;
};

/** The fields that subsections add to the same object. */
export type SubsectionsState<List extends readonly Description[]> = List extends readonly [
  infer First extends Description,
  ...infer Rest extends readonly Description[],
]
  ? StateOf<First> & SubsectionsState<Rest>
  : unknown;

/** Shows an intersection as one object type. */
export type Flat<T> = { [Key in keyof T]: T[Key] } & {};

/** The type of the objects that a description describes: `type Player = StateOf<typeof player>`. */
export type StateOf<D extends Description> = NonNullable<D[typeof stateType]>;
