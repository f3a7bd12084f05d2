import {
  type AnyField,
  address,
  array,
  bitmap,
  blob,
  bool,
  bytes,
  char,
  custom,
  type Description,
  date,
  deadline,
  defineState,
  enumeration,
  equal,
  f32,
  f64,
  folio,
  i8,
  i16,
  i32,
  i64,
  json,
  list,
  map,
  oneOf,
  optional,
  pointer,
  pointerArray,
  record,
  ref,
  set,
  string,
  struct,
  typedArray,
  u8,
  u16,
  u32,
  u64,
} from "kstate";

/** Bytes in hex with what they mean. */
type Annotated = readonly (readonly [what: string, hex: string])[];

export interface KindCase {
  readonly name: string;
  readonly field: AnyField;
  /** Fields before it, for counts. */
  readonly before?: readonly (readonly [string, AnyField])[];
  readonly others?: object;
  readonly values: () => readonly (readonly [value: unknown, bytes: Annotated])[];
  /** Values that save refuses, with what the message says it expected. */
  readonly refused: () => readonly (readonly [value: unknown, expected: string])[];
  /** Bytes that load refuses, with a part of the message. */
  readonly damaged?: readonly (readonly [hex: string, message: string])[];
}

function integer(
  name: string,
  field: AnyField,
  lowest: [number | bigint, string],
  highest: [number | bigint, string],
): KindCase {
  const isBig = typeof lowest[0] === "bigint";
  const one = isBig ? 1n : 1;
  const what = isBig ? "a bigint from" : "an integer from";
  return {
    name,
    field,
    values: () => [
      [lowest[0], [["lowest", lowest[1]]]],
      [highest[0], [["highest", highest[1]]]],
    ],
    refused: () => [
      [(lowest[0] as number) - (one as number), what],
      [(highest[0] as number) + (one as number), what],
      [isBig ? 1 : 1n, what],
      ["1", what],
      [isBig ? Number.NaN : 1.5, what],
      [undefined, what],
    ],
  };
}

const note = defineState({ name: "note", id: 3, fields: [["text", string({ max: 9 })]] });
const item = defineState({ name: "item", id: 2, versionId: 7, fields: [["n", u16]], subsections: [note] });
const plainItem = defineState({ name: "item", id: 2, versionId: 7, fields: [["n", u16]] });
const itemHeader = "02000000 02000000 07000000 00000000";

interface Tree {
  n: number;
  left: Tree | null;
  right: Tree | null;
}
const tree: Description<Tree> = defineState({
  name: "tree",
  id: 5,
  fields: [
    ["n", u8],
    ["left", ref(() => tree)],
    ["right", ref(() => tree)],
  ],
});
const treeHeader = "02000000 05000000 00000000 00000000 09000000";

function sampleTree(): Tree {
  const shared: Tree = { n: 3, left: null, right: null };
  const root: Tree = { n: 1, left: { n: 2, left: shared, right: null }, right: shared };
  shared.left = root;
  return root;
}

const anObject = "an object";

