/**
 * Puts decoded values into objects, in place: an object that is there is filled in again, a list by index, a map
 * by key, surplus removed. What is missing is made. Nothing here reads the stream.
 */

import {
  type Description,
  type FieldModel,
  isDeprecated,
  type Kind,
  type LoadInfo,
  picture,
} from "../description/index.ts";
import { KstateError } from "../error/index.ts";
import { Claims } from "./claims.ts";
import { absent, type Decoded, type DecodedFields, type DecodedMap } from "./decoded.ts";
import { isEqualValue } from "./equal-value.ts";
import { isBare, zeroOf } from "./zero.ts";

type Members = Record<string, unknown>;

/** A call of the program's that is due when everything is in place. */
export interface DueCall {
  readonly hook: "postLoad" | "load";
  readonly description: Description;
  readonly call: () => void;
}

/** Fields that kept their value because the stream did not have them: description, field, how often. */
export type KeptCounts = Map<Description, Map<string, number>>;

export interface ApplierOptions {
  /** Gives the folio of an address. */
  readonly folioAt: (address: bigint) => unknown;
  /** Only to look at the result: no hooks, plain objects, and `forget` afterwards. False unless given. */
  readonly isTrial?: boolean;
  /** Generated code makes values of `bytes` and `blob` views of the stream. False unless given. */
  readonly isZeroCopy?: boolean;
  /** What the load has filled already. Nothing unless given. */
  readonly claims?: Claims | undefined;
}

export class Applier {
  /** `postLoad` and `until(…, { load })` calls, inner objects first. */
  readonly due: DueCall[] = [];
  readonly kept: KeptCounts = new Map();
  /** Gives the folio of an address. */
  readonly folioAt: (address: bigint) => unknown;
  readonly isTrial: boolean;
  readonly isZeroCopy: boolean;
  readonly claims: Claims;
  readonly #tried: Decoded[] = [];
  #waiting: { readonly decoded: Decoded; readonly isNew: boolean }[] = [];
  #isDraining = false;
  #description: Description | undefined;

  constructor({ folioAt, isTrial = false, isZeroCopy = false, claims = new Claims() }: ApplierOptions) {
    this.claims = claims;
    this.isTrial = isTrial;
    this.isZeroCopy = isZeroCopy;
    this.folioAt = folioAt;
  }

  /** Fills a registered object from its section. */
  applySection(decoded: Decoded, object: object): void {
    decoded.object = object;
    this.#fill(decoded, object, false);
  }

  /** Fills an object that is made for the purpose. */
  applyNew(decoded: Decoded, object: object = this.#create(decoded)): object {
    decoded.object = object;
    this.#fill(decoded, object, true);
    return object;
  }

  /** A value that is made for the purpose. */
  applyValue(kind: Kind, decoded: unknown): unknown {
    return this.#value(kind, undefined, decoded);
  }

  /** Ends a trial: what was decoded can be put into other objects. */
  forget(): void {
    for (const decoded of this.#tried) decoded.object = undefined;
  }

  #create(decoded: Decoded): object {
    if (!this.isTrial) return decoded.description.hooks.create?.() ?? {};
    this.#tried.push(decoded);
    return {};
  }

