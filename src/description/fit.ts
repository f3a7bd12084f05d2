import type { Kind } from "./model.ts";

/** The smallest and largest value of each integer kind. */
export const integerRange = {
  u8: [0, 0xff],
  u16: [0, 0xffff],
  u32: [0, 0xffffffff],
  i8: [-0x80, 0x7f],
  i16: [-0x8000, 0x7fff],
  i32: [-0x80000000, 0x7fffffff],
  "u64.safe": [0, Number.MAX_SAFE_INTEGER],
  "i64.safe": [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  u64: [0n, 0xffffffffffffffffn],
  i64: [-0x8000000000000000n, 0x7fffffffffffffffn],
} as const;

/** From here on a finite number would become Infinity as `f32`. */
export const f32Overflow: number = 2 ** 128 - 2 ** 103;

/** What a value of this kind must be, for messages: `an integer from 0 to 255`. */
export function expectation(kind: Kind): string {
  switch (kind.kind) {
    case "u8":
    case "u16":
    case "u32":
    case "i8":
    case "i16":
    case "i32":
    case "u64.safe":
    case "i64.safe":
      return `an integer from ${integerRange[kind.kind][0]} to ${integerRange[kind.kind][1]}`;
    case "u64":
    case "i64":
      return `a bigint from ${integerRange[kind.kind][0]}n to ${integerRange[kind.kind][1]}n`;
    case "f32":
      return "a number that f32 can hold (up to 3.4e38), Infinity or NaN";
    case "f64":
      return "a number";
    case "bool":
      return "true or false";
    case "char":
      return `a string of at most ${kind.size} bytes without NUL${kind.lone === "replace" ? "" : " or lone surrogates"}`;
    case "bytes":
      return `a Uint8Array of ${kind.size} bytes`;
    case "array":
      return `an array of ${kind.count} elements`;
    case "pointer":
      return kind.element.kind === "struct" || kind.element.kind === "record"
        ? "an object"
        : "a box { value }";
    case "struct":
      return `an object described by ${kind.of().name}`;
    case "pointerArray":
      return typeof kind.count === "number"
        ? `an array of ${kind.count} elements`
        : `an array of as many elements as ${kind.count} says`;
    case "address":
      return `an address (bigint) from 0n to ${integerRange.u64[1]}n`;
    case "folio":
      return "a folio { address }";
    case "custom":
      return `a value of format ${kind.format}`;
    case "string":
      return kind.lone === "replace" ? "a string" : "a string without lone surrogates";
    case "blob":
      return "a Uint8Array";
    case "typedArray":
      return `a typed array of ${kind.element}`;
    case "optional":
      return "a value or null";
    case "list":
      return "an array";
    case "set":
      return "a Set";
    case "map":
      return "a Map";
    case "record":
      return "an object";
    case "oneOf":
      return `an object whose ${kind.tag} is one of ${kind.variants.map(({ name }) => name).join(", ")}`;
    case "enumeration":
      return `one of ${kind.names.map((name) => JSON.stringify(name)).join(", ")}`;
    case "ref":
      return `an object described by ${kind.of().name}, or null`;
    case "bitmap":
      return `a Uint8Array of ${Math.ceil(kind.count / 8)} bytes with no bit from ${kind.count} on set`;
    case "date":
      return "a valid Date";
    case "deadline":
      return "whole milliseconds since 1970";
    case "equal":
      return expectation(kind.element);
    case "unused":
      return "zeros";
    case "json":
      return kind.lossy === true ? "what JSON can say" : "what JSON can say exactly";
  }
}

/** Whether a value fits a kind without elements; kinds with elements, and objects, are not looked into. */
export function fits(kind: Kind, value: unknown): boolean {
  switch (kind.kind) {
    case "u8":
    case "u16":
    case "u32":
    case "i8":
    case "i16":
    case "i32":
    case "u64.safe":
    case "i64.safe":
      return isWithin(value, integerRange[kind.kind]);
    case "u64":
    case "i64":
      return (
        typeof value === "bigint" &&
        value >= integerRange[kind.kind][0] &&
        value <= integerRange[kind.kind][1]
      );
    case "f32":
      return typeof value === "number" && !(Math.abs(value) >= f32Overflow && Number.isFinite(value));
    case "f64":
      return typeof value === "number";
    case "bool":
      return typeof value === "boolean";
    case "char":
    case "string":
      return typeof value === "string";
    case "enumeration":
      return typeof value === "string" && kind.names.includes(value);
    case "deadline":
      return Number.isSafeInteger(value);
    case "date":
      return value instanceof Date && !Number.isNaN(timeOf(value));
    case "address":
      return typeof value === "bigint";
    case "optional":
      return value === null || fits(kind.element, value);
    case "equal":
      return fits(kind.element, value);
    default:
      return true;
  }
}

/** What the engine says, whatever a class of the program's says. */
function timeOf(date: Date): number {
  try {
    return Date.prototype.getTime.call(date);
  } catch {
    return Number.NaN;
  }
}

function isWithin(value: unknown, [lowest, highest]: readonly [number, number]): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= lowest && value <= highest;
}

/** A short picture of a value for messages: never long, never throwing. */
export function picture(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value.length > 40
        ? `${JSON.stringify(value.slice(0, 37))}… (${value.length} characters)`
        : JSON.stringify(value);
    case "bigint":
      return `${value}n`;
    case "number":
    case "boolean":
    case "undefined":
      return String(value);
    case "function":
    case "symbol":
      return `a ${typeof value}`;
    default:
      return value === null ? "null" : objectPicture(value as object);
  }
}

/** A proxy may throw whatever it is asked. */
function objectPicture(value: object): string {
  try {
    return `${article(constructorName(value))}${sizeText(value)}`;
  } catch {
    return "an object";
  }
}

function constructorName(value: object): string {
  const name = (Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null)?.constructor
    ?.name;
  return typeof name === "string" && name !== "" ? name : "object";
}

function article(name: string): string {
  return `${/^[AEIOU]/i.test(name) ? "an" : "a"} ${name}`;
}

/** Empty for what only claims to be a Map, a Set or a view. */
function sizeText(value: object): string {
  try {
    return sizeOf(value);
  } catch {
    return "";
  }
}

function sizeOf(value: object): string {
  if (value instanceof Map || value instanceof Set) return ` of ${value.size}`;
  if (ArrayBuffer.isView(value)) return ` of ${value.byteLength} bytes`;
  return Array.isArray(value) ? ` of ${value.length}` : "";
}