export const kindCases: readonly KindCase[] = [
  integer("u8", u8, [0, "00"], [255, "ff"]),
  integer("u16", u16, [0, "0000"], [0xffff, "ffff"]),
  integer("u32", u32, [0, "00000000"], [0xffffffff, "ffffffff"]),
  integer("u64", u64, [0n, "0000000000000000"], [2n ** 64n - 1n, "ffffffffffffffff"]),
  integer("i8", i8, [-128, "80"], [127, "7f"]),
  integer("i16", i16, [-0x8000, "0080"], [0x7fff, "ff7f"]),
  integer("i32", i32, [-0x80000000, "00000080"], [0x7fffffff, "ffffff7f"]),
  integer("i64", i64, [-(2n ** 63n), "0000000000000080"], [2n ** 63n - 1n, "ffffffffffffff7f"]),
  {
    ...integer("u64.safe", u64.safe, [0, "0000000000000000"], [2 ** 53 - 1, "ffffffffffff1f00"]),
    damaged: [["0000000000002000", "found a number that is too large"]],
  },
  {
    ...integer("i64.safe", i64.safe, [-(2 ** 53 - 1), "010000000000e0ff"], [2 ** 53 - 1, "ffffffffffff1f00"]),
    damaged: [["000000000000e0ff", "found a number that is too large"]],
  },
  {
    name: "f32",
    field: f32,
    values: () => [
      [1.5, [["1.5", "0000c03f"]]],
      [Number.NEGATIVE_INFINITY, [["-Infinity", "000080ff"]]],
    ],
    refused: () => [
      ["1", "a number"],
      [1n, "a number"],
    ],
  },
  {
    name: "f64",
    field: f64,
    values: () => [
      [-0.1, [["-0.1", "9a9999999999b9bf"]]],
      [Number.NaN, [["NaN", "000000000000f87f"]]],
    ],
    refused: () => [[null, "a number"]],
  },
  {
    name: "bool",
    field: bool,
    values: () => [
      [true, [["true", "01"]]],
      [false, [["false", "00"]]],
    ],
    refused: () => [[1, "true or false"]],
    damaged: [["02", "expected 0 or 1 (u8 takes any byte) at offset 24, found 2"]],
  },
  {
    name: "char(6)",
    field: char(6),
    values: () => [
      [
        "héy",
        [
          ["text", "68c3a979"],
          ["NUL", "0000"],
        ],
      ],
      ["sixsix", [["text without NUL", "736978736978"]]],
      ["", [["NUL", "000000000000"]]],
    ],
    refused: () => [
      ["toolong", "a string of at most 6 bytes"],
      ["éééé", "a string of at most 6 bytes"],
      ["a\0b", "without NUL"],
      ["\ud800", "lone surrogates"],
      [5, "a string"],
    ],
    damaged: [["ff0000000000", "expected valid UTF-8"]],
  },
  {
    name: "bytes(3)",
    field: bytes(3),
    values: () => [[Uint8Array.of(1, 2, 3), [["bytes", "010203"]]]],
    refused: () => [
      [Uint8Array.of(1, 2), "a Uint8Array of 3 bytes"],
      [[1, 2, 3], "a Uint8Array of 3 bytes"],
    ],
  },
  {
    name: "array(u16, 2)",
    field: array(u16, 2),
    values: () => [[Uint16Array.of(1, 0xfffe), [["elements", "0100 feff"]]]],
    refused: () => [
      [Uint16Array.of(1), "an array of 2 elements"],
      ["ab", "an array of 2 elements"],
    ],
  },
  {
    name: "array(bool, 2)",
    field: array(bool, 2),
    values: () => [[[true, false], [["elements", "01 00"]]]],
    refused: () => [
      [[true], "an array of 2 elements"],
      [[true, 0], "true or false"],
    ],
  },
  {
    name: "array(struct, 2)",
    field: array(struct(plainItem), 2),
    values: () => [
      [
        [{ n: 1 }, { n: 2 }],
        [
          ["a whole entry", `${itemHeader} 02000000`],
          ["n", "0100"],
          ["a whole entry", `${itemHeader} 02000000`],
          ["n", "0200"],
        ],
      ],
    ],
    refused: () => [
      [[{ n: 1 }], "an array of 2 elements"],
      [[{ n: 1 }, null], anObject],
    ],
  },
  {
    name: "pointer(u32)",
    field: pointer(u32),
    values: () => [[{ value: 5 }, [["what it points to", "05000000"]]]],
    refused: () => [
      [5, "a box { value }"],
      [{ value: -1 }, "an integer from 0"],
    ],
  },
  {
    name: "pointer(struct)",
    field: pointer(struct(plainItem)),
    values: () => [
      [
        { n: 1 },
        [
          ["entry", `${itemHeader} 02000000`],
          ["n", "0100"],
        ],
      ],
    ],
    refused: () => [[null, anObject]],
  },
  {
    name: "struct with a subsection",
    field: struct(item),
    values: () => [
      [
        { n: 1, text: "hi" },
        [
          ["entry with its subsection in its size", `${itemHeader} 1c000000`],
          ["n", "0100"],
          ["subsection", "01000000 03000000 00000000 00000000 06000000"],
          ["text", "02000000 6869"],
        ],
      ],
    ],
    refused: () => [
      [5, anObject],
      [{ n: 1, text: 5 }, "a string"],
    ],
    damaged: [
      [
        `${itemHeader} 03000000 0100 00`,
        "expected the end of the entry or a subsection at offset 46, found 1 more bytes",
      ],
      [`${itemHeader} 01000000 01`, "need 2 bytes at offset 44, 1 left"],
      ["02000000 09000000 07000000 00000000 02000000 0100", "expected id 2 of item at offset 28, found 9"],
      ["02000000 02000000 07000000 01000000 02000000 0100", "expected instance 0 at offset 36, found 1"],
      ["01000000 02000000 07000000 00000000 02000000 0100", "expected section type 2 at offset 24, found 1"],
      [`${itemHeader} ffffffff 0100`, "expected a size at offset 40, found -1"],
      ["02000000 02000000 08000000 00000000 02000000 0100", "version 8 is too new"],
    ],
  },
  {
    name: 'pointerArray(u16, "n")',
    field: pointerArray(u16, "n"),
    before: [["n", u8]],
    others: { n: 2 },
    values: () => [
      [
        [1, 2],
        [
          ["n", "02"],
          ["elements", "0100 0200"],
        ],
      ],
    ],
    refused: () => [[[1], "an array of as many elements as n says (2)"]],
  },
  {
    name: "pointerArray(u16, 2)",
    field: pointerArray(u16, 2),
    values: () => [[[1, 2], [["elements", "0100 0200"]]]],
    refused: () => [[[1], "an array of 2 elements"]],
  },
  {
    name: "address",
    field: address({ name: "linear", at: () => 0x1000n }),
    values: () => [
      [0x1234n, [["relative to the base", "3402000000000000"]]],
      [0n, [["NULL wraps", "00f0ffffffffffff"]]],
      [0xfffn, [["so does what is below the base", "ffffffffffffffff"]]],
      [0xffff_ffff_ffff_ffffn, [["the last", "ffefffffffffffff"]]],
    ],
    refused: () => [
      [-1n, "an address (bigint) from 0n to 18446744073709551615n"],
      [2n ** 64n, "an address"],
      [5, "an address"],
    ],
  },
  {
    name: "folio",
    field: folio(),
    values: () => [[{ address: 0x5000n }, [["address", "0050000000000000"]]]],
    refused: () => [
      [null, "a folio { address }"],
      [{ address: -1n }, "a folio"],
    ],
  },
  {
    name: "custom",
    field: custom("list@1", {
      save(value: number[], writer) {
        writer.u8(value.length);
        for (const element of value) writer.i32(element);
      },
      load(reader) {
        const count = reader.u8();
        if (count > 3) reader.fail("at most 3", String(count));
        return Array.from({ length: count }, () => reader.i32());
      },
    }),
    values: () => [
      [
        [1, -1],
        [
          ["its own count", "02"],
          ["its own elements", "01000000 ffffffff"],
        ],
      ],
    ],
    refused: () => [[[2 ** 31], "an integer from -2147483648"]],
    damaged: [["04", "expected at most 3 at offset 25, found 4"]],
  },
  {
    name: "string",
    field: string({ max: 6 }),
    values: () => [
      [
        "grüß",
        [
          ["length", "06000000"],
          ["UTF-8", "6772 c3bc c39f"],
        ],
      ],
      ["", [["length", "00000000"]]],
    ],
    refused: () => [
      ["sevenxx", "7 is above the limit of 6"],
      ["ßßßß", "8 is above the limit of 6"],
      ["a\udc00", "a string without lone surrogates"],
      [null, "a string"],
    ],
    damaged: [
      ["07000000 61616161616161", "7 at offset 24 is above the limit of 6"],
      ["ffffffff", "4294967295 at offset 24 is above the limit of 6"],
      ["02000000 c328", "expected valid UTF-8 at offset 28"],
      ["03000000 eda080", "expected valid UTF-8"],
      ["05000000 6161", "need 5 bytes at offset 28, 2 left"],
    ],
  },
  {
    name: "blob",
    field: blob({ max: 3 }),
    values: () => [
      [
        Uint8Array.of(9, 8),
        [
          ["length", "02000000"],
          ["bytes", "0908"],
        ],
      ],
    ],
    refused: () => [
      [new Uint8Array(4), "4 is above the limit of 3"],
      ["ab", "a Uint8Array"],
    ],
    damaged: [["04000000 00000000", "4 at offset 24 is above the limit of 3"]],
  },
  {
    name: "typedArray(f32)",
    field: typedArray(f32, { max: 2 }),
    values: () => [
      [
        Float32Array.of(1.5, -2),
        [
          ["count", "02000000"],
          ["elements", "0000c03f 000000c0"],
        ],
      ],
    ],
    refused: () => [
      [new Float32Array(3), "3 is above the limit of 2"],
      [new Float64Array(1), "a typed array of f32"],
    ],
    damaged: [["02000000 00000000", "need 8 bytes at offset 28, 4 left"]],
  },
  {
    name: "typedArray(u64)",
    field: typedArray(u64, { max: 2 }),
    values: () => [
      [
        BigUint64Array.of(2n ** 64n - 1n),
        [
          ["count", "01000000"],
          ["element", "ffffffffffffffff"],
        ],
      ],
    ],
    refused: () => [[[1n], "a typed array of u64"]],
  },
  {
    name: "optional",
    field: optional(u16),
    values: () => [
      [
        7,
        [
          ["present", "01"],
          ["element", "0700"],
        ],
      ],
      [null, [["absent", "00"]]],
    ],
    refused: () => [[undefined, "an integer from 0 to 65535"]],
    damaged: [["02 0000", "expected 0 (absent) or 1 at offset 24, found 2"]],
  },
  {
    name: "list of numbers",
    field: list(u16, { max: 3 }),
    values: () => [
      [
        [1, 2],
        [
          ["count", "02000000"],
          ["elements", "0100 0200"],
        ],
      ],
      [[], [["count", "00000000"]]],
    ],
    refused: () => [
      [[1, 2, 3, 4], "4 is above the limit of 3"],
      [new Set([1]), "an array"],
      [[1, -1], "an integer"],
    ],
    damaged: [
      ["04000000 0000000000000000", "4 at offset 24 is above the limit of 3"],
      ["03000000 0000", "need 6 bytes at offset 28, 2 left"],
    ],
  },
  {
    name: "list of structs",
    field: list(struct(item), { max: 3 }),
    values: () => [
      [
        [
          { n: 1, text: "a" },
          { n: 2, text: "" },
        ],
        [
          ["one entry for all", `${itemHeader} 27000000`],
          ["count", "02000000"],
          ["n, n", "0100 0200"],
          ["one subsection for all", "01000000 03000000 00000000 00000000 0b000000"],
          ["has it, text", "01 01000000 61"],
          ["has it, text", "01 00000000"],
        ],
      ],
    ],
    refused: () => [
      [[{ n: 1 }], "a string without lone surrogates"],
      [[5], anObject],
    ],
    damaged: [
      [`${itemHeader} 07000000 01000000 0100 00`, "found 1 more bytes"],
      [`${itemHeader} 04000000 04000000`, "4 at offset 44 is above the limit of 3"],
      [
        `${itemHeader} 1b000000 01000000 0100 01000000 03000000 00000000 00000000 01000000 02`,
        "expected 0 (not needed) or 1 at offset 70, found 2",
      ],
    ],
  },
  {
    name: "set",
    field: set(u8, { max: 3 }),
    values: () => [
      [
        new Set([3, 1]),
        [
          ["count", "02000000"],
          ["elements in order", "03 01"],
        ],
      ],
    ],
    refused: () => [
      [new Set([1, 2, 3, 4]), "4 is above the limit of 3"],
      [[1], "a Set"],
    ],
    damaged: [["02000000 0101", "expected elements that are there once"]],
  },
  {
    name: "map",
    field: map(u8, string({ max: 3 }), { max: 2 }),
    values: () => [
      [
        new Map([
          [2, "b"],
          [1, ""],
        ]),
        [
          ["count", "02000000"],
          ["key, value", "02 01000000 62"],
          ["key, value", "01 00000000"],
        ],
      ],
    ],
    refused: () => [
      [{}, "a Map"],
      [new Map([[1, 2]]), "a string"],
      [new Map([[256, ""]]), "an integer from 0 to 255"],
      [
        new Map([
          [1, ""],
          [2, ""],
          [3, ""],
        ]),
        "3 is above the limit of 2",
      ],
    ],
    damaged: [["02000000 02 00000000 02 00000000", "expected keys that are there once"]],
  },
  {
    name: "map of structs",
    field: map(u8, struct(plainItem), { max: 2 }),
    values: () => [
      [
        new Map([
          [9, { n: 1 }],
          [8, { n: 2 }],
        ]),
        [
          ["one entry for all", `${itemHeader} 0a000000`],
          ["count", "02000000"],
          ["key, n", "09 0100"],
          ["key, n", "08 0200"],
        ],
      ],
    ],
    refused: () => [[new Map([[1, null]]), anObject]],
    damaged: [[`${itemHeader} 0a000000 02000000 09 0100 09 0200`, "expected keys that are there once"]],
  },
  {
    name: "record",
    field: record([
      ["a", u8],
      ["b", bool],
    ]),
    values: () => [
      [
        { a: 5, b: true },
        [
          ["a", "05"],
          ["b", "01"],
        ],
      ],
    ],
    refused: () => [
      [null, anObject],
      [{ a: 5 }, "true or false"],
    ],
  },
  {
    name: "oneOf",
    field: oneOf("type", { circle: [["r", u16]], square: [["side", u8]] }),
    values: () => [
      [
        { type: "circle", r: 5 },
        [
          ["index of circle", "0000"],
          ["r", "0500"],
        ],
      ],
      [
        { type: "square", side: 5 },
        [
          ["index of square", "0100"],
          ["side", "05"],
        ],
      ],
    ],
    refused: () => [
      [{ type: "line" }, "an object whose type is one of circle, square"],
      [null, "an object whose type is one of circle, square"],
    ],
    damaged: [["0200 00", "found index 2"]],
  },
  {
    name: "enumeration",
    field: enumeration(["idle", "busy"]),
    values: () => [
      ["idle", [["index", "0000"]]],
      ["busy", [["index", "0100"]]],
    ],
    refused: () => [
      ["gone", 'one of "idle", "busy"'],
      [0, "one of"],
    ],
    damaged: [["0200", "found index 2"]],
  },
  {
    name: "ref, shared and in a circle",
    field: ref(tree),
    values: () => [
      [
        sampleTree(),
        [
          ["number of the root", "01000000"],
          ["body 1", `${treeHeader} 01`],
          ["left 2, right 3", "02000000 03000000"],
          ["body 2", `${treeHeader} 02`],
          ["left 3, right null", "03000000 00000000"],
          ["body 3", `${treeHeader} 03`],
          ["left 1, right null", "01000000 00000000"],
        ],
      ],
      [null, [["null", "00000000"]]],
    ],
    refused: () => [
      [5, "an object described by tree, or null"],
      [undefined, "an object described by tree, or null"],
    ],
    damaged: [
      ["02000000", "expected a number up to 1 at offset 24, found 2"],
      [`01000000 ${treeHeader} 01 03000000 00000000`, "expected a number up to 2 at offset 49, found 3"],
    ],
  },
  {
    name: "bitmap(10)",
    field: bitmap(10),
    values: () => [[Uint8Array.of(0xff, 0x03), [["bits", "ff03"]]]],
    refused: () => [
      [Uint8Array.of(0xff, 0x04), "a Uint8Array of 2 bytes with no bit from 10 on set"],
      [Uint8Array.of(1), "a Uint8Array of 2 bytes"],
    ],
    damaged: [["ff04", "expected no bit from 10 on at offset 25, found one"]],
  },
  {
    name: "date",
    field: date,
    values: () => [
      [new Date(1), [["ms", "0100000000000000"]]],
      [new Date(-8.64e15), [["ms", "0000243df74de1ff"]]],
    ],
    refused: () => [
      [new Date(Number.NaN), "a valid Date"],
      [5, "a valid Date"],
    ],
    damaged: [["ffffffffffff1f00", "expected a valid Date at offset 24"]],
  },
  {
    name: "deadline",
    field: deadline,
    values: () => [[1_800_000_000_000, [["ms", "00505c18a3010000"]]]],
    refused: () => [
      [1.5, "whole milliseconds since 1970"],
      [new Date(), "whole milliseconds"],
    ],
    damaged: [["ffffffffffffff7f", "found a number that is too large"]],
  },
  {
    name: "equal(u8)",
    field: equal(u8),
    values: () => [[5, [["element", "05"]]]],
    refused: () => [[256, "an integer from 0 to 255"]],
  },
  {
    name: "json",
    field: json({ max: 12 }),
    values: () => [
      [
        { a: [1] },
        [
          ["length", "09000000"],
          ["JSON", "7b2261223a5b315d7d"],
        ],
      ],
    ],
    refused: () => [
      [undefined, "what JSON can say"],
      [() => 1, "what JSON can say"],
      [1n, "what JSON can say"],
      ["x".repeat(20), "22 is above the limit of 12"],
    ],
    damaged: [["02000000 7b7b", "expected JSON"]],
  },
];