  #fill(decoded: Decoded, object: object, isNew: boolean): void {
    const outer = this.#description;
    const { description, versionId, carried } = decoded;
    this.#description = description;
    const { preLoad, postLoad } = description.hooks;
    if (!this.isTrial) preLoad?.(object);
    if (decoded.compiled !== undefined) decoded.compiled.fill(object, isNew, this);
    else this.#fields(description.fields, decoded.values, object as Members, isNew);
    description.subsections.forEach((subsection, i) => {
      const part = decoded.subsections?.[i];
      if (part !== undefined) this.#fill(part, object, isNew);
      else this.#missing(subsection, object as Members, isNew);
    });
    if (postLoad !== undefined) {
      const info: LoadInfo = { carried };
      this.due.push({ hook: "postLoad", description, call: () => postLoad(object, versionId, info) });
    }
    this.#description = outer;
  }

  /** A subsection that is not in the stream. */
  #missing(subsection: Description, object: Members, isNew: boolean): void {
    const outer = this.#description;
    this.#description = subsection;
    for (const field of subsection.fields) this.#absent(field, object, isNew);
    this.#description = outer;
  }

  #fields(fields: readonly FieldModel[], values: readonly unknown[], object: Members, isNew: boolean): void {
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      const value = values[i];
      if (field.kind.kind === "unused") continue;
      if (isDeprecated(field)) {
        if (value !== absent && field.load !== undefined) this.#handOver(field, field.load, value, object);
      } else if (value === absent) this.#absent(field, object, isNew);
      else if (field.kind.kind === "equal" && !isNew && object[field.name] !== undefined) {
        this.assertEqual(this.#description!, field.name, object[field.name], value);
      } else {
        const existing = isNew ? undefined : object[field.name];
        object[field.name] = this.#value(field.kind, existing, value);
      }
    }
  }

  /** Throws `EQUAL_MISMATCH`. */
  assertEqual(
    { name: description, versionId }: Description,
    name: string,
    present: unknown,
    found: unknown,
  ): void {
    if (isEqualValue(present, found)) return;
    const [expectedText, foundText] = [picture(present), picture(found)];
    throw new KstateError(
      "EQUAL_MISMATCH",
      `cannot load ${description} at ${name}: the stream has ${foundText}, but ${expectedText} is present and they must be equal`,
      {
        path: name,
        description: `${description}@${versionId}`,
        offset: -1,
        expected: expectedText,
        found: foundText,
      },
    );
  }

  #handOver(
    field: FieldModel,
    load: NonNullable<FieldModel["load"]>,
    decoded: unknown,
    object: Members,
  ): void {
    const value = this.#value(field.kind, undefined, decoded);
    const description = this.#description!;
    this.due.push({ hook: "load", description, call: () => load(object, value) });
  }

  /** A declared default wins; else what is there stays; else the kind's zero. */
  #absent(field: FieldModel, object: Members, isNew: boolean): void {
    if (isDeprecated(field) || field.kind.kind === "unused") return;
    if (field.fallback !== undefined) object[field.name] = field.fallback();
    else if (isNew || object[field.name] === undefined) object[field.name] = zeroOf(field.kind);
    else this.keep(this.#description!, field.name);
  }

  /** Counts a field that keeps its value. */
  keep(description: Description, name: string): void {
    let counts = this.kept.get(description);
    if (counts === undefined) {
      counts = new Map();
      this.kept.set(description, counts);
    }
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }

  #value(kind: Kind, existing: unknown, decoded: unknown): unknown {
    switch (kind.kind) {
      case "bytes":
      case "blob":
      case "bitmap":
      case "typedArray":
        return this.#bytes(existing, decoded);
      case "array":
      case "pointerArray":
        return ArrayBuffer.isView(decoded)
          ? this.#bytes(existing, decoded)
          : this.#list(kind.element, existing, decoded);
      case "list":
        return this.#list(kind.element, existing, decoded);
      case "set":
        return this.#set(kind.element, existing, decoded as readonly unknown[]);
      case "map":
        return this.#map(kind.key, kind.value, existing, decoded as DecodedMap);
      case "pointer":
        return this.#pointer(kind.element, existing, decoded);
      case "optional":
        return decoded === null ? null : this.#value(kind.element, existing, decoded);
      case "equal":
        return this.#value(kind.element, existing, decoded);
      case "struct":
        return this.#struct(existing, decoded as Decoded);
      case "record":
        return this.#record(existing, decoded as DecodedFields);
      case "oneOf":
        return this.#oneOf(kind.tag, existing, decoded as DecodedFields);
      case "ref":
        return decoded === null ? null : this.#ref(existing, decoded as Decoded);
      case "folio":
        return this.folioAt((decoded as { address: bigint }).address);
      default:
        return decoded;
    }
  }

  /** Into the same memory if it is of the same type and length. */
  #bytes(existing: unknown, decoded: unknown): unknown {
    const from = decoded as Uint8Array;
    if (
      !ArrayBuffer.isView(existing) ||
      existing.byteLength !== from.byteLength ||
      !isSameType(existing, from) ||
      !this.claims.bytes(existing)
    ) {
      return decoded;
    }
    const into = existing as Uint8Array;
    into.set(from);
    return existing;
  }

  #list(element: Kind, existing: unknown, decoded: unknown): unknown {
    const values = decoded as readonly unknown[];
    if (!Array.isArray(existing) || !this.claims.elements(existing, existing.length, values.length))
      return values.map((value) => this.#value(element, undefined, value));
    for (let i = 0; i < values.length; i++) {
      existing[i] = this.#value(element, i < existing.length ? existing[i] : undefined, values[i]);
    }
    existing.length = values.length;
    return existing;
  }

  #set(element: Kind, existing: unknown, values: readonly unknown[]): unknown {
    if (!(existing instanceof Set) || !this.claims.elements(existing, existing.size, values.length))
      return new Set(values.map((value) => this.#value(element, undefined, value)));
    const before = [...existing];
    existing.clear();
    for (let i = 0; i < values.length; i++) existing.add(this.#value(element, before[i], values[i]));
    return existing;
  }

  #map(keyKind: Kind, valueKind: Kind, existing: unknown, { keys, values }: DecodedMap): unknown {
    const isReused = existing instanceof Map && this.claims.elements(existing, existing.size, keys.length);
    const map = isReused ? (existing as Map<unknown, unknown>) : new Map<unknown, unknown>();
    const before = new Map(map);
    map.clear();
    for (let i = 0; i < keys.length; i++) {
      const key = this.#value(keyKind, undefined, keys[i]);
      map.set(key, this.#value(valueKind, before.get(key), values[i]));
    }
    return map;
  }

  #pointer(element: Kind, existing: unknown, decoded: unknown): unknown {
    if (isBare(element)) return this.#value(element, existing, decoded);
    if (!isMembers(existing) || !this.claims.object(existing)) {
      return { value: this.#value(element, undefined, decoded) };
    }
    existing.value = this.#value(element, existing.value, decoded);
    return existing;
  }

  #struct(existing: unknown, decoded: Decoded): object {
    const isNew = !this.claims.object(existing);
    const object = isNew ? this.#create(decoded) : (existing as object);
    decoded.object = object;
    this.#fill(decoded, object, isNew);
    return object;
  }

  #record(existing: unknown, { fields, values }: DecodedFields): object {
    const isNew = !this.claims.object(existing);
    const object = isNew ? {} : (existing as Members);
    this.#fields(fields, values, object, isNew);
    return object;
  }

  /** An object of another variant is not filled in: a new one takes its place. */
  #oneOf(tag: string, existing: unknown, { fields, values, variant }: DecodedFields): object {
    const isNew = !isMembers(existing) || existing[tag] !== variant || !this.claims.object(existing);
    const object: Members = isNew ? { [tag]: variant } : (existing as Members);
    this.#fields(fields, values, object, isNew);
    return object;
  }

  /** Bodies wait until the one before is done, so that chains of any length need no stack. */
  #ref(existing: unknown, decoded: Decoded): object {
    if (decoded.object !== undefined) return decoded.object;
    const isNew = !this.claims.object(existing);
    const object = isNew ? this.#create(decoded) : (existing as object);
    decoded.object = object;
    this.#waiting.push({ decoded, isNew });
    if (!this.#isDraining) this.#drain();
    return object;
  }

  #drain(): void {
    this.#isDraining = true;
    const waiting = this.#waiting;
    for (let i = 0; i < waiting.length; i++) {
      const { decoded, isNew } = waiting[i]!;
      this.#fill(decoded, decoded.object!, isNew);
    }
    this.#waiting = [];
    this.#isDraining = false;
  }
}

function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null;
}

function isSameType(a: object, b: object): boolean {
  return (
    Object.getPrototypeOf(a) === Object.getPrototypeOf(b) ||
    (a instanceof Uint8Array && b instanceof Uint8Array)
  );
}
