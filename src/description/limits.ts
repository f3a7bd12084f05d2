import type { Kind } from "./model.ts";

/**
 * What V8 can hold, whatever a description says: beyond it a Map and a Set throw, a growing array ends the process, and
 * text cannot be read. A limit that was declared higher counts as these; the declared one stays in the lock record.
 */
export const engineLimits = {
  /** Entries of a `Map` or elements of a `Set`. */
  entries: 2 ** 24,
  /** Elements of an array that may have to grow to half as many again, which must stay below 2^27. */
  elements: 2 ** 26,
  /** UTF-16 units of a string. Text never has more than its UTF-8 has bytes. */
  text: 2 ** 29 - 24,
} as const;

export type LimitedKind = Extract<Kind, { readonly max: number }>;

/** The most that a value of this kind may have: what was declared, or what the engine can hold if that is less. */
export function limitOf(kind: LimitedKind): number {
  return Math.min(kind.max, engineLimitOf(kind));
}

function engineLimitOf({ kind }: LimitedKind): number {
  switch (kind) {
    case "set":
    case "map":
      return engineLimits.entries;
    case "list":
      return engineLimits.elements;
    case "string":
    case "json":
      return engineLimits.text;
    default:
      return Number.POSITIVE_INFINITY;
  }
}

/** What to do about a count or length above the limit, for messages. */
export function limitAdvice(kind: LimitedKind, isSaving: boolean): string {
  if (kind.max <= engineLimitOf(kind)) return isSaving ? "raise max, or keep less" : "raise max";
  const holder = { set: "a Set", map: "a Map", list: "an array", string: "a string", json: "JSON text" };
  const what = Object.hasOwn(holder, kind.kind) ? holder[kind.kind as keyof typeof holder] : "a value";
  return `it is what ${what} can hold in this engine, so that raising max does not help; spread it over several, or keep it in folios`;
}
