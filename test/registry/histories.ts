/** Random histories of a description, as fast-check generates them, and what must come of its values. */

import fc from "fast-check";
import {
  type AnyField,
  bool,
  bytes,
  type Description,
  defineState,
  enumeration,
  type FieldList,
  f64,
  i32,
  list,
  map,
  optional,
  record,
  string,
  u8,
  u16,
  u64,
} from "kstate";

interface KindChoice {
  readonly field: () => AnyField;
  readonly value: fc.Arbitrary<unknown>;
  readonly zero: unknown;
}

const text = fc.string({ unit: "grapheme", maxLength: 8 });

const kinds: readonly KindChoice[] = [
  { field: () => u8, value: fc.nat(255), zero: 0 },
  { field: () => u16, value: fc.nat(0xffff), zero: 0 },
  { field: () => i32, value: fc.integer(), zero: 0 },
  { field: () => u64, value: fc.bigInt(0n, 2n ** 64n - 1n), zero: 0n },
  { field: () => f64, value: fc.double(), zero: 0 },
  { field: () => bool, value: fc.boolean(), zero: false },
  { field: () => string({ max: 200 }), value: text, zero: "" },
  { field: () => bytes(2), value: fc.uint8Array({ minLength: 2, maxLength: 2 }), zero: new Uint8Array(2) },
  { field: () => optional(u8), value: fc.option(fc.nat(255)), zero: null },
  { field: () => list(u16, { max: 9 }), value: fc.array(fc.nat(0xffff), { maxLength: 9 }), zero: [] },
  {
    field: () => map(u8, string({ max: 200 }), { max: 9 }),
    value: fc
      .uniqueArray(fc.tuple(fc.nat(255), text), { maxLength: 9, selector: ([key]) => key })
      .map((entries) => new Map(entries)),
    zero: new Map(),
  },
  { field: () => record([["a", u8]]), value: fc.record({ a: fc.nat(255) }), zero: { a: 0 } },
  { field: () => enumeration(["idle", "busy"]), value: fc.constantFrom("idle", "busy"), zero: "idle" },
];

/** One field through all versions. */
interface FieldHistory {
  readonly key: number;
  readonly kind: KindChoice;
  readonly addedIn: number;
  removedIn: number;
  /** First name, and later ones with the version that brought them. */
  readonly names: { readonly name: string; readonly since: number }[];
  /** The subsection that the field is in, or none. */
  readonly subsection: number | undefined;
  readonly fallback: unknown;
  /** What is written for older versions once it is removed. */
  readonly farewell: unknown;
  readonly value: unknown;
}

export interface History {
  readonly last: number;
  /** In the stream's order. */
  readonly fields: readonly FieldHistory[];
}

interface Change {
  readonly what: "add" | "remove" | "rename" | "retype" | "subsection";
  readonly kind: number;
  readonly at: number;
  readonly withDefault: boolean;
}

const change: fc.Arbitrary<Change> = fc.record({
  what: fc.constantFrom("add", "remove", "rename", "retype", "subsection"),
  kind: fc.nat(kinds.length - 1),
  at: fc.nat(20),
  withDefault: fc.boolean(),
});

/** Each change makes a new version. */
export const histories: fc.Arbitrary<History> = fc
  .record({
    first: fc.array(change, { minLength: 1, maxLength: 4 }),
    changes: fc.array(change, { minLength: 1, maxLength: 5 }),
    values: fc.infiniteStream(fc.tuple(...kinds.map(({ value }) => value))),
  })
  .map(({ first, changes, values }) => {
    const fields: FieldHistory[] = [];
    const pick = (kind: number) => values.next().value![kind];
    for (const { kind, at } of first) add(fields, kind, at, 0, undefined, undefined, pick);
    for (const [i, step] of changes.entries()) applyChange(fields, step, i + 1, pick);
    return { last: changes.length, fields };
  });

function add(
  fields: FieldHistory[],
  kindIndex: number,
  at: number,
  addedIn: number,
  subsection: number | undefined,
  fallback: unknown,
  pick: (kind: number) => unknown,
  name?: string,
): void {
  const kind = kinds[kindIndex]!;
  const key = fields.length;
  const field: FieldHistory = {
    key,
    kind,
    addedIn,
    removedIn: Number.POSITIVE_INFINITY,
    names: [{ name: name ?? `f${key}`, since: addedIn }],
    subsection,
    fallback,
    farewell: pick(kindIndex),
    value: pick(kindIndex),
  };
  fields.splice(at % (fields.length + 1), 0, field);
}

