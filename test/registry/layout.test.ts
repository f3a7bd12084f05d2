import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type AnyField,
  custom,
  defineState,
  enumeration,
  type FieldList,
  isKstateError,
  list,
  oneOf,
  pointerArray,
  Registry,
  record,
  string,
  struct,
  u8,
  u16,
  u32,
  u64,
  unused,
} from "kstate";

type Fields = readonly (readonly [string, AnyField])[];

function describedBy(fields: Fields, versionId = 2) {
  return defineState({ name: "thing", id: 1, versionId, fields: fields as FieldList });
}

/** Saves with one list of fields and loads with another of the same version. */
function move(writer: Fields, reader: Fields, state: object, into: object = {}): object {
  const [saved, loaded] = [new Registry(), new Registry()];
  saved.register(describedBy(writer), state as never);
  loaded.register(describedBy(reader), into as never);
  loaded.load(saved.save());
  return into;
}

const text = string({ max: 20 });
const nothing = { save() {}, load: () => 1 };

describe("the layouts of writer and reader", () => {
  const different: [string, Fields, Fields, object][] = [
    ["another kind", [["a", u32]], [["a", string({ max: 9 })]], { a: 0 }],
    [
      "another order of fields of the same size",
      [
        ["a", u8],
        ["b", u8],
      ],
      [
        ["b", u8],
        ["a", u8],
      ],
      { a: 1, b: 2 },
    ],
    ["another name", [["a", u8]], [["z", u8]], { a: 1 }],
    [
      "one field more",
      [["a", u8]],
      [
        ["a", u8],
        ["b", list(u8, { max: 9 })],
      ],
      { a: 1 },
    ],
    [
      "one field less",
      [
        ["a", u8],
        ["b", u8],
      ],
      [["a", u8]],
      { a: 1, b: 2 },
    ],
    [
      "another since",
      [["a", u8]],
      [
        ["a", u8],
        ["b", u8.since(2)],
      ],
      { a: 1 },
    ],
    [
      "another condition",
      [
        ["a", u8],
        ["b", u8.when("a", "==", 1)],
      ],
      [
        ["a", u8],
        ["b", u8.when("a", "==", 2)],
      ],
      { a: 1, b: 2 },
    ],
    ["another record inside", [["r", record([["a", u8]])]], [["r", record([["b", u8]])]], { r: { a: 1 } }],
    ["another custom format", [["c", custom("geo@1", nothing)]], [["c", custom("geo@2", nothing)]], { c: 1 }],
    [
      "another name in an enumeration",
      [["e", enumeration(["a", "b"])]],
      [["e", enumeration(["a", "c"])]],
      { e: "a" },
    ],
    [
      "another variant",
      [["o", oneOf("t", { a: [["x", u8]] })]],
      [["o", oneOf("t", { b: [["x", u8]] })]],
      { o: { t: "a", x: 1 } },
    ],
    [
      "another count",
      [
        ["n", u8],
        ["m", u8],
        ["p", pointerArray(u8, "n")],
      ],
      [
        ["n", u8],
        ["m", u8],
        ["p", pointerArray(u8, "m")],
      ],
      { n: 0, m: 0, p: [] },
    ],
    ["another element", [["l", list(u8, { max: 9 })]], [["l", list(u16, { max: 9 })]], { l: [] }],
  ];

  for (const [what, writer, reader, state] of different) {
    test(`${what} without a new version is a mismatch, and nothing is changed`, () => {
      const into = { untouched: true };
      assert.throws(
        () => move(writer, reader, state, into),
        (error) => isKstateError(error, "LAYOUT_MISMATCH") && error.detail.versionId === 2,
      );
      assert.deepEqual(into, { untouched: true });
    });
  }

  test("the message shows both sides and marks what differs", () => {
    assert.throws(
      () =>
        move(
          [
            ["id", u32],
            ["hp", u16],
            ["name", text],
          ],
          [
            ["id", u32],
            ["hp", u32],
            ["name", text],
          ],
          { id: 1, hp: 2, name: "" },
        ),
      (error) => {
        assert.ok(isKstateError(error, "LAYOUT_MISMATCH"));
        assert.equal(
          error.message,
          [
            "writer and reader disagree about thing@2; a change of fields needs a new versionId",
            "  writer      | reader",
            "  id u32      | id u32",
            "> hp u16      | hp u32",
            "  name string | name string",
          ].join("\n"),
        );
        assert.deepEqual(error.detail.writer, ["id u32", "hp u16", "name string"]);
        return true;
      },
    );
  });

  const alike: [string, Fields, Fields, object, object][] = [
    ["a rename with was, forwards", [["old", u8]], [["now", u8.was("old")]], { old: 7 }, { now: 7 }],
    ["a rename with was, backwards", [["now", u8.was("old")]], [["old", u8]], { now: 7 }, { old: 7 }],
    [
      "a longer enumeration",
      [["e", enumeration(["a", "b"])]],
      [["e", enumeration(["a", "b", "c"])]],
      { e: "b" },
      { e: "b" },
    ],
    [
      "a shorter enumeration",
      [["e", enumeration(["a", "b", "c"])]],
      [["e", enumeration(["a", "b"])]],
      { e: "b" },
      { e: "b" },
    ],
    [
      "more variants",
      [["o", oneOf("t", { a: [["x", u8]] })]],
      [["o", oneOf("t", { a: [["x", u8]], b: [] })]],
      { o: { t: "a", x: 1 } },
      { o: { t: "a", x: 1 } },
    ],
    [
      "a changed limit",
      [["s", string({ max: 5 })]],
      [["s", string({ max: 50 })]],
      { s: "abc" },
      { s: "abc" },
    ],
    [
      "a default",
      [
        ["a", u8],
        ["b", u8.since(1, 3)],
      ],
      [
        ["a", u8],
        ["b", u8.since(1, 4)],
      ],
      { a: 1, b: 2 },
      { a: 1, b: 2 },
    ],
    ["a check", [["a", u8]], [["a", u8.check((value) => value > 0, "positive")]], { a: 1 }, { a: 1 }],
    ["u64 as a number", [["a", u64]], [["a", u64.safe]], { a: 5n }, { a: 5 }],
    [
      "another name for unused bytes",
      [
        ["pad", unused(2)],
        ["a", u8],
      ],
      [
        ["reserved", unused(2)],
        ["a", u8],
      ],
      { a: 1 },
      { a: 1 },
    ],
    [
      "fields that are in other versions only",
      [["a", u8]],
      [
        ["a", u8],
        ["gone", u8.until(1)],
      ],
      { a: 1 },
      { a: 1 },
    ],
    [
      "a renamed field that a condition names",
      [
        ["m", u8],
        ["b", u8.when("m", "==", 1)],
      ],
      [
        ["mode", u8.was("m")],
        ["b", u8.when("mode", "==", 1)],
      ],
      { m: 1, b: 2 },
      { mode: 1, b: 2 },
    ],
  ];

  for (const [what, writer, reader, state, expected] of alike) {
    test(`${what} is no difference`, () => {
      assert.deepEqual(move(writer, reader, state), expected);
    });
  }

  test("the message stays short, however much the writer's side says", () => {
    const many = Array.from({ length: 500 }, (_, i) => [`${"long".repeat(60)}${i}`, u8] as const);
    const state = Object.fromEntries(many.map(([field]) => [field, 0]));
    assert.throws(
      () => move(many, [["a", u8]], state),
      (error) => {
        assert.ok(isKstateError(error, "LAYOUT_MISMATCH"));
        assert.ok(error.message.length < 6000, String(error.message.length));
        assert.ok(error.message.endsWith("… 460 more"), error.message.slice(-50));
        return true;
      },
    );
  });

  test("nested descriptions are compared in the version in which they were written", () => {
    const outerOf = (kind: typeof u8 | typeof u16) => {
      const inner = defineState({ name: "inner", id: 2, versionId: 4, fields: [["a", kind]] });
      return defineState({ name: "outer", id: 1, fields: [["list", list(struct(inner), { max: 9 })]] });
    };
    const [saved, loaded] = [new Registry(), new Registry()];
    saved.register(outerOf(u8), { list: [{ a: 1 }] });
    loaded.register(outerOf(u16), { list: [] });
    assert.throws(
      () => loaded.load(saved.save()),
      (error) =>
        isKstateError(error, "LAYOUT_MISMATCH") &&
        error.detail.description === "inner" &&
        error.detail.versionId === 4,
    );
  });

  test("an index beyond the reader's own enumeration is refused", () => {
    assert.throws(
      () => move([["e", enumeration(["a", "b", "c"])]], [["e", enumeration(["a", "b"])]], { e: "c" }),
      (error) =>
        isKstateError(error, "VALUE_INVALID") &&
        error.message.endsWith('expected one of "a", "b" at offset 24, found index 2'),
    );
  });
});
