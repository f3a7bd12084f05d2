import type { FieldModel, Kind } from "../description/index.ts";
import { isDeprecated } from "../description/index.ts";
import { isTypedName, typedArrays } from "./typed.ts";

/** What a created object has in a field that is not in the stream and has no default. */
export function zeroOf(kind: Kind): unknown {
  switch (kind.kind) {
    case "u64":
    case "i64":
      return 0n;
    case "bool":
      return false;
    case "char":
    case "string":
      return "";
    case "bytes":
      return new Uint8Array(kind.size);
    case "blob":
      return new Uint8Array(0);
    case "bitmap":
      return new Uint8Array(Math.ceil(kind.count / 8));
    case "array":
      return isTypedName(kind.element.kind)
        ? new typedArrays[kind.element.kind](kind.count)
        : Array.from({ length: kind.count }, () => zeroOf(kind.element));
    case "pointerArray":
      return typeof kind.count === "number"
        ? Array.from({ length: kind.count }, () => zeroOf(kind.element))
        : [];
    case "pointer":
      return isBare(kind.element) ? zeroOf(kind.element) : { value: zeroOf(kind.element) };
    case "struct": {
      const { fields, subsections, hooks } = kind.of();
      const object = (hooks.create?.() ?? {}) as Record<string, unknown>;
      for (const part of [fields, ...subsections.map((subsection) => subsection.fields)])
        fillZeros(part, object);
      return object;
    }
    case "record":
      return fillZeros(kind.fields, {});
    case "oneOf":
      return fillZeros(kind.variants[0]!.fields, { [kind.tag]: kind.variants[0]!.name });
    case "enumeration":
      return kind.names[0];
    case "typedArray":
      return new typedArrays[kind.element](0);
    case "list":
      return [];
    case "set":
      return new Set();
    case "map":
      return new Map();
    case "optional":
    case "ref":
    case "json":
      return null;
    case "date":
      return new Date(0);
    case "address":
      return typeof kind.base.at === "function" ? kind.base.at() : kind.base.at;
    case "folio":
      return { address: 0n };
    case "custom":
      return kind.codec.zero?.();
    case "equal":
      return zeroOf(kind.element);
    case "unused":
      return undefined;
    default:
      return 0;
  }
}

/** A pointer's target that stands for itself, without a box. */
export function isBare({ kind }: Kind): boolean {
  return kind === "struct" || kind === "record";
}

/** The declared default, or the kind's zero. */
export function initialOf(field: FieldModel): unknown {
  return field.fallback === undefined ? zeroOf(field.kind) : field.fallback();
}

function fillZeros(fields: readonly FieldModel[], object: Record<string, unknown>): Record<string, unknown> {
  for (const field of fields) {
    if (!isDeprecated(field) && field.kind.kind !== "unused") object[field.name] = initialOf(field);
  }
  return object;
}
