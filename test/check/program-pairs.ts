/** Random pairs of programs, of which the second is a change of the first: proper ones and every kind of mistake. */

import fc from "fast-check";
import {
  type AnyField,
  char,
  type Description,
  defineState,
  enumeration,
  type FieldList,
  i32,
  list,
  record,
  string,
  struct,
  u8,
  u16,
  u64,
} from "kstate";

interface KindSpec {
  readonly field: (size: number) => AnyField;
  /** A value that every size takes, and one that only this size takes. */
  readonly modest: (seed: number) => unknown;
  readonly extreme: (size: number) => unknown;
  readonly isFixed: boolean;
}

/** The first eight are in every enumeration. */
const names = Array.from({ length: 12 }, (_, index) => `name${index}`);

const kinds: readonly KindSpec[] = [
  { field: () => u8, modest: (seed) => seed, extreme: () => 255, isFixed: true },
  { field: () => u16, modest: (seed) => seed, extreme: () => 65535, isFixed: true },
  { field: () => i32, modest: (seed) => seed, extreme: () => -1, isFixed: true },
  { field: () => u64, modest: BigInt, extreme: () => 2n ** 60n, isFixed: true },
  { field: () => u64.safe, modest: (seed) => seed, extreme: () => 2 ** 53 - 1, isFixed: true },
  { field: (size) => char(size + 1), modest: String, extreme: (size) => "x".repeat(size + 1), isFixed: true },
  {
    field: (size) => string({ max: size + 1 }),
    modest: String,
    extreme: (size) => "x".repeat(size + 1),
    isFixed: false,
  },
  {
    field: (size) => list(u8, { max: size + 1 }),
    modest: (seed) => [seed],
    extreme: (size) => new Array(size + 1).fill(0),
    isFixed: false,
  },
  {
    field: (size) => enumeration(names.slice(0, size + 9)),
    modest: (seed) => names[seed],
    extreme: (size) => names[size + 8],
    isFixed: false,
  },
  {
    field: () => record([["a", u8]]),
    modest: (seed) => ({ a: seed }),
    extreme: () => ({ a: 255 }),
    isFixed: true,
  },
];

/** Seeds of values that are told apart: before a load, declared default, `save`, `load`, and the state's own. */
export const seeds = { before: 0, fallback: 1, save: 3, load: 5, own: 7 } as const;

export interface FieldSpec {
  name: string;
  was: string[];
  kind: number;
  size: number;
  since: number;
  until: number;
  save: boolean;
  load: boolean;
  fallback: boolean;
}

export interface ProgramSpec {
  id: number;
  name: string;
  versionId: number;
  minVersionId: number;
  fields: FieldSpec[];
  /** Fields of subsections, by the subsection's number. */
  subsections: Record<number, FieldSpec[]>;
  /** Whether the description is also part of another one. */
  isNested: boolean;
}

interface Draw {
  readonly what: number;
  readonly at: number;
  readonly kind: number;
  readonly size: number;
  readonly flags: readonly [boolean, boolean, boolean];
}

const draw: fc.Arbitrary<Draw> = fc.record({
  what: fc.nat(99),
  at: fc.nat(20),
  kind: fc.nat(kinds.length - 1),
  size: fc.nat(3),
  flags: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
});

type Change = (spec: ProgramSpec, draw: Draw, number: number) => void;

function insert(spec: ProgramSpec, { at, kind, size, flags }: Draw, name: string, since: number): FieldSpec {
  const field: FieldSpec = {
    name,
    was: [],
    kind,
    size,
    since,
    until: Number.POSITIVE_INFINITY,
    save: flags[0],
    load: flags[1],
    fallback: flags[2],
  };
  spec.fields.splice(at % (spec.fields.length + 1), 0, field);
  return field;
}

