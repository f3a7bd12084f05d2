/**
 * Puts one thing back as it was: a member, the elements of a list, a set or a map, bytes. Whatever is as it was is not
 * touched. Containers of the program's own making are asked first, since they may keep books of what they hold; where
 * they throw or do otherwise, the language's own methods follow. What cannot be put back throws.
 */

import { indicesOf, isSparse } from "./sparse-list.ts";

type Members = Record<string, unknown>;
type Entries = readonly (readonly [unknown, unknown])[];

/** In place of a member that was not there. */
export const nothing: unique symbol = Symbol("nothing");

const mapMethods = Map.prototype;
const setMethods = Set.prototype;

export function putBackMember(object: Members, name: string, before: unknown): void {
  if (before === nothing) {
    if (!(name in object) || delete object[name]) return;
    throw new TypeError("it cannot be removed again");
  }
  if (Object.is(object[name], before)) return;
  object[name] = before;
  // An accessor may make objects anew each time, so that only plain values tell whether it has taken one.
  if (!isObject(before) && !Object.is(object[name], before))
    throw new TypeError("it did not take its former value");
}

export function putBackBytes(value: ArrayBufferView, before: Uint8Array): void {
  if (value.byteLength !== before.length) throw new TypeError("its memory was transferred or resized");
  new Uint8Array(value.buffer, value.byteOffset, value.byteLength).set(before);
}

export function putBackList(list: unknown[], before: ListBefore): void {
  const { length, elements, indices } = before;
  if (isSameList(list, before)) return;
  if (indices !== undefined) list.length = 0;
  list.length = length;
  if (indices !== undefined) for (const [i, index] of indices.entries()) list[index] = elements[i];
  else {
    for (let i = 0; i < length; i++) {
      if (i in elements) list[i] = elements[i];
      else delete list[i];
    }
  }
  if (!isSameList(list, before)) throw new TypeError("it did not take its former elements");
}

/** A list as it stood; of one that is mostly holes only what was there, and where. */
export interface ListBefore {
  readonly length: number;
  readonly elements: readonly unknown[];
  /** Of the elements; undefined when they are all. */
  readonly indices: readonly number[] | undefined;
}

/** An array as it stands, whatever its class makes of iterating. */
export function listBefore(list: readonly unknown[]): ListBefore {
  const { length } = list;
  if (isSparse(list)) {
    const indices = indicesOf(list);
    return { length, elements: indices.map((index) => list[index]), indices };
  }
  const isPlain = Object.getPrototypeOf(list) === Array.prototype;
  const elements = isPlain ? list.slice() : Array.from({ length }, (_, i) => list[i]);
  return { length, elements, indices: undefined };
}

function isSameList(list: readonly unknown[], { length, elements, indices }: ListBefore): boolean {
  if (list.length !== length) return false;
  if (indices === undefined) return isSame(list, elements);
  const now = isSparse(list) ? indicesOf(list) : undefined;
  return (
    now !== undefined &&
    isSame(now, indices) &&
    indices.every((index, i) => Object.is(list[index], elements[i]))
  );
}

export function putBackSet(set: Set<unknown>, before: readonly unknown[]): void {
  const isBack = () => isSame(valuesOf(set), before);
  refill(isBack, [
    () => {
      set.clear();
      for (const value of before) set.add(value);
    },
    () => {
      setMethods.clear.call(set);
      for (const value of before) setMethods.add.call(set, value);
    },
  ]);
}

/** What a set holds, whatever its class makes of iterating. A proxy has only what it gives. */
export function valuesOf(set: Set<unknown>): readonly unknown[] {
  try {
    return [...setMethods.values.call(set)];
  } catch {
    return [...set];
  }
}

export function putBackMap(map: Map<unknown, unknown>, before: Entries): void {
  refill(
    () => isSameMap(map, before),
    [
      () => {
        map.clear();
        for (const [key, value] of before) map.set(key, value);
      },
      () => {
        mapMethods.clear.call(map);
        for (const [key, value] of before) mapMethods.set.call(map, key, value);
      },
    ],
  );
}

/** What a map holds, whatever its class makes of iterating. A proxy has only what it gives. */
export function entriesOf(map: ReadonlyMap<unknown, unknown>): Entries {
  try {
    return [...mapMethods.entries.call(map as Map<unknown, unknown>)];
  } catch {
    return [...map];
  }
}

/** Tries one way after the other until all is back. */
function refill(isBack: () => boolean, ways: readonly (() => void)[]): void {
  let first: unknown;
  if (isBack()) return;
  for (const way of ways) {
    try {
      way();
      if (isBack()) return;
    } catch (error) {
      first ??= error;
    }
  }
  throw first ?? new TypeError("it did not take its former elements");
}

function isSameMap(map: Map<unknown, unknown>, before: Entries): boolean {
  const now = entriesOf(map);
  return (
    now.length === before.length &&
    now.every(([key, value], i) => Object.is(key, before[i]![0]) && Object.is(value, before[i]![1]))
  );
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < b.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

function isObject(value: unknown): boolean {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}
