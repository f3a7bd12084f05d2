import type { AddressBase } from "../description/index.ts";
import { integerRange } from "../description/index.ts";
import { isPlainCollection } from "./elements.ts";
import { jsonText, lossyText } from "./json-text.ts";
import { isWellFormed, wellFormed } from "./text.ts";
import { isGone, littleEndianBytes } from "./typed.ts";

const encoder = new TextEncoder();

type WriteUtf8 = (this: Uint8Array, text: string, offset: number, length: number) => number;

/** Node's own way is twice as fast as `encodeInto`; elsewhere there is only that. */
const writeUtf8 =
  typeof Buffer === "function"
    ? (Buffer.prototype as unknown as { readonly utf8Write?: WriteUtf8 }).utf8Write
    : undefined;

/** Writes UTF-8 where there is room for three bytes a unit; gives the size. */
function utf8Into(text: string, bytes: Uint8Array, offset: number): number {
  return writeUtf8 === undefined
    ? encoder.encodeInto(text, bytes.subarray(offset)).written
    : writeUtf8.call(bytes, text, offset, text.length * 3);
}

/**
 * Up to so many characters one by one are faster than a call of `utf8Write`, which takes about 40 ns on Node 20, 22 on
 * Node 24 and 10 on Node 22.
 */
function characterLimit(): number {
  if (writeUtf8 === undefined || typeof process !== "object") return 64;
  const major = Number.parseInt(process.versions.node, 10);
  return major < 22 ? 40 : 24;
}

/** What generated code that saves may call, beside what stands in its own text. Each throws 0 on a misfit. */
export const saveHelpers = {
  littleEndianBytes,
  isWellFormed,
  utf8Into,
  loopLimit: characterLimit(),
  isGone,
  isPlainCollection,
  jsonText,
  lossyText,
  mended: (text: unknown) => (typeof text === "string" ? wellFormed(text) : text),
  timeOf: (date: Date) => Date.prototype.getTime.call(date),
  encode: (text: string) => encoder.encode(text),
  address(view: DataView, offset: number, value: unknown, base: AddressBase): void {
    if (typeof value !== "bigint" || value < 0n || value > integerRange.u64[1]) throw new Misfit();
    const at = typeof base.at === "function" ? base.at() : base.at;
    view.setBigUint64(offset, BigInt.asUintN(64, value - at), true);
  },
  folio(view: DataView, offset: number, value: unknown): void {
    const isObject = typeof value === "object" && value !== null;
    writeU64(view, offset, isObject ? (value as { address?: unknown }).address : undefined);
  },
};

function writeU64(view: DataView, offset: number, value: unknown): void {
  if (typeof value !== "bigint" || value < 0n || value > integerRange.u64[1]) throw new Misfit();
  view.setBigUint64(offset, value, true);
}

/** Never seen: the reference makes the error. */
class Misfit {}
