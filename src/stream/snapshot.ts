import type { Description, FieldModel, Kind } from "../description/index.ts";
import { isDeprecated, picture } from "../description/index.ts";
import {
  entriesOf,
  listBefore,
  nothing,
  putBackBytes,
  putBackList,
  putBackMap,
  putBackMember,
  putBackSet,
  valuesOf,
} from "./put-back.ts";

type Members = Record<string, unknown>;

interface Named {
  readonly name: string;
}

const boxLayout: readonly Named[] = [{ name: "value" }];

/** What an undo could not put back. */
export interface NotPutBack {
  /** The field, and of what, or the container. */
  readonly what: string;
  readonly cause: unknown;
}

/**
 * What described objects hold just now, so that a load that fails half-way can be undone exactly: the same
 * objects in the same places, not copies of them.
 */
export class Snapshot {
  readonly #undo: { readonly what: object; readonly run: () => void }[] = [];
  /** Objects, their fields, and all values one after the other: there may be millions. */
  readonly #objects: Members[] = [];
  readonly #layouts: (readonly Named[])[] = [];
  readonly #values: unknown[] = [];
  /** Objects that more than one path may lead to, by what describes them. */
  readonly #seen = new Map<Description, Set<object>>();
  readonly #waiting: { readonly description: Description; readonly state: object }[] = [];
  /** Whether a struct is around, or a reference leads here. */
  #isInside = false;

  /** Remembers an object and everything described in it. What lies deeper waits, so chains need no stack. */
  add(description: Description, state: object): void {
    this.#isInside = false;
    this.#object(description, state);
    this.#isInside = true;
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) {
      this.#object(next.description, next.state);
    }
  }

  /** Remembers what a map holds, not looking into it. */
  addMap(map: Map<unknown, unknown>): void {
    const before = entriesOf(map);
    this.#undo.push({ what: map, run: () => putBackMap(map, before) });
  }

  /**
   * Puts everything back, the last first, to the end whatever throws; gives what could not be put back. Whatever is as
   * it was is not touched.
   */
  restore(): readonly NotPutBack[] {
    const failed: NotPutBack[] = [];
    for (let change = this.#undo.pop(); change !== undefined; change = this.#undo.pop()) {
      try {
        change.run();
      } catch (cause) {
        failed.push({ what: picture(change.what), cause });
      }
    }
    let at = this.#values.length;
    for (let i = this.#objects.length - 1; i >= 0; i--) {
      const layout = this.#layouts[i]!;
      for (let j = layout.length - 1; j >= 0; j--) {
        try {
          putBackMember(this.#objects[i]!, layout[j]!.name, this.#values[--at]);
        } catch (cause) {
          failed.push({ what: `${layout[j]!.name} of ${picture(this.#objects[i])}`, cause });
        }
      }
    }
    return failed;
  }

  #object(description: Description, state: object): void {
    this.#fields(description.fields, state as Members);
    for (const { fields } of description.subsections) this.#fields(fields, state as Members);
  }

  #fields(fields: readonly FieldModel[], object: Members): void {
    this.#members(fields, object);
    for (const field of fields) {
      if (!isDeprecated(field)) this.#value(field.kind, object[field.name]);
    }
  }

  #members(fields: readonly Named[], object: Members): void {
    const values = this.#values;
    const { length } = values;
    try {
      for (const { name } of fields) {
        const value = object[name];
        values.push(value === undefined && !(name in object) ? nothing : value);
      }
    } catch (error) {
      values.length = length; // an object is remembered whole or not at all
      throw error;
    }
    this.#objects.push(object);
    this.#layouts.push(fields);
  }

  #value(kind: Kind, value: unknown): void {
    if (typeof value !== "object" || value === null) return;
    if (ArrayBuffer.isView(value)) this.#bytes(value);
    else if (Array.isArray(value)) this.#list("element" in kind ? (kind.element as Kind) : undefined, value);
    else if (value instanceof Set) this.#set("element" in kind ? (kind.element as Kind) : undefined, value);
    else if (value instanceof Map) this.#map(kind, value);
    else this.#nested(kind, value as Members);
  }

  #nested(kind: Kind, value: Members): void {
    if (kind.kind === "optional" || kind.kind === "equal") {
      this.#value(kind.element, value);
      return;
    }
    if (kind.kind === "struct") this.#struct(kind.of(), value);
    else if (kind.kind === "ref") this.#deeper(kind.of(), value);
    else if (kind.kind === "record") this.#fields(kind.fields, value);
    else if (kind.kind === "oneOf")
      for (const variant of kind.variants) this.#variant(kind.tag, variant, value);
    else if (kind.kind === "pointer") this.#pointer(kind.element, value);
  }

  /** Those right in a section are not looked up, since there may be millions; further down a circle may come. */
  #struct(description: Description, state: object): void {
    if (this.#isInside) {
      this.#deeper(description, state);
      return;
    }
    this.#isInside = true;
    this.#object(description, state);
    this.#isInside = false;
  }

  #deeper(description: Description, state: object): void {
    if (this.#isFirst(description, state)) this.#waiting.push({ description, state });
  }

  #isFirst(description: Description, state: object): boolean {
    const seen = this.#seen.get(description) ?? new Set();
    this.#seen.set(description, seen);
    if (seen.has(state)) return false;
    seen.add(state);
    return true;
  }

  #variant(tag: string, variant: { name: string; fields: readonly FieldModel[] }, value: Members): void {
    if (value[tag] === variant.name) this.#fields(variant.fields, value);
  }

  #pointer(element: Kind, value: Members): void {
    if (element.kind === "struct") this.#struct(element.of(), value);
    else if (element.kind === "record") this.#fields(element.fields, value);
    else {
      this.#members(boxLayout, value);
      this.#value(element, value.value);
    }
  }

  /** Without bytes there is nothing to remember: its memory may even have been transferred away. */
  #bytes(value: ArrayBufferView): void {
    if (value.byteLength === 0) return;
    const before = new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
    this.#undo.push({ what: value, run: () => putBackBytes(value, before) });
  }

  #list(element: Kind | undefined, list: unknown[]): void {
    const before = listBefore(list);
    this.#undo.push({ what: list, run: () => putBackList(list, before) });
    if (element !== undefined) for (const value of before.elements) this.#value(element, value);
  }

  #set(element: Kind | undefined, set: Set<unknown>): void {
    const before = valuesOf(set);
    this.#undo.push({ what: set, run: () => putBackSet(set, before) });
    if (element !== undefined) for (const value of before) this.#value(element, value);
  }

  #map(kind: Kind, map: Map<unknown, unknown>): void {
    this.addMap(map);
    if (kind.kind !== "map") return;
    for (const [key, value] of entriesOf(map)) {
      this.#value(kind.key, key);
      this.#value(kind.value, value);
    }
  }
}
