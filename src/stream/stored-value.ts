import type { Kind } from "../description/index.ts";
import { wellFormed } from "./text.ts";

/**
 * A value as a load gives it back. Checks, conditions and keys are about that on save too, or a save could succeed that
 * no load accepts: `f32` rounds, and text may be mended.
 */
export function storedValue(kind: Kind, value: unknown): unknown {
  switch (kind.kind) {
    case "f32":
      return typeof value === "number" ? Math.fround(value) : value;
    case "string":
    case "char":
      return kind.lone === "replace" && typeof value === "string" ? wellFormed(value) : value;
    case "optional":
      return value === null ? null : storedValue(kind.element, value);
    default:
      return value;
  }
}

/** Whether `storedValue` can give another value than it got. */
export function isStoredOtherwise(kind: Kind): boolean {
  if (kind.kind === "optional") return isStoredOtherwise(kind.element);
  if (kind.kind === "f32") return true;
  return (kind.kind === "string" || kind.kind === "char") && kind.lone === "replace";
}
