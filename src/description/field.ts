import { KstateError } from "../error/index.ts";
import type { Check, Condition, ConditionOperator, FieldModel, Kind } from "./model.ts";

export declare const valueType: unique symbol;
export declare const aliveType: unique symbol;
export declare const arrayType: unique symbol;

type Modifiers = Omit<FieldModel, "name" | "kind">;

const plain: Modifiers = Object.freeze({
  since: 0,
  until: Number.POSITIVE_INFINITY,
  fallback: undefined,
  was: [],
  save: undefined,
  load: undefined,
  checks: [],
  conditions: [],
});

/**
 * What `until` may do for versions that still have the field. The state is the object that had the field; give
 * its type by annotating the parameter: `save: (state: Player) => state.name.length`.
 */
export interface UntilOptions<T, State> {
  /** The value that an older version gets, for rollback. Without it that version cannot be written. */
  readonly save?: (state: State) => T;
  /** Takes the value that an older version had, after the object's other fields were loaded. */
  load?(state: State, value: T): void;
}

/**
 * The type of a field: a kind and what may be said about it. Immutable; every method gives a new one.
 *
 * @typeParam T the value in TypeScript
 * @typeParam Alive false for fields that the newest version does not have
 */
export class Field<T, Alive extends boolean = true> {
  declare readonly [valueType]: T;
  declare readonly [aliveType]: Alive;
  readonly kind: Kind;
  readonly modifiers: Modifiers;

  constructor(kind: Kind, modifiers: Modifiers = plain) {
    this.kind = kind;
    this.modifiers = modifiers;
  }

  /**
   * The field exists in this version and newer ones, the kernel's `_V` macros. `fallback` is what it gets when
   * an older version is loaded; a function makes a new value for each object.
   */
  since(versionId: number, fallback?: T | (() => T)): Field<T, Alive> {
    return new Field(this.kind, { ...this.modifiers, since: versionId, fallback: maker(fallback) });
  }

  /**
   * The last version that has the field, the kernel's `_DEPRECATED` macros. Older streams' values are read and
   * dropped, or given to `load`; `save` makes the value when an older version is written.
   */
  until<State = Record<string, unknown>>(
    versionId: number,
    options: UntilOptions<T, State> = {},
  ): Field<T, false> {
    const save = options.save as FieldModel["save"];
    const load = options.load as FieldModel["load"];
    return new Field(this.kind, { ...this.modifiers, until: versionId, save, load });
  }

  /** An earlier name of the field. Renaming changes no byte; with `was`, both sides know it is the same field. */
  was(...names: readonly string[]): Field<T, Alive> {
    return new Field(this.kind, { ...this.modifiers, was: [...this.modifiers.was, ...names] });
  }

  /** Refuses values, on save and on load, before anything is changed. */
  check(predicate: (value: T) => boolean, why: string): Field<T, Alive> {
    const check = { predicate, why } as Check;
    return new Field(this.kind, { ...this.modifiers, checks: [...this.modifiers.checks, check] });
  }

  /** The field is in the stream only if an earlier field of the same object compares so. Several must all hold. */
  when(field: string, operator: ConditionOperator, value: Condition["value"]): Field<T, Alive> {
    const condition: Condition = { field, operator, value };
    return new Field(this.kind, { ...this.modifiers, conditions: [...this.modifiers.conditions, condition] });
  }
}

/** A scalar, whose arrays are of type `List`. */
export class ScalarField<T, List> extends Field<T> {
  declare readonly [arrayType]: List;
}

/** A field that is an object by itself, so that a pointer to it needs no box. */
export class ObjectField<T> extends Field<T> {
  declare readonly isObject: true;
}

/** Any field; what `fields` takes. */
export type AnyField = Field<unknown, boolean>;

/** Fields in the stream's order. One name may stand twice with disjoint versions. */
export type FieldList = readonly (readonly [name: string, field: AnyField])[];

function maker<T>(fallback: T | (() => T) | undefined): (() => T) | undefined {
  if (fallback === undefined) return undefined;
  if (typeof fallback === "function") return fallback as () => T;
  if (typeof fallback === "object" && fallback !== null) {
    throw new KstateError(
      "DESCRIPTION_INVALID",
      "since(): a default that is an object would be shared by all who get it; give a function that makes it: since(2, () => [])",
      { description: "", field: null, problem: "shared default" },
    );
  }
  return () => fallback;
}

/** The kind alone, for elements; modifiers make no sense there. */
export function elementKind(field: AnyField, what: string): Kind {
  if (!(field instanceof Field)) {
    throw new KstateError(
      "DESCRIPTION_INVALID",
      `${what}: expected a field kind such as u32, got ${String(field)}`,
      {
        description: "",
        field: null,
        problem: "not a field kind",
      },
    );
  }
  if (field.modifiers !== plain) {
    throw new KstateError(
      "DESCRIPTION_INVALID",
      `${what}: since, until, was, check and when belong to the whole field, not to its element; write ${what}.since(…)`,
      { description: "", field: null, problem: "modifier on an element" },
    );
  }
  return field.kind;
}

/** The model of named fields. Names and kinds are checked by the description around them. */
export function fieldModels(fields: FieldList, what: string): readonly FieldModel[] {
  if (!Array.isArray(fields)) throw notPairs(what);
  return fields.map((pair) => {
    if (
      !Array.isArray(pair) ||
      pair.length !== 2 ||
      typeof pair[0] !== "string" ||
      !(pair[1] instanceof Field)
    ) {
      throw notPairs(what);
    }
    const [name, field] = pair as unknown as readonly [string, AnyField];
    return new NamedField(name, field.kind, field.modifiers);
  });
}

function notPairs(what: string): KstateError {
  return new KstateError(
    "DESCRIPTION_INVALID",
    `${what}: fields must be pairs of a name and a kind, such as ["hp", u16]`,
    { description: what, field: null, problem: "fields are not pairs" },
  );
}

/** A class of its own, so that field models never share a hidden class with anything of the user's. */
class NamedField implements FieldModel {
  readonly name: string;
  readonly kind: Kind;
  readonly since: number;
  readonly until: number;
  readonly fallback: (() => unknown) | undefined;
  readonly was: readonly string[];
  readonly save: FieldModel["save"];
  readonly load: FieldModel["load"];
  readonly checks: readonly Check[];
  readonly conditions: readonly Condition[];

  constructor(name: string, kind: Kind, modifiers: Modifiers) {
    this.name = name;
    this.kind = kind;
    this.since = modifiers.since;
    this.until = modifiers.until;
    this.fallback = modifiers.fallback;
    this.was = modifiers.was;
    this.save = modifiers.save;
    this.load = modifiers.load;
    this.checks = modifiers.checks;
    this.conditions = modifiers.conditions;
  }

  toString(): string {
    return this.name;
  }
}
