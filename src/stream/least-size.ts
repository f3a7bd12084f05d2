import type { FieldModel, Kind } from "../description/index.ts";
import { entryHeaderSize } from "./format.ts";
import { isTypedName, typedArrays } from "./typed.ts";

/** The fewest bytes that a value of a kind takes in any version: what a count is compared with. */
export function leastSize(kind: Kind): number {
  switch (kind.kind) {
    case "bool":
    case "optional":
      return 1;
    case "u64.safe":
    case "i64.safe":
    case "address":
    case "folio":
    case "date":
    case "deadline":
      return 8;
    case "char":
    case "bytes":
    case "unused":
      return kind.size;
    case "bitmap":
      return Math.ceil(kind.count / 8);
    case "array":
      return kind.count * leastSize(kind.element);
    case "pointerArray":
      return typeof kind.count === "number" ? kind.count * leastSize(kind.element) : 0;
    case "pointer":
    case "equal":
      return leastSize(kind.element);
    case "struct":
      return entryHeaderSize;
    case "record":
      return leastOfFields(kind.fields);
    case "enumeration":
    case "oneOf":
      return 2;
    case "string":
    case "blob":
    case "json":
    case "typedArray":
    case "list":
    case "set":
    case "map":
    case "ref":
      return 4;
    case "custom":
      return 0;
    default:
      return isTypedName(kind.kind) ? typedArrays[kind.kind].BYTES_PER_ELEMENT : 0;
  }
}

/** The fewest bytes of fields one after the other. */
export function leastOfFields(fields: readonly FieldModel[]): number {
  let size = 0;
  for (const field of fields) {
    const always =
      field.since === 0 && field.until === Number.POSITIVE_INFINITY && field.conditions.length === 0;
    if (always) size += leastSize(field.kind);
  }
  return size;
}
