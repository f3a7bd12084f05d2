/** What is the same for every place where a kind is filled in. */

import { type FieldModel, isDeprecated, type Kind, someKind } from "../description/index.ts";
import type { UnitText } from "./compile-text.ts";

/** An expression for what stands at `p`, for values that are not filled in. */
export function scalarText(text: UnitText, kind: Kind, p: string): string | undefined {
  switch (kind.kind) {
    case "u8":
      return `b[${p}]`;
    case "i8":
      return `v.getInt8(${p})`;
    case "u16":
      return `v.getUint16(${p},true)`;
    case "i16":
      return `v.getInt16(${p},true)`;
    case "u32":
      return `v.getUint32(${p},true)`;
    case "i32":
      return `v.getInt32(${p},true)`;
    case "u64":
      return `v.getBigUint64(${p},true)`;
    case "i64":
      return `v.getBigInt64(${p},true)`;
    case "u64.safe":
      return `v.getUint32(${p}+4,true)*4294967296+v.getUint32(${p},true)`;
    case "i64.safe":
    case "deadline":
      return safe(p);
    case "f32":
      return `v.getFloat32(${p},true)`;
    case "f64":
      return `v.getFloat64(${p},true)`;
    case "bool":
      return `b[${p}]===1`;
    case "char":
      return `charAt(b,${p},${kind.size})`;
    case "enumeration":
      return `${text.constant(kind.names)}[v.getUint16(${p},true)]`;
    case "date":
      return `new Date(${safe(p)})`;
    case "address":
      return `BigInt.asUintN(64,v.getBigUint64(${p},true)+baseOf(${text.constant(kind.base)}))`;
    case "folio":
      return `A.folioAt(v.getBigUint64(${p},true))`;
    default:
      return undefined;
  }
}

/** An object with its members in their order, so that it has its final shape from the beginning. */
export function blankText(lists: readonly (readonly FieldModel[])[]): string {
  const members = lists
    .flat()
    .filter((field) => !isDeprecated(field) && field.kind.kind !== "unused")
    .map((field) => `${JSON.stringify(field.name)}:${placeholder(field.kind)}`);
  return `{${members.join(",")}}`;
}

/** Kinds whose values may be filled in where they are. */
export function isReused({ kind }: Kind): boolean {
  return /^(bytes|blob|bitmap|typedArray|array|pointerArray|list|set|map|pointer|optional|equal|struct|record|oneOf|ref)$/.test(
    kind,
  );
}

/** Whether objects that could be filled in stand inside; a box is one too. */
export function holdsObjects(kind: Kind): boolean {
  return someKind(kind, (inner) => /^(struct|record|oneOf|ref|pointer)$/.test(inner.kind));
}

function safe(p: string): string {
  return `v.getInt32(${p}+4,true)*4294967296+v.getUint32(${p},true)`;
}

/** Something of the right representation, for the engine's sake. */
function placeholder({ kind }: Kind): string {
  if (kind === "f32" || kind === "f64") return "0.1";
  if (/^[ui](8|16|32)$/.test(kind)) return "0";
  if (kind === "bool") return "false";
  return kind === "char" || kind === "string" || kind === "enumeration" ? '""' : "null";
}
