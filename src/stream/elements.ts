/** Walking a list, set or map while it is written: the program's own code runs in between and may change it. */

import type { Kind } from "../description/index.ts";
import { storedValue } from "./stored-value.ts";

export type Elements = readonly unknown[] | ReadonlySet<unknown> | ReadonlyMap<unknown, unknown>;

export function sizeOf(elements: Elements): number {
  return "size" in elements ? elements.size : elements.length;
}

/** Elements with their keys, as they are there while they are asked for; of a list so many as there were. */
export function* pairsOf(
  elements: Elements,
  count: number,
): Generator<readonly [key: unknown, element: unknown]> {
  if (elements instanceof Map) yield* elements;
  else if (elements instanceof Set) for (const element of elements) yield [element, element];
  else for (let i = 0; i < count; i++) yield [i, (elements as readonly unknown[])[i]];
}

/** Keys that were written, where that they differ is not known from the collection itself. */
export class SeenKeys {
  readonly #kind: Kind;
  readonly #keys = new Set<unknown>();

  constructor(kind: Kind) {
    this.#kind = kind;
  }

  /** Whether the stream has the key already; it has from now on. */
  isAgain(key: unknown): boolean {
    const before = this.#keys.size;
    this.#keys.add(storedValue(this.#kind, key));
    return this.#keys.size === before;
  }
}

/** For a class of the program's that walks its entries in a way of its own, and for text that is mended. */
export function seenKeys(
  kind: Extract<Kind, { kind: "list" | "set" | "map" }>,
  elements: Elements,
): SeenKeys | undefined {
  if (kind.kind === "list") return undefined;
  const key = kind.kind === "map" ? kind.key : kind.element;
  return isPlainCollection(elements) && !isMended(key) ? undefined : new SeenKeys(key);
}

/** Whether a Map or Set walks its own entries, so that each is there once. */
export function isPlainCollection(elements: Elements): boolean {
  const walk = (elements as ReadonlySet<unknown>)[Symbol.iterator];
  return walk === mapWalk || walk === setWalk;
}

const mapWalk: unknown = Map.prototype[Symbol.iterator];
const setWalk: unknown = Set.prototype[Symbol.iterator];

/** Whether different values can be the same in the stream, so that as keys they must be looked at. */
export function isMended(kind: Kind): boolean {
  if (kind.kind === "optional") return isMended(kind.element);
  return (kind.kind === "string" || kind.kind === "char") && kind.lone === "replace";
}
