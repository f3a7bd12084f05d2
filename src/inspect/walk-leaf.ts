import type { FieldRecord, KindRecord } from "../description/index.ts";
import { type ByteWindow, Damage } from "./byte-window.ts";
import type { LeafEvent, LeafValue } from "./events.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const sizes: Readonly<Record<string, number>> = {
  u8: 1,
  i8: 1,
  bool: 1,
  u16: 2,
  i16: 2,
  enumeration: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  u64: 8,
  i64: 8,
  "u64.safe": 8,
  "i64.safe": 8,
  f64: 8,
  date: 8,
  deadline: 8,
  address: 8,
  folio: 8,
};

/** Reads a kind that has no other kinds in it; `name` is the kind in one line. */
export function readLeaf(
  input: ByteWindow,
  kind: KindRecord,
  segment: string,
  name: string,
  isForeign: boolean,
): LeafEvent {
  const { offset } = input;
  const leaf = (form: LeafEvent["form"], value: LeafValue): LeafEvent => {
    const size = input.offset - offset;
    return { type: "leaf", form, segment, kind: name, value, offset, size };
  };
  switch (kind.kind) {
    case "bytes":
      input.skip(kind.size ?? 0);
      return leaf("bytes", null);
    case "bitmap":
      input.skip(Math.ceil(Number(kind.count) / 8));
      return leaf("bytes", null);
    case "blob":
      input.skip(length(input, kind));
      return leaf("bytes", null);
    case "unused":
      input.skip(kind.size ?? 0);
      return leaf("unused", null);
    case "char":
      return leaf("value", char(input, kind.size ?? 0, isForeign));
    case "string":
      return leaf("value", text(input, length(input, kind)));
    case "json":
      return leaf("value", { json: json(input, kind) });
    default:
      return leaf("value", scalar(input, kind));
  }
}

function scalar(input: ByteWindow, kind: KindRecord): LeafValue {
  const { offset } = input;
  switch (kind.kind) {
    case "u8":
      return input.u8();
    case "u16":
      return input.u16();
    case "u32":
      return input.u32();
    case "i8":
      return input.i8();
    case "i16":
      return input.i16();
    case "i32":
      return input.i32();
    case "f32":
      return input.f32();
    case "f64":
      return input.f64();
    case "u64":
    case "u64.safe":
    case "address":
    case "folio":
      return input.u64();
    case "i64":
    case "i64.safe":
    case "deadline":
      return input.i64();
    case "bool": {
      const value = input.u8();
      if (value > 1) throw new Damage(offset, `0 or 1 is expected, not ${value}`);
      return value === 1;
    }
    case "enumeration": {
      const index = input.u16();
      const name = kind.names?.[index];
      if (name === undefined)
        throw new Damage(offset, `there is no name ${index} of ${kind.names?.length ?? 0}`);
      return name;
    }
    case "date": {
      const date = new Date(Number(input.i64()));
      if (Number.isNaN(date.getTime())) throw new Damage(offset, "a time that no Date can say");
      return date;
    }
    default:
      throw new Damage(offset, `this kstate does not know the kind ${kind.kind}`);
  }
}

function length(input: ByteWindow, { max }: KindRecord): number {
  const { offset } = input;
  const size = input.u32();
  if (max !== undefined && size > max)
    throw new Damage(offset, `a length of ${size} is above the limit of ${max}`);
  return size;
}

function text(input: ByteWindow, size: number): string {
  const { offset } = input;
  const bytes = input.take(size);
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Damage(offset, "bytes that are not UTF-8");
  }
}

/** Up to the first NUL; a kernel leaves anything behind it. */
function char(input: ByteWindow, size: number, isForeign: boolean): string {
  const { offset } = input;
  const bytes = input.take(size);
  const end = bytes.indexOf(0);
  const used = end < 0 ? bytes : bytes.subarray(0, end);
  try {
    return isForeign ? new TextDecoder().decode(used) : decoder.decode(used);
  } catch {
    throw new Damage(offset, "bytes that are not UTF-8");
  }
}

function json(input: ByteWindow, kind: KindRecord): unknown {
  const { offset } = input;
  try {
    const found = text(input, length(input, kind));
    if (nestingOf(found) > jsonDepthLimit)
      throw new Damage(offset, `JSON is nested deeper than ${jsonDepthLimit}`);
    return JSON.parse(found);
  } catch (error) {
    if (error instanceof Damage) throw error;
    throw new Damage(offset, `JSON is expected: ${(error as Error).message}`);
  }
}

/** Deeper JSON cannot be written again: that takes the stack. */
const jsonDepthLimit = 1_000;

/** How deep arrays and objects are in each other; brackets in texts do not count. */
function nestingOf(json: string): number {
  let [depth, deepest] = [0, 0];
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"?|[[\]{}]/gs)) {
    if (token === "[" || token === "{") deepest = Math.max(deepest, ++depth);
    else if (token === "]" || token === "}") depth--;
  }
  return deepest;
}

/** How many bytes the fields from one on take together, if that does not depend on their values. */
export function fixedSize(fields: readonly FieldRecord[], from: number): number | undefined {
  let sum = 0;
  for (let i = from; i < fields.length; i++) {
    const { kind, when } = fields[i]!;
    const size = when === undefined ? sizeOf(kind) : undefined;
    if (size === undefined) return undefined;
    sum += size;
  }
  return sum;
}

function sizeOf(kind: KindRecord): number | undefined {
  if (sizes[kind.kind] !== undefined) return sizes[kind.kind];
  if (["char", "bytes", "unused"].includes(kind.kind)) return kind.size;
  if (kind.kind === "bitmap") return Math.ceil(Number(kind.count) / 8);
  if (["pointer", "equal"].includes(kind.kind)) return sizeOf(kind.element!);
  if (kind.kind !== "array") return undefined;
  const size = sizeOf(kind.element!);
  return size === undefined ? undefined : size * Number(kind.count);
}
