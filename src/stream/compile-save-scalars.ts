/** Code that writes values of a fixed size with nothing described inside, and what all code that saves has. */

import type { Kind } from "../description/index.ts";
import { bail, type UnitText } from "./compile-text.ts";

/** After a call that may have asked for room. */
export const refresh = "v=V;b=B;";

/** Statements that write `x` at `p`, where there is room; undefined if the kind is no such value. */
export function scalarSave(text: UnitText, kind: Kind, x: string, p: string): string | undefined {
  switch (kind.kind) {
    case "u8":
      return `if((${x}&255)!==${x})${bail}b[${p}]=${x};`;
    case "i8":
      return `if((${x}<<24>>24)!==${x})${bail}b[${p}]=${x};`;
    case "u16":
      return `if((${x}&65535)!==${x})${bail}v.setUint16(${p},${x},true);`;
    case "i16":
      return `if((${x}<<16>>16)!==${x})${bail}v.setInt16(${p},${x},true);`;
    case "u32":
      return `if((${x}>>>0)!==${x})${bail}v.setUint32(${p},${x},true);`;
    case "i32":
      return `if((${x}|0)!==${x})${bail}v.setInt32(${p},${x},true);`;
    case "u64.safe":
      return `if(!Number.isSafeInteger(${x})||${x}<0)${bail}safe(v,${p},${x});`;
    case "i64.safe":
    case "deadline":
      return `if(!Number.isSafeInteger(${x}))${bail}safe(v,${p},${x});`;
    case "u64":
      return `if(typeof ${x}!=="bigint"||BigInt.asUintN(64,${x})!==${x})${bail}v.setBigUint64(${p},${x},true);`;
    case "i64":
      return `if(typeof ${x}!=="bigint"||BigInt.asIntN(64,${x})!==${x})${bail}v.setBigInt64(${p},${x},true);`;
    case "f32":
      return `f32(v,${p},${x});`;
    case "f64":
      return `if(typeof ${x}!=="number")${bail}v.setFloat64(${p},${x},true);if(${x}!==${x})nan64(v,${p});`;
    case "bool":
      return `if(typeof ${x}!=="boolean")${bail}b[${p}]=${x}?1:0;`;
    case "char":
      return `char(${storedText(kind, x)},${p},${kind.size},b);`;
    case "bytes":
      return `if(!(${x} instanceof Uint8Array)||${isNotOf(x, kind.size)})${bail}put(b,${x},${p},${kind.size});`;
    case "bitmap":
      return `if(!(${x} instanceof Uint8Array)||${isNotOf(x, Math.ceil(kind.count / 8))}${
        kind.count % 8 === 0 ? "" : `||${x}[${Math.ceil(kind.count / 8) - 1}]>>${kind.count % 8}!==0`
      })${bail}put(b,${x},${p},${Math.ceil(kind.count / 8)});`;
    case "enumeration":
      return enumerationText(text, kind.names, x, p);
    case "date":
      return `if(!(${x} instanceof Date))${bail}date(v,${p},timeOf(${x}));`;
    case "address":
      return `address(v,${p},${x},${text.constant(kind.base)});`;
    case "folio":
      return `folio(v,${p},${x});`;
    case "unused":
      return `b.fill(0,${p},${p}+${kind.size});`;
    default:
      return undefined;
  }
}

/**
 * Whether a typed array has not exactly so many elements. Its `length` may be the program's own; what stands behind its
 * end never is.
 */
export function isNotOf(x: string, count: number): string {
  return `!isView(${x})||${x}[${count - 1}]===undefined||${x}[${count}]!==undefined`;
}

/** An expression for the value as a load gives it back. */
export function storedText(kind: Kind, x: string): string {
  if (kind.kind === "f32") return `Math.fround(${x})`;
  const isMended = (kind.kind === "string" || kind.kind === "char") && kind.lone === "replace";
  return isMended ? `mended(${x})` : x;
}

function enumerationText(text: UnitText, names: readonly string[], x: string, p: string): string {
  if (names.length > 8) {
    const numbers = text.constant(new Map(names.map((name, i) => [name, i])));
    const y = text.fresh();
    return `const ${y}=${numbers}.get(${x});if(${y}===undefined)${bail}v.setUint16(${p},${y},true);`;
  }
  const choice = names.map((name, i) => `${x}===${JSON.stringify(name)}?${i}:`).join("");
  const y = text.fresh();
  return `const ${y}=${choice}-1;if(${y}<0)${bail}v.setUint16(${p},${y},true);`;
}

export function room(size: number | string): string {
  return `if(p+${size}>E){grow(p,${size});${refresh}}`;
}

export function isObject(x: string): string {
  return `if(typeof ${x}!=="object"||${x}===null)${bail}`;
}
