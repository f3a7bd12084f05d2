import {
  address,
  array,
  bitmap,
  blob,
  bool,
  bytes,
  char,
  custom,
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
  type StateOf,
  set,
  string,
  struct,
  typedArray,
  u8,
  u16,
  u32,
  u64,
  unused,
} from "kstate";

interface Point {
  readonly x: number;
  readonly y: number;
}

const point = custom<Point>("point@1", {
  save({ x, y }, writer) {
    writer.f32(x);
    writer.f32(y);
  },
  load: (reader) => ({ x: reader.f32(), y: reader.f32() }),
});

const text = string({ max: 64 });

const extra = defineState({ name: "item/extra", id: 903, fields: [["note", text]] });

export const item = defineState({
  name: "item",
  id: 902,
  versionId: 3,
  fields: [
    ["id", u32],
    ["weight", f64],
  ],
  subsections: [extra],
});

const sparse = defineState({
  name: "every/sparse",
  id: 904,
  fields: [["spare", optional(text)]],
  needed: (state) => state.spare !== null,
});

/** A description with every kind. */
export const everyKind = defineState({
  name: "every",
  id: 901,
  versionId: 2,
  fields: [
    ["u8", u8],
    ["u16", u16],
    ["u32", u32],
    ["u64", u64],
    ["i8", i8],
    ["i16", i16],
    ["i32", i32],
    ["i64", i64],
    ["wide", u64.safe],
    ["signedWide", i64.safe],
    ["f32", f32],
    ["f64", f64],
    ["bool", bool],
    ["char", char(6)],
    ["bytes", bytes(3)],
    ["array", array(u16, 2)],
    ["arrayOfStructs", array(struct(item), 2)],
    ["pointer", pointer(u32)],
    ["pointerToStruct", pointer(struct(item))],
    ["struct", struct(item)],
    ["count", u8],
    ["pointers", pointerArray(u16, "count")],
    ["address", address({ name: "linear", at: 0x1000n })],
    ["folio", folio()],
    ["custom", point],
    ["string", text],
    ["blob", blob({ max: 16 })],
    ["typed", typedArray(f32, { max: 16 })],
    ["optional", optional(u16)],
    ["nothing", optional(u16)],
    ["list", list(text, { max: 8 })],
    ["structs", list(struct(item), { max: 8 })],
    ["set", set(u8, { max: 8 })],
    ["map", map(u8, text, { max: 8 })],
    ["structMap", map(text, struct(item), { max: 8 })],
    [
      "record",
      record([
        ["a", u8],
        ["b", bool],
      ]),
    ],
    ["shape", oneOf("type", { circle: [["r", f32]], square: [["side", u8]] })],
    ["enumeration", enumeration(["idle", "busy"])],
    ["ref", ref(item)],
    ["sameRef", ref(item)],
    ["noRef", ref(item)],
    ["bitmap", bitmap(10)],
    ["date", date],
    ["deadline", deadline],
    ["equal", equal(u8)],
    ["unused", unused(2)],
    ["json", json({ max: 64 })],
    ["mode", u8],
    ["onlyInMode2", u16.when("mode", "==", 2)],
  ],
  subsections: [sparse],
});

export type EveryKind = StateOf<typeof everyKind>;

export function everyKindState(): EveryKind {
  const shared = { id: 77, weight: 1.5, note: "shared" };
  return {
    u8: 0x12,
    u16: 0x1234,
    u32: 0x12345678,
    u64: 0x123456789abcdef0n,
    i8: -2,
    i16: -3,
    i32: -4,
    i64: -5n,
    wide: Number.MAX_SAFE_INTEGER,
    signedWide: Number.MIN_SAFE_INTEGER,
    f32: 1.5,
    f64: Math.PI,
    bool: true,
    char: "héy",
    bytes: Uint8Array.of(1, 2, 3),
    array: Uint16Array.of(0x0102, 0x0304),
    arrayOfStructs: [
      { id: 1, weight: 1, note: "one" },
      { id: 2, weight: 2, note: "two" },
    ],
    pointer: { value: 42 },
    pointerToStruct: { id: 3, weight: 3, note: "three" },
    struct: { id: 4, weight: 4, note: "four" },
    count: 2,
    pointers: [10, 20],
    address: 0x1234n,
    folio: { address: 0x5000n },
    custom: { x: 1, y: 2 },
    string: "grüße 👋",
    blob: Uint8Array.of(9, 8, 7),
    typed: Float32Array.of(0.5, -0.5),
    optional: 7,
    nothing: null,
    list: ["a", "bc", ""],
    structs: [
      { id: 5, weight: 5, note: "five" },
      { id: 6, weight: 6, note: "six" },
    ],
    set: new Set([3, 1, 2]),
    map: new Map([
      [2, "two"],
      [1, "one"],
    ]),
    structMap: new Map([["seven", { id: 7, weight: 7, note: "7" }]]),
    record: { a: 1, b: true },
    shape: { type: "circle", r: 2.5 },
    enumeration: "busy",
    ref: shared,
    sameRef: shared,
    noRef: null,
    bitmap: Uint8Array.of(0xff, 0x03),
    date: new Date(1_700_000_000_000),
    deadline: 1_800_000_000_000,
    equal: 9,
    json: { free: ["form", 1, null] },
    mode: 2,
    onlyInMode2: 500,
    spare: "spare",
  };
}

/** Another state of the same description, to be loaded into; `equal` must be the same. */
export function otherState(): EveryKind {
  return {
    ...everyKindState(),
    u8: 0,
    struct: { id: 0, weight: 0, note: "" },
    list: ["x"],
    structs: [],
    set: new Set([9]),
    map: new Map([[9, "nine"]]),
    structMap: new Map([["other", { id: 0, weight: 0, note: "" }]]),
    shape: { type: "square", side: 1 },
    ref: null,
    sameRef: null,
    spare: null,
  };
}