function applyChange(
  fields: FieldHistory[],
  { what, kind, at, withDefault }: Change,
  version: number,
  pick: (kind: number) => unknown,
): void {
  const alive = fields.filter(
    (field) => field.removedIn === Number.POSITIVE_INFINITY && field.subsection === undefined,
  );
  const victim = alive[at % Math.max(1, alive.length)];
  if (what === "subsection") add(fields, kind, at, version, version, undefined, pick);
  else if (what === "add" || victim === undefined) {
    add(fields, kind, at, version, undefined, withDefault ? pick(kind) : undefined, pick);
  } else if (what === "rename") victim.names.push({ name: `r${version}`, since: version });
  else {
    victim.removedIn = version;
    const name = victim.names.at(-1)!.name;
    if (what === "retype") add(fields, kind, at, version, undefined, undefined, pick, name);
  }
}

/** The description as the program of that version has it. */
export function descriptionAt({ fields }: History, program: number): Description {
  const subsections = [...new Set(fields.map(({ subsection }) => subsection))]
    .filter((subsection) => subsection !== undefined && subsection <= program)
    .map((subsection) =>
      defineState({
        name: `family/${subsection}`,
        id: 100 + subsection!,
        fields: pairsAt(
          fields.filter((field) => field.subsection === subsection),
          program,
          0,
        ),
      }),
    );
  const own = fields.filter((field) => field.subsection === undefined);
  return defineState({
    name: "family",
    id: 1,
    versionId: program,
    fields: pairsAt(own, program),
    subsections,
  });
}

function pairsAt(fields: readonly FieldHistory[], program: number, addedIn?: number): FieldList {
  return fields
    .filter((field) => field.addedIn <= program)
    .map((field) => [nameAt(field, program), fieldAt(field, program, addedIn ?? field.addedIn)] as const);
}

function fieldAt(field: FieldHistory, program: number, addedIn: number): AnyField {
  const { kind, removedIn, fallback, farewell, names } = field;
  const isRemoved = removedIn <= program;
  const former = names.filter(({ since }) => since <= program).map(({ name }) => name);
  let type = kind.field().was(...former.slice(0, -1)) as AnyField;
  if (addedIn > 0)
    type = type.since(addedIn, isRemoved || fallback === undefined ? undefined : () => copy(fallback));
  return isRemoved ? type.until(removedIn - 1, { save: () => copy(farewell) }) : type;
}

function nameAt({ names }: FieldHistory, program: number): string {
  return names.filter(({ since }) => since <= program).at(-1)!.name;
}

function isAlive({ addedIn, removedIn }: FieldHistory, version: number): boolean {
  return addedIn <= version && version < removedIn;
}

/** A state of the program of that version, with the history's values. */
export function stateAt({ fields }: History, program: number): Record<string, unknown> {
  return stateOf(fields, program, ({ value }) => value);
}

function stateOf(
  fields: readonly FieldHistory[],
  program: number,
  pick: (field: FieldHistory) => unknown,
): Record<string, unknown> {
  const state: Record<string, unknown> = {};
  for (const field of fields) if (isAlive(field, program)) state[nameAt(field, program)] = copy(pick(field));
  return state;
}

/**
 * What a new object must hold after its values went from program to program. Independent of the code under test: a
 * field's value goes along as long as the version that is written has it; else it is as new.
 */
export function stateAfter(history: History, path: readonly number[]): Record<string, unknown> {
  const values = new Map(history.fields.map((field) => [field.key, field.value]));
  for (let i = 1; i < path.length; i++) {
    const [from, to] = [path[i - 1]!, path[i]!];
    const written = Math.min(from, to);
    for (const field of history.fields)
      values.set(field.key, step(field, from, written, values.get(field.key)));
  }
  return stateOf(history.fields, path.at(-1)!, ({ key }) => values.get(key));
}

function step(field: FieldHistory, from: number, written: number, value: unknown): unknown {
  if (!isAlive(field, written)) return field.fallback ?? field.kind.zero;
  return isAlive(field, from) ? value : field.farewell;
}

function copy<T>(value: T): T {
  return typeof value === "object" && value !== null ? structuredClone(value) : value;
}
