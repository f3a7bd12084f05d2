import type { Description, FieldModel, Kind } from "../description/index.ts";
import { isDeprecated } from "../description/index.ts";

type Members = Record<string, unknown>;

interface Named {
  readonly name: string;
}

const boxLayout: readonly Named[] = [{ name: "value" }];

/** In place of a member that was not there. */
const nothing: unique symbol = Symbol("nothing");

/**
 * What described objects hold just now, so that a load that fails half-way can be undone exactly: the same
 * objects in the same places, not copies of them.
 */
export class Snapshot {
  readonly #undo: (() => void)[] = [];
  /** Objects, their fields, and all values one after the other: there may be millions. */
  readonly #objects: Members[] = [];
  readonly #layouts: (readonly Named[])[] = [];
  readonly #values: unknown[] = [];
  readonly #seen = new Set<object>();
  readonly #waiting: { readonly description: Description; readonly state: object }[] = [];

  /** Remembers an object and everything described in it. Objects behind `ref` wait, so chains need no stack. */
  add(description: Description, state: object): void {
    this.#waiting.push({ description, state });
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) {
      this.#object(next.description, next.state);
    }
  }

  /** Remembers what a map holds, not looking into it. */
  addMap(map: Map<unknown, unknown>): void {
    const before = [...map];
    this.#undo.push(() => {
      map.clear();
      for (const [key, value] of before) map.set(key, value);
    });
  }

  /** Puts everything back. Whatever is as it was is not touched. */
  restore(): void {
    for (let change = this.#undo.pop(); change !== undefined; change = this.#undo.pop()) change();
    let at = 0;
    for (const [i, object] of this.#objects.entries()) {
      for (const { name } of this.#layouts[i]!) putBack(object, name, this.#values[at++]);
    }
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
    this.#objects.push(object);
    this.#layouts.push(fields);
    for (const { name } of fields) {
      const value = object[name];
      this.#values.push(value === undefined && !(name in object) ? nothing : value);
    }
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
    if (kind.kind === "struct") this.#object(kind.of(), value);
    else if (kind.kind === "ref") this.#reference(kind.of(), value);
    else if (kind.kind === "record") this.#fields(kind.fields, value);
    else if (kind.kind === "oneOf")
      for (const variant of kind.variants) this.#variant(kind.tag, variant, value);
    else if (kind.kind === "pointer") this.#pointer(kind.element, value);
  }

  #reference(description: Description, state: object): void {
    if (this.#seen.has(state)) return;
    this.#seen.add(state);
    this.#waiting.push({ description, state });
  }

  #variant(tag: string, variant: { name: string; fields: readonly FieldModel[] }, value: Members): void {
    if (value[tag] === variant.name) this.#fields(variant.fields, value);
  }

  #pointer(element: Kind, value: Members): void {
    if (element.kind === "struct") this.#object(element.of(), value);
    else if (element.kind === "record") this.#fields(element.fields, value);
    else {
      this.#members(boxLayout, value);
      this.#value(element, value.value);
    }
  }

  #bytes(value: ArrayBufferView): void {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    const before = bytes.slice();
    this.#undo.push(() => bytes.set(before));
  }

  #list(element: Kind | undefined, list: unknown[]): void {
    const before = [...list];
    this.#undo.push(() => {
      if (isSame(list, before)) return;
      list.length = 0;
      for (const value of before) list.push(value);
    });
    if (element !== undefined) for (const value of before) this.#value(element, value);
  }

  #set(element: Kind | undefined, set: Set<unknown>): void {
    const before = [...set];
    this.#undo.push(() => {
      if (isSame([...set], before)) return;
      set.clear();
      for (const value of before) set.add(value);
    });
    if (element !== undefined) for (const value of before) this.#value(element, value);
  }

  #map(kind: Kind, map: Map<unknown, unknown>): void {
    this.addMap(map);
    if (kind.kind !== "map") return;
    for (const [key, value] of map) {
      this.#value(kind.key, key);
      this.#value(kind.value, value);
    }
  }
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
}

function putBack(object: Members, name: string, before: unknown): void {
  if (before === nothing) delete object[name];
  else if (!Object.is(object[name], before)) object[name] = before;
}
