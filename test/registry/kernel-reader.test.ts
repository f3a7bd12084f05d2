import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type AnyField, defineState, isKstateError, list, Registry, string, struct, u8, u16 } from "kstate";

const small = defineState({ name: "small", id: 9, fields: [["n", u8]] });
const withSubsection = defineState({ name: "whole", id: 8, fields: [["m", u8]], subsections: [small] });

function refusal(fields: [string, AnyField][], state: object, id = 1): () => void {
  return () => {
    const registry = new Registry();
    registry.register(defineState({ name: "d", id, versionId: 2, fields }), state as never);
    registry.save({ trailer: false });
  };
}

const cases: [string, () => void, string][] = [
  [
    "kinds of ours",
    refusal([["s", string({ max: 9 })]], { s: "" }),
    "cannot save d.s without a trailer: the kernel has no string; use a kernel kind, or save with the trailer for kstate",
  ],
  [
    "kinds of ours inside kinds of the kernel",
    refusal([["s", struct(defineState({ name: "inner", id: 2, fields: [["l", list(u8, { max: 1 })]] }))]], {
      s: { l: [] },
    }),
    "cannot save inner.l without a trailer: the kernel has no list; use a kernel kind, or save with the trailer for kstate",
  ],
  [
    "conditions",
    refusal(
      [
        ["a", u8],
        ["b", u8.when("a", "==", 1)],
      ],
      { a: 1, b: 2 },
    ),
    "cannot save d.b without a trailer: the kernel has no when()",
  ],
  [
    "subsections of nested structs",
    refusal([["s", struct(withSubsection)]], { s: { m: 1, n: 2 } }),
    "cannot save whole without a trailer: the kernel neither writes nor reads subsections of nested structs; make them fields",
  ],
  [
    "the id 0",
    refusal([["a", u8]], { a: 1 }, 0),
    "cannot save d without a trailer: the kernel takes the id 0 for the end of the stream; use another",
  ],
];

describe("saving for a kernel", () => {
  for (const [what, way, message] of cases) {
    test(`${what} are refused, since the kernel would misread them`, () => {
      assert.throws(way, (error) => isKstateError(error, "KERNEL_CANNOT_READ") && error.message === message);
    });
  }

  test("subsections of sections, versions, and removed fields of ours are fine", () => {
    const registry = new Registry();
    const description = defineState({
      name: "d",
      id: 1,
      versionId: 2,
      fields: [
        ["gone", string({ max: 9 }).until(1)],
        ["a", u16.since(2)],
      ],
      subsections: [small],
    });
    registry.register(description, { a: 1, n: 2 });
    assert.equal(registry.save({ trailer: false }).length, 4 + 20 + 2 + 20 + 1 + 4);
  });
});