function onField(change: (field: FieldSpec, spec: ProgramSpec, draw: Draw, number: number) => void): Change {
  return (spec, given, number) => {
    const alive = spec.fields.filter(({ until }) => until === Number.POSITIVE_INFINITY);
    const field = alive[given.at % Math.max(1, alive.length)];
    if (field !== undefined) change(field, spec, given, number);
  };
}

/** Proper changes, each in the next version. */
const proper: readonly Change[] = [
  (spec, given, number) => insert(spec, given, `f${number}`, ++spec.versionId),
  onField((field, spec, { flags }) => {
    field.until = spec.versionId++;
    field.save = flags[0];
  }),
  onField((field, _spec, _draw, number) => {
    field.was.push(field.name);
    field.name = `r${number}`;
  }),
  onField((field, spec, given) => {
    field.until = spec.versionId++;
    Object.assign(field, { save: true, load: given.flags[1], fallback: false });
    insert(spec, given, field.name, spec.versionId);
  }),
  (spec, given, number) => {
    const holder = { ...spec, fields: [] as FieldSpec[] };
    spec.subsections[number] = [insert(holder, given, `s${number}`, 0)];
  },
  (spec) => {
    spec.versionId++;
  },
  onField((field, _spec, { size }) => {
    if ([6, 7, 8].includes(field.kind)) field.size = size;
  }),
  onField((field) => {
    if (field.kind === 3 || field.kind === 4) field.kind = 7 - field.kind;
  }),
];

/** Mistakes. */
const mistakes: readonly Change[] = [
  (spec, given, number) => insert(spec, given, `f${number}`, Math.min(given.size, spec.versionId)),
  onField((field, spec) => void spec.fields.splice(spec.fields.indexOf(field), 1)),
  onField((field, _spec, _draw, number) => {
    field.name = `r${number}`;
  }),
  onField((field, _spec, { kind, size }) => Object.assign(field, { kind, size })),
  onField((field, spec, { size }) => {
    spec.fields.splice(spec.fields.indexOf(field), 1);
    spec.fields.splice(size, 0, field);
  }),
  (spec, { size }) => {
    spec.minVersionId = Math.min(spec.versionId, spec.minVersionId + size);
  },
  (spec, { size }) => {
    spec.versionId = Math.max(spec.minVersionId, spec.versionId - size);
  },
  onField((field, spec, { size }) => {
    field.since = Math.min(size, spec.versionId);
  }),
  onField((field, spec) => {
    field.until = Math.max(0, spec.versionId - 1);
  }),
  (spec) => {
    spec.id = 2;
  },
  (spec) => {
    spec.name = "other";
  },
  (spec, { at }) => {
    const known = Object.keys(spec.subsections);
    delete spec.subsections[Number(known[at % Math.max(1, known.length)])];
  },
  (spec, { flags }) => {
    spec.isNested = flags[0];
  },
  onField((field) => {
    field.fallback = !field.fallback;
  }),
];

export interface ProgramPair {
  readonly old: ProgramSpec;
  readonly new: ProgramSpec;
}

function pairsWith(allowed: (kind: number) => boolean): fc.Arbitrary<ProgramPair> {
  return fc
    .record({
      first: fc.array(draw, { minLength: 1, maxLength: 3 }),
      history: fc.array(draw, { maxLength: 3 }),
      changes: fc.array(draw, { maxLength: 3 }),
      isNested: fc.boolean(),
    })
    .map(({ first, history, changes, isNested }) => {
      const fitting = (given: Draw): Draw =>
        allowed(given.kind) ? given : { ...given, kind: given.kind % 6 };
      const spec: ProgramSpec = {
        id: 1,
        name: "thing",
        versionId: 1,
        minVersionId: 0,
        fields: [],
        subsections: {},
        isNested,
      };
      first.forEach((given, i) => void insert(spec, fitting(given), `a${i}`, 0));
      history.forEach((given, i) => void proper[given.what % proper.length]!(spec, fitting(given), 10 + i));
      const next = structuredClone(spec);
      changes.forEach((given, i) => {
        const choices = given.what < 60 ? proper : mistakes;
        choices[given.what % choices.length]!(next, fitting(given), 20 + i);
      });
      return { old: spec, new: next };
    });
}

