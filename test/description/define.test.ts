import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type AnyField,
  array,
  bool,
  bytes,
  char,
  custom,
  type Description,
  date,
  defineState,
  enumeration,
  equal,
  type FieldList,
  f32,
  f64,
  isKstateError,
  json,
  list,
  map,
  oneOf,
  optional,
  pointerArray,
  record,
  set,
  string,
  struct,
  typedArray,
  u8,
  u16,
  u32,
  unused,
} from "kstate";

const small = defineState({ name: "small", id: 900, fields: [["a", u8]] });

/** Defines `d@3` with these fields. */
function defined(...fields: [string, AnyField][]): () => Description {
  return () => defineState({ name: "d", id: 1, versionId: 3, fields: fields as FieldList });
}

interface Mistake {
  readonly title: string;
  readonly make: () => unknown;
  readonly message: string;
  readonly field?: string | null;
}

const about = (field: string) => `description d: field ${field}: `;

const mistakes: readonly Mistake[] = [
  {
    title: "a name that is none",
    make: () => defineState({ name: "1st", id: 1, fields: [] }),
    message:
      "description 1st: name must be 1 to 255 letters, digits and _ . / - and must not begin with a digit",
    field: null,
  },
  {
    title: "an id out of range",
    make: () => defineState({ name: "d", id: -1, fields: [] }),
    message: "description d: id must be an integer from 0 to 2147483647, is -1",
  },
  {
    title: "a version that is no integer",
    make: () => defineState({ name: "d", id: 1, versionId: 1.5, fields: [] }),
    message: "description d: versionId must be an integer from 0 to 2147483647, is 1.5",
  },
  {
    title: "a minimum above the version",
    make: () => defineState({ name: "d", id: 1, versionId: 1, minVersionId: 2, fields: [] }),
    message: "description d: minVersionId 2 is above versionId 1; raise versionId or lower minVersionId",
  },
  {
    title: "fields as an object",
    make: () => defineState({ name: "d", id: 1, fields: { a: u8 } as never }),
    message: 'd: fields must be pairs of a name and a kind, such as ["hp", u16]',
  },
  {
    title: "a field without a kind",
    make: () => defineState({ name: "d", id: 1, fields: [["a", undefined as never]] }),
    message: 'd: fields must be pairs of a name and a kind, such as ["hp", u16]',
  },
  {
    title: "a field called __proto__",
    make: defined(["__proto__", u8]),
    message: `${about("__proto__")}a field's name must be a string of 1 to 255 characters other than __proto__`,
  },
  {
    title: "a field twice in one version",
    make: defined(["hp", u8.until(2)], ["hp", u16.since(2)]),
    message: `${about("hp")}is there twice in version 2; end the first with until(1) or rename one`,
    field: "hp",
  },
  {
    title: "since above the version",
    make: defined(["hp", u8.since(4)]),
    message: `${about("hp")}since(4) is above versionId 3; raise versionId to 4`,
  },
  {
    title: "a field removed without raising the version",
    make: defined(["hp", u8.until(3)]),
    message: `${about("hp")}until(3) must be below versionId 3; raise versionId to 4`,
  },
  {
    title: "until below since",
    make: defined(["hp", u8.since(2).until(1)]),
    message: `${about("hp")}until(1) is below since(2); no version has the field`,
  },
  {
    title: "a version that is negative",
    make: defined(["hp", u8.since(-1)]),
    message: `${about("hp")}since(-1) must be a version: an integer from 0`,
  },
  {
    title: "a default that does not fit",
    make: defined(["hp", u8.since(2, 256)]),
    message: `${about("hp")}its default must be an integer from 0 to 255, is 256`,
  },
  {
    title: "a default of a removed field",
    make: defined(["hp", u8.since(1, 5).until(2)]),
    message: `${about("hp")}has a default though the newest version does not have the field; remove the default`,
  },
  {
    title: "a default that would be shared",
    make: () => list(u8, { max: 3 }).since(2, []),
    message:
      "since(): a default that is an object would be shared by all who get it; give a function that makes it: since(2, () => [])",
  },
  {
    title: "a former name that is in use",
    make: defined(["a", u8], ["b", u8.was("a")]),
    message: `${about("b")}was("a"), but there is a field of that name`,
  },
  {
    title: "modifiers on an element",
    make: () => list(u8.since(2), { max: 1 }),
    message:
      "list: since, until, was, check and when belong to the whole field, not to its element; write list.since(…)",
  },
  {
    title: "an element that is no kind",
    make: () => optional("u8" as never),
    message: "optional: expected a field kind such as u32, got u8",
  },
  {
    title: "a condition on a later field",
    make: defined(["a", u8.when("mode", "==", 1)], ["mode", u8]),
    message: `${about("a")}when("mode", …) must name an earlier field of the same object`,
  },
  {
    title: "a condition with a value of another type",
    make: defined(["mode", u8], ["a", u8.when("mode", "==", "on")]),
    message: `${about("a")}when("mode", …): the value must be an integer from 0 to 255, is "on"`,
  },
  {
    title: "a condition on what cannot be compared",
    make: defined(["mode", list(u8, { max: 1 })], ["a", u8.when("mode", "==", 1)]),
    message: `${about("a")}when("mode", …): list cannot be compared`,
  },
  {
    title: "a condition on a field that some versions do not have",
    make: defined(["mode", u8.since(2)], ["a", u8.when("mode", "==", 1)]),
    message: `${about("a")}when("mode", …): version 0 does not have that field; use since and until`,
  },
  {
    title: "a size of nothing",
    make: defined(["a", char(0)]),
    message: `${about("a")}its size must be an integer from 1 to 536870888, is 0`,
  },
  {
    title: "a limit that is missing",
    make: defined(["a", string({} as never)]),
    message: `${about("a")}max must be an integer from 0 to 2147483647, is undefined`,
  },
  {
    title: "a map whose keys are objects",
    make: defined(["a", map(struct(small), u8, { max: 1 })]),
    message: `${about("a")}struct cannot be the key of a map; use a scalar, a string, an enumeration or a ref`,
  },
  {
    title: "a set of numbers that are rounded",
    make: defined(["a", set(f32, { max: 1 })]),
    message: `${about("a")}f32 rounds, so that two of a set could become one; use f64`,
  },
  {
    title: "a map by numbers that are rounded",
    make: defined(["a", map(f32, u8, { max: 1 })]),
    message: `${about("a")}f32 rounds, so that two of a map could become one; use f64`,
  },
  {
    title: "an enumeration of too many names",
    make: defined(["a", enumeration(Array.from({ length: 65537 }, (_, i) => `n${i}`))]),
    message: `${about("a")}enumeration can have at most 65536 names`,
  },
  {
    title: "a count that is no field",
    make: defined(["a", pointerArray(u8, "n")]),
    message: `${about("a")}its count "n" must name an earlier field of the same object`,
  },
  {
    title: "a count that is no integer",
    make: defined(["n", f64], ["a", pointerArray(u8, "n")]),
    message: `${about("a")}its count "n" must be an integer of at most 32 bits, is f64`,
  },
  {
    title: "a count that some versions do not have",
    make: defined(["n", u8.since(2)], ["a", pointerArray(u8, "n")]),
    message: `${about("a")}its count "n": version 0 does not have that field; use since and until`,
  },
  {
    title: "a count that is not always there",
    make: defined(["m", u8], ["n", u8.when("m", "==", 1)], ["a", pointerArray(u8, "n")]),
    message: `${about("a")}its count "n" must always be there, but has when(…)`,
  },
  {
    title: "a counted array inside another kind",
    make: defined(["n", u8], ["a", optional(pointerArray(u8, "n"))]),
    message: `${about("a")}a pointerArray counted by "n" must be a field of its own`,
  },
  {
    title: "a field of a record with a version that does not exist",
    make: defined(["r", record([["x", u8.since(9)]])]),
    message: `${about("r.x")}since(9) is above versionId 3; raise versionId to 9`,
    field: "r.x",
  },
  {
    title: "a variant with a field called like the tag",
    make: defined(["s", oneOf("type", { circle: [["type", u8]] })]),
    message: `${about("s.circle")}a field is called "type" like the tag; rename one of them`,
  },
  {
    title: "an enumeration with a name twice",
    make: defined(["e", enumeration(["a", "a"])]),
    message: `${about("e")}has names that are there twice`,
  },
  {
    title: "an enumeration without names",
    make: defined(["e", enumeration([])]),
    message: `${about("e")}has no names`,
  },
  {
    title: "a custom format without a version",
    make: defined(["c", custom("geo", { save() {}, load: () => 1 })]),
    message: `${about("c")}custom: the format must be a name and a version, such as "geo@1"`,
  },
  {
    title: "a list of empty records",
    make: defined(["l", list(record([]), { max: 1 })]),
    message: `${about("l")}its elements have no fields; describe what is in them`,
  },
  {
    title: "equal of something that cannot be compared",
    make: defined(["e", equal(struct(small))]),
    message: `${about("e")}equal(struct) cannot be compared; use a scalar, text or bytes`,
  },
  {
    title: "unused inside a list",
    make: defined(["l", list(unused(1), { max: 1 })]),
    message: `${about("l")}unused is a field of its own and cannot be inside list`,
  },
  {
    title: "a typed array of what has none",
    make: defined(["t", typedArray(bool as never, { max: 1 })]),
    message: `${about("t")}typedArray: bool has no typed array; use list`,
  },
  {
    title: "a struct of no description",
    make: () => struct(undefined as never),
    message:
      "expected a description made by defineState, got undefined; for one that is defined later give a function: () => later",
  },
  {
    title: "a subsection with the description's id",
    make: () => defineState({ name: "d", id: 900, fields: [], subsections: [small] }),
    message: "description d: subsection small has the id 900 of d",
  },
  {
    title: "a subsection twice",
    make: () =>
      defineState({
        name: "d",
        id: 1,
        fields: [],
        subsections: [small, defineState({ name: "small", id: 901, fields: [] })],
      }),
    message: "description d: there are two subsections called small",
  },
  {
    title: "a subsection of a subsection",
    make: () =>
      defineState({
        name: "d",
        id: 1,
        fields: [],
        subsections: [defineState({ name: "middle", id: 2, fields: [], subsections: [small] })],
      }),
    message: "description d: subsection middle has subsections itself; list them beside it",
  },
  {
    title: "a subsection with a field of the description",
    make: () => defineState({ name: "d", id: 1, fields: [["a", u8]], subsections: [small] }),
    message:
      "description d: field a: is also in subsection small, which describes the same object; rename one",
  },
];

