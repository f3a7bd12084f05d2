/**
 * JSON that says exactly what a value is, or refuses it: `JSON.stringify` turns NaN into null, leaves members out, calls
 * `toJSON`, and the program would find something else after the update. One pass reads every member once.
 */

import { picture } from "../description/index.ts";

/** So deep may JSON be, on save and on load: what `JSON.parse` takes is far more than can be written again. */
export const jsonDepthLimit = 512;

/** Why a value cannot be written, and where in it. */
export class JsonMisfit {
  readonly path: readonly (string | number)[];
  readonly found: string;
  readonly isTooDeep: boolean;

  constructor(path: readonly (string | number)[], found: string, isTooDeep = false) {
    this.path = path;
    this.found = found;
    this.isTooDeep = isTooDeep;
  }
}

/** The text from which `JSON.parse` makes the same value. Throws `JsonMisfit`. */
export function jsonText(value: unknown): string {
  return textOf(value, [], 0);
}

/** What `JSON.stringify` makes of it; undefined where that is nothing. Throws `JsonMisfit`, and what the value's own code throws. */
export function lossyText(value: unknown): string | undefined {
  const text = JSON.stringify(value) as string | undefined;
  if (text !== undefined && isDeepJson(text.length, (i) => text.charCodeAt(i)))
    throw new JsonMisfit([], picture(value), true);
  return text;
}

/** `path` is written over from `depth` on, so that going back costs nothing. */
function textOf(value: unknown, path: (string | number)[], depth: number): string {
  switch (typeof value) {
    case "string":
      return quoted(value);
    case "number":
      if (value - value !== 0) throw misfit(path, depth, String(value));
      return value === 0 && Object.is(value, -0) ? "-0" : String(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      if (depth >= jsonDepthLimit) throw new JsonMisfit(path.slice(0, depth), picture(value), true);
      return Array.isArray(value) ? listText(value, path, depth) : objectText(value, path, depth);
    default:
      throw misfit(path, depth, picture(value));
  }
}

/** An array's prototype is one itself, also that of another realm; that of a class which extends Array is none. */
function listText(list: readonly unknown[], path: (string | number)[], depth: number): string {
  if (!Array.isArray(Object.getPrototypeOf(list))) throw misfit(path, depth, `${picture(list)}, of a class`);
  const { length } = list;
  let text = "[";
  for (let i = 0; i < length; i++) {
    path[depth] = i;
    const value = list[i];
    if (value === undefined && !(i in list)) throw misfit(path, depth + 1, "a hole in the array");
    text += i === 0 ? textOf(value, path, depth + 1) : `,${textOf(value, path, depth + 1)}`;
  }
  if (Reflect.ownKeys(list).length !== length + 1)
    throw misfit(path, depth, `${picture(list)} with members that have names`);
  return `${text}]`;
}

function objectText(object: object, path: (string | number)[], depth: number): string {
  if (!isPlain(object)) throw misfit(path, depth, `${picture(object)}, which is no plain object`);
  const keys = Object.keys(object);
  if (Reflect.ownKeys(object).length !== keys.length)
    throw misfit(path, depth, `${picture(object)} with symbols or hidden members`);
  let text = "{";
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    path[depth] = key;
    const value = textOf((object as Record<string, unknown>)[key], path, depth + 1);
    text += i === 0 ? `${quoted(key)}:${value}` : `,${quoted(key)}:${value}`;
  }
  return `${text}}`;
}

/** Also one of another realm: its prototype is the end of the chain and has what `Object.prototype` has. */
function isPlain(object: object): boolean {
  const prototype = Object.getPrototypeOf(object) as object | null;
  if (prototype === Object.prototype) return true;
  if (prototype === null || Object.getPrototypeOf(prototype) !== null) return false;
  return Object.hasOwn(prototype, "isPrototypeOf");
}

/** Short text without anything to escape is by far the most frequent. */
function quoted(text: string): string {
  if (text.length > 48) return JSON.stringify(text);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 32 || unit === 34 || unit === 92 || (unit & 0xf800) === 0xd800) return JSON.stringify(text);
  }
  return `"${text}"`;
}

function misfit(path: readonly (string | number)[], depth: number, found: string): JsonMisfit {
  return new JsonMisfit(path.slice(0, depth), found);
}

/** Whether brackets outside of strings are nested too deep; `at` gives bytes of UTF-8 or units of UTF-16. */
export function isDeepJson(length: number, at: (index: number) => number): boolean {
  if (length < 2 * jsonDepthLimit) return false;
  let depth = 0;
  let isText = false;
  for (let i = 0; i < length; i++) {
    const unit = at(i);
    if (isText) {
      if (unit === 92) i++;
      else if (unit === 34) isText = false;
    } else if (unit === 34) isText = true;
    else if (unit === 91 || unit === 123) {
      if (++depth > jsonDepthLimit) return true;
    } else if (unit === 93 || unit === 125) depth--;
  }
  return false;
}

/** Whether JSON text has a number that only Infinity is near to; none that was saved has. */
export function hasHugeNumber(text: string, value: unknown): boolean {
  return /\d[eE]\+?\d{3}|\d{309}/.test(text) && hasInfinity(value);
}

function hasInfinity(value: unknown): boolean {
  if (typeof value === "number") return !Number.isFinite(value);
  return typeof value === "object" && value !== null && Object.values(value).some(hasInfinity);
}