export const programPairs = pairsWith(() => true);
/** Descriptions whose objects may be kept in place. */
export const rowPairs = pairsWith((kind) => kinds[kind]!.isFixed);

/** What `save` of removed fields gives: a value that every size takes, or one that only this size takes. */
export type Values = "modest" | "extreme";

/** The descriptions of a program; throws `DESCRIPTION_INVALID` where a mistake is seen at once. */
export function descriptionsOf(
  spec: ProgramSpec,
  values: Values = "modest",
): readonly [thing: Description, holder: Description | undefined] {
  const pairsOf = (fields: readonly FieldSpec[]): FieldList =>
    fields.map((field) => [field.name, fieldOf(field, fields, values)] as const);
  const subsections = Object.entries(spec.subsections).map(([number, fields]) =>
    defineState({ name: `thing/${number}`, id: 100 + Number(number), fields: pairsOf(fields) }),
  );
  const { name, id, versionId, minVersionId } = spec;
  const thing = defineState({
    name,
    id,
    versionId,
    minVersionId,
    fields: pairsOf(spec.fields),
    subsections,
  }) as Description;
  const holder = spec.isNested
    ? (defineState({
        name: "holder",
        id: 50,
        fields: [["one", struct(thing as Description<object>)]],
      }) as Description)
    : undefined;
  return [thing, holder];
}

function fieldOf(spec: FieldSpec, fields: readonly FieldSpec[], values: Values): AnyField {
  const { kind, size, was, since, until, save, load, fallback } = spec;
  const { field, modest, extreme } = kinds[kind]!;
  const type = field(size).was(...was) as AnyField;
  if (until === Number.POSITIVE_INFINITY)
    return type.since(since, fallback ? () => modest(seeds.fallback) : undefined);
  return type.since(since).until(until, {
    ...(save ? { save: () => (values === "extreme" ? extreme(size) : modest(seeds.save)) } : {}),
    ...(load
      ? {
          load(state: Record<string, unknown>) {
            for (const other of fields) {
              if (other.until === Number.POSITIVE_INFINITY && sameName(spec, other))
                state[other.name] = loaded;
            }
          },
        }
      : {}),
  });
}

/** Whether two fields are one, as far as their names say. */
export function sameName(a: FieldSpec, b: FieldSpec): boolean {
  return a.name === b.name || a.was.includes(b.name) || b.was.includes(a.name);
}

/** What `load` of a deprecated field puts into the one that took its place. */
export const loaded = Symbol("loaded");

/** Fields of the newest version, those of subsections included. */
export function aliveFields(spec: ProgramSpec): readonly FieldSpec[] {
  return [...spec.fields, ...Object.values(spec.subsections).flat()].filter(
    ({ until }) => until === Number.POSITIVE_INFINITY,
  );
}

export function stateOf(spec: ProgramSpec, seed: number): Record<string, unknown> {
  return Object.fromEntries(aliveFields(spec).map(({ name, kind }) => [name, kinds[kind]!.modest(seed)]));
}

/** Values that fit only where they are. */
export function extremeState(spec: ProgramSpec): Record<string, unknown> {
  return Object.fromEntries(
    aliveFields(spec).map(({ name, kind, size }) => [name, kinds[kind]!.extreme(size)]),
  );
}

/** Whether a value came out of the stream, or was left as it was, or is the default. */
export function hasArrived({ kind }: FieldSpec, value: unknown): boolean {
  if (value === loaded) return true;
  const text = (of: unknown) =>
    JSON.stringify(of, (_, member) => (typeof member === "bigint" ? `${member}n` : member));
  const { modest } = kinds[kind]!;
  return ![seeds.before, seeds.fallback].some((seed) => text(modest(seed)) === text(value));
}