describe("defineState", () => {
  for (const { title, make, message, field } of mistakes) {
    test(`${title} is refused at once, by name and with the fix`, () => {
      assert.throws(make, (error) => {
        assert.ok(isKstateError(error, "DESCRIPTION_INVALID"), String(error));
        assert.equal(error.message, message);
        if (field !== undefined) assert.equal(error.detail.field, field);
        return true;
      });
    });
  }

  test("what is right is accepted", () => {
    const description = defineState({
      name: "game/room-2.a",
      id: 0x7fffffff,
      versionId: 3,
      minVersionId: 1,
      fields: [
        ["hp", u8.until(1)],
        ["hp", u16.since(2, 100)],
        ["mode", u8],
        ["extra", u32.when("mode", "==", 1).when("mode", "!=", 2)],
        ["bytes", bytes(1)],
        ["flags", array(bool, 2)],
        ["when", date.since(3, () => new Date(0))],
        ["maybe", optional(u8).since(2, null)],
        ["free", json({ max: 10 }).since(3, () => ({}))],
      ],
    });
    assert.equal(String(description), "game/room-2.a@3");
    assert.equal(`cannot load ${description.fields[0]}`, "cannot load hp");
  });

  test("a description cannot be changed afterwards", () => {
    assert.throws(() => {
      (small as { name: string }).name = "other";
    }, TypeError);
    assert.throws(() => (small.fields as unknown[]).push(1), TypeError);
  });
});
