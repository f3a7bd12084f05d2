/**
 * The reference interpreter, writing side: values to bytes, kind by kind. It is the specification of what
 * `format.ts` says and the only maker of errors on save.
 */

import {
  type BigName,
  type Condition,
  type Description,
  expectation,
  type FieldModel,
  type IntegerName,
  integerRange,
  isDeprecated,
  isInVersion,
  type Kind,
  picture,
} from "../description/index.ts";
import { isKstateError, KstateError } from "../error/index.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { holds } from "./condition.ts";
import { depthLimit, entryHeaderSize, entrySizeLimit, sectionType, subsectionType } from "./format.ts";
import { type Numbering, References } from "./references.ts";
import { isWellFormed } from "./text.ts";
import { Trace } from "./trace.ts";
import { isTyped, isTypedName, littleEndianBytes } from "./typed.ts";

type Of<Name extends Kind["kind"]> = Extract<Kind, { readonly kind: Name }>;

/** Called for each entry of the stream itself: where its header is and how large its data. */
export type OnEntry = (description: Description, offset: number, size: number) => void;

/** Writes sections of one stream. */
export class Encoder {
  readonly trace = new Trace("save");
  readonly #out: ByteWriter;
  readonly #versionOf: (description: Description) => number;
  #references = new References();
  #sectionType = 0;
  #depth = 0;

  constructor(out: ByteWriter, versionOf: (description: Description) => number) {
    this.#out = out;
    this.#versionOf = versionOf;
  }

  /** A section and its subsections; `onEntry` is told about each entry of the stream, when it is complete. */
  writeSection(description: Description, instanceId: number, state: object, onEntry: OnEntry): void {
    this.#sectionType = sectionType;
    this.#references = new References();
    try {
      description.hooks.preSave?.(state);
      try {
        this.#section(description, instanceId, state, onEntry);
      } finally {
        description.hooks.postSave?.(state);
      }
    } catch (error) {
      throw isKstateError(error) ? error : hookFailed(this.trace, error);
    }
  }

  #section(description: Description, instanceId: number, state: object, onEntry: OnEntry): void {
    const { trace } = this;
    const versionId = this.#versionOf(description);
    trace.description = description;
    trace.versionId = versionId;
    const start = this.#header(description, versionId, instanceId);
    this.#body(description, versionId, state, false);
    this.#patchSize(start);
    onEntry(description, start - entryHeaderSize, this.#out.offset - start);
    this.#sectionType = subsectionType;
    for (const subsection of description.subsections) {
      if (subsection.hooks.needed?.(state) === false) continue;
      const offset = this.#out.offset;
      const fork = this.#references.fork();
      this.#entry(subsection, instanceId, state, false);
      this.#references.join(fork);
      onEntry(subsection, offset, this.#out.offset - offset - entryHeaderSize);
    }
  }

  #entry(description: Description, instanceId: number, state: unknown, withSubsections: boolean): void {
    const { trace } = this;
    const outer = trace.description;
    const outerVersion = trace.versionId;
    const versionId = this.#versionOf(description);
    trace.description = description;
    trace.versionId = versionId;
    if (++this.#depth > depthLimit) {
      throw trace.error("DEPTH_EXCEEDED", -1, `structs are nested deeper than ${depthLimit}; use ref`, {
        limit: depthLimit,
      });
    }
    const start = this.#header(description, versionId, instanceId);
    this.#hooked(description, versionId, state, withSubsections);
    this.#patchSize(start);
    this.#depth--;
    trace.description = outer;
    trace.versionId = outerVersion;
  }

  #header(description: Description, versionId: number, instanceId: number): number {
    const out = this.#out;
    out.reserve(entryHeaderSize);
    out.i32(this.#sectionType);
    out.i32(description.id);
    out.i32(versionId);
    out.i32(instanceId);
    out.u32(0);
    return out.offset;
  }

  #patchSize(start: number): void {
    const size = this.#out.offset - start;
    if (size > entrySizeLimit) {
      const fact = `the entry has ${size} bytes, the most is ${entrySizeLimit}; keep such data in folios`;
      throw this.trace.error("ENTRY_TOO_LARGE", -1, fact, { size });
    }
    this.#out.patchU32(start - 4, size);
  }

  /** `postSave` always follows a successful `preSave`. */
  #hooked(description: Description, versionId: number, state: unknown, withSubsections: boolean): void {
    const { preSave, postSave } = description.hooks;
    if (typeof state !== "object" || state === null) throw this.#misfit("an object", state);
    preSave?.(state);
    if (postSave === undefined) {
      this.#body(description, versionId, state, withSubsections);
      return;
    }
    try {
      this.#body(description, versionId, state, withSubsections);
    } finally {
      postSave(state);
    }
  }

  #body(description: Description, versionId: number, state: object, withSubsections: boolean): void {
    if (description.checks.length > 0) this.#checked(description, state);
    this.#fields(description.fields, versionId, state);
    if (withSubsections) this.#nestedSubsections(description, state);
  }

  #checked(description: Description | FieldModel, value: unknown): void {
    for (const { predicate, why } of description.checks) {
      if (!predicate(value))
        throw this.trace.error("CHECK_FAILED", -1, `${why}; it is ${picture(value)}`, { why });
    }
  }

  #nestedSubsections(description: Description, state: unknown): void {
    for (const subsection of description.subsections) {
      if (subsection.hooks.needed?.(state) === false) continue;
      const type = this.#sectionType;
      const fork = this.#references.fork();
      this.#sectionType = subsectionType;
      this.#entry(subsection, 0, state, false);
      this.#sectionType = type;
      this.#references.join(fork);
    }
  }

  #fields(fields: readonly FieldModel[], versionId: number, state: unknown): void {
    const { trace } = this;
    const object = state as Record<string, unknown>;
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      if (!isInVersion(field, versionId)) continue;
      if (field.conditions.length > 0 && !this.#isThere(field.conditions, fields, versionId, object))
        continue;
      trace.name(field.name);
      if (field.kind.kind === "unused") this.#out.zeros(field.kind.size);
      else {
        const value = savedValue(field, object);
        if (field.checks.length > 0) this.#checked(field, value);
        this.#value(field.kind, value, object, fields, versionId);
      }
      trace.pop();
    }
  }

  #isThere(
    conditions: readonly Condition[],
    fields: readonly FieldModel[],
    versionId: number,
    object: Record<string, unknown>,
  ): boolean {
    return conditions.every((condition) => {
      const subject = fields.find(
        (field) => field.name === condition.field && isInVersion(field, versionId),
      )!;
      return holds(condition, subject, savedValue(subject, object));
    });
  }

  /** `object`, `fields` and `versionId` are those around the value: for counts, and for records. */
  #value(
    kind: Kind,
    value: unknown,
    object: Record<string, unknown>,
    fields: readonly FieldModel[],
    versionId: number,
  ): void {
    const out = this.#out;
    switch (kind.kind) {
      case "u8":
        out.u8(this.#integer(kind.kind, value));
        break;
      case "u16":
        out.u16(this.#integer(kind.kind, value));
        break;
      case "u32":
        out.u32(this.#integer(kind.kind, value));
        break;
      case "i8":
        out.u8(this.#integer(kind.kind, value));
        break;
      case "i16":
        out.u16(this.#integer(kind.kind, value));
        break;
      case "i32":
        out.i32(this.#integer(kind.kind, value));
        break;
      case "u64.safe":
      case "i64.safe":
        out.safe64(this.#integer(kind.kind, value));
        break;
      case "u64":
        out.u64(this.#big(kind.kind, value));
        break;
      case "i64":
        out.i64(this.#big(kind.kind, value));
        break;
      case "f32":
        if (typeof value !== "number") throw this.#misfit(expectation(kind), value);
        out.f32(value);
        break;
      case "f64":
        if (typeof value !== "number") throw this.#misfit(expectation(kind), value);
        out.f64(value);
        break;
      case "bool":
        if (typeof value !== "boolean") throw this.#misfit(expectation(kind), value);
        out.u8(value ? 1 : 0);
        break;
      case "string":
        this.#string(kind, value);
        break;
      case "char":
        this.#char(kind, value);
        break;
      case "bytes":
      case "blob":
      case "bitmap":
        this.#bytes(kind, value);
        break;
      case "array":
      case "pointerArray":
        this.#array(kind, value, object, fields, versionId);
        break;
      case "pointer":
        this.#pointer(kind, value, object, fields, versionId);
        break;
      case "struct":
        this.#entry(kind.of(), 0, value, true);
        break;
      case "record":
        if (typeof value !== "object" || value === null) throw this.#misfit(expectation(kind), value);
        this.#fields(kind.fields, versionId, value);
        break;
      case "list":
      case "set":
        this.#list(kind, value, versionId);
        break;
      case "map":
        this.#map(kind, value, versionId);
        break;
      case "optional":
        out.u8(value === null ? 0 : 1);
        if (value !== null) this.#value(kind.element, value, object, fields, versionId);
        break;
      case "equal":
        this.#value(kind.element, value, object, fields, versionId);
        break;
      case "oneOf":
        this.#oneOf(kind, value, versionId);
        break;
      case "enumeration":
        this.#enumeration(kind, value);
        break;
      case "ref":
        this.#ref(kind, value);
        break;
      case "typedArray":
        if (!isTyped(kind.element, value)) throw this.#misfit(expectation(kind), value);
        this.#limit(value.length, kind.max);
        out.u32(value.length);
        out.bytes(littleEndianBytes(value));
        break;
      case "date":
        out.i64(BigInt(this.#date(kind, value)));
        break;
      case "deadline":
        if (!Number.isSafeInteger(value)) throw this.#misfit(expectation(kind), value);
        out.safe64(value as number);
        break;
      case "address":
        this.#address(kind, value);
        break;
      case "folio":
        this.#folio(kind, value);
        break;
      case "custom":
        this.#custom(kind, value);
        break;
      case "unused":
        out.zeros(kind.size);
        break;
      case "json":
        this.#json(kind, value);
        break;
    }
  }

  #integer(kind: IntegerName, value: unknown): number {
    const [lowest, highest] = integerRange[kind];
    if (!Number.isInteger(value) || (value as number) < lowest || (value as number) > highest) {
      throw this.#misfit(expectation({ kind }), value);
    }
    return value as number;
  }

  #big(kind: BigName, value: unknown): bigint {
    const [lowest, highest] = integerRange[kind];
    if (typeof value !== "bigint" || value < lowest || value > highest) {
      throw this.#misfit(expectation({ kind }), value);
    }
    return value;
  }

  #string(kind: Of<"string">, value: unknown): void {
    if (typeof value !== "string") throw this.#misfit(expectation(kind), value);
    this.#text(value, kind.max, expectation(kind));
  }

  #text(text: string, max: number, expected: string): void {
    const out = this.#out;
    if (text.length > max) this.#limit(text.length, max);
    out.u32(0);
    const size = out.utf8(text);
    if (size !== text.length && !isWellFormed(text)) throw this.#misfit(expected, text);
    this.#limit(size, max);
    out.patchU32(out.offset - size - 4, size);
  }

  #char(kind: Of<"char">, value: unknown): void {
    if (
      typeof value !== "string" ||
      value.length > kind.size ||
      value.includes("\0") ||
      !isWellFormed(value)
    ) {
      throw this.#misfit(expectation(kind), value);
    }
    const size = this.#out.utf8(value);
    if (size > kind.size) throw this.#misfit(expectation(kind), value);
    this.#out.zeros(kind.size - size);
  }

  #bytes(kind: Of<"bytes" | "blob" | "bitmap">, value: unknown): void {
    if (!(value instanceof Uint8Array)) throw this.#misfit(expectation(kind), value);
    if (kind.kind === "blob") {
      this.#limit(value.length, kind.max);
      this.#out.u32(value.length);
    } else if (kind.kind === "bytes") {
      if (value.length !== kind.size) throw this.#misfit(expectation(kind), value);
    } else if (value.length !== Math.ceil(kind.count / 8) || hasStrayBits(value, kind.count)) {
      throw this.#misfit(expectation(kind), value);
    }
    this.#out.bytes(value);
  }

  #array(
    kind: Of<"array" | "pointerArray">,
    value: unknown,
    object: Record<string, unknown>,
    fields: readonly FieldModel[],
    versionId: number,
  ): void {
    const { element } = kind;
    const count =
      typeof kind.count === "number" ? kind.count : countOf(kind.count, fields, versionId, object);
    if (kind.kind === "array" && isTypedName(element.kind) && isTyped(element.kind, value)) {
      if (value.length !== count) throw this.#misfit(expectation(kind), value);
      this.#out.bytes(littleEndianBytes(value));
      return;
    }
    if (!Array.isArray(value) || value.length !== count) {
      throw this.#misfit(`${expectation(kind)}${typeof kind.count === "string" ? ` (${count})` : ""}`, value);
    }
    for (let i = 0; i < count; i++) {
      this.trace.index(i);
      this.#value(element, value[i], object, fields, versionId);
      this.trace.pop();
    }
  }

  #pointer(
    kind: Of<"pointer">,
    value: unknown,
    object: Record<string, unknown>,
    fields: readonly FieldModel[],
    versionId: number,
  ): void {
    const { element } = kind;
    const isBare = element.kind === "struct" || element.kind === "record";
    if (!isBare && (typeof value !== "object" || value === null || !("value" in value))) {
      throw this.#misfit(expectation(kind), value);
    }
    this.#value(element, isBare ? value : (value as { value: unknown }).value, object, fields, versionId);
  }

  #list(kind: Of<"list" | "set">, value: unknown, versionId: number): void {
    const isList = kind.kind === "list" ? Array.isArray(value) : value instanceof Set;
    if (!isList) throw this.#misfit(expectation(kind), value);
    const values: readonly unknown[] = Array.isArray(value) ? value : [...(value as Set<unknown>)];
    const { element, max } = kind;
    this.#limit(values.length, max);
    if (element.kind === "struct") {
      this.#group(element.of(), values, undefined, versionId);
      return;
    }
    this.#out.u32(values.length);
    for (let i = 0; i < values.length; i++) {
      this.trace.index(i);
      this.#value(element, values[i], noObject, noFields, versionId);
      this.trace.pop();
    }
  }

  #map(kind: Of<"map">, value: unknown, versionId: number): void {
    if (!(value instanceof Map)) throw this.#misfit(expectation(kind), value);
    this.#limit(value.size, kind.max);
    if (kind.value.kind === "struct") {
      this.#group(
        kind.value.of(),
        [...value.values()],
        { kind: kind.key, keys: [...value.keys()] },
        versionId,
      );
      return;
    }
    this.#out.u32(value.size);
    for (const [key, element] of value) {
      this.trace.key(key);
      this.#value(kind.key, key, noObject, noFields, versionId);
      this.#value(kind.value, element, noObject, noFields, versionId);
      this.trace.pop();
    }
  }

  /** Structs that share one header: the elements of a list, set or map. */
  #group(
    description: Description,
    values: readonly unknown[],
    keyed: { readonly kind: Kind; readonly keys: readonly unknown[] } | undefined,
    keyVersion: number,
  ): void {
    const { trace } = this;
    const outer = trace.description;
    const outerVersion = trace.versionId;
    const versionId = this.#versionOf(description);
    trace.description = description;
    trace.versionId = versionId;
    if (++this.#depth > depthLimit) {
      throw trace.error("DEPTH_EXCEEDED", -1, `structs are nested deeper than ${depthLimit}; use ref`, {
        limit: depthLimit,
      });
    }
    const start = this.#header(description, versionId, 0);
    this.#out.u32(values.length);
    for (let i = 0; i < values.length; i++) {
      if (keyed === undefined) trace.index(i);
      else {
        trace.key(keyed.keys[i]);
        this.#value(keyed.kind, keyed.keys[i], noObject, noFields, keyVersion);
      }
      this.#hooked(description, versionId, values[i], false);
      trace.pop();
    }
    for (const subsection of description.subsections) this.#column(subsection, values, keyed?.keys);
    this.#patchSize(start);
    this.#depth--;
    trace.description = outer;
    trace.versionId = outerVersion;
  }

  /** One subsection of all structs of a group: who has it, and its fields. */
  #column(subsection: Description, values: readonly unknown[], keys: readonly unknown[] | undefined): void {
    const { needed } = subsection.hooks;
    const has = values.map((value) => needed?.(value) !== false);
    if (!has.includes(true)) return;
    const { trace } = this;
    const outer = trace.description;
    const outerVersion = trace.versionId;
    const type = this.#sectionType;
    const versionId = this.#versionOf(subsection);
    const fork = this.#references.fork();
    trace.description = subsection;
    trace.versionId = versionId;
    this.#sectionType = subsectionType;
    const start = this.#header(subsection, versionId, 0);
    for (let i = 0; i < values.length; i++) {
      this.#out.u8(has[i] ? 1 : 0);
      if (!has[i]) continue;
      if (keys === undefined) trace.index(i);
      else trace.key(keys[i]);
      this.#hooked(subsection, versionId, values[i], false);
      trace.pop();
    }
    this.#patchSize(start);
    this.#sectionType = type;
    this.#references.join(fork);
    trace.description = outer;
    trace.versionId = outerVersion;
  }

  #oneOf(kind: Of<"oneOf">, value: unknown, versionId: number): void {
    const tag =
      typeof value === "object" && value !== null ? (value as Record<string, unknown>)[kind.tag] : undefined;
    const index = kind.variants.findIndex(({ name }) => name === tag);
    if (index < 0) throw this.#misfit(expectation(kind), tag === undefined ? value : tag);
    this.#out.u16(index);
    this.#fields(kind.variants[index]!.fields, versionId, value);
  }

  #enumeration(kind: Of<"enumeration">, value: unknown): void {
    const index = kind.names.indexOf(value as string);
    if (index < 0) throw this.#misfit(expectation(kind), value);
    this.#out.u16(index);
  }

  /** Bodies are written here or, inside another body, after it: never deeper than one. */
  #ref(kind: Of<"ref">, value: unknown): void {
    if (value === null) {
      this.#out.u32(0);
      return;
    }
    if (typeof value !== "object") throw this.#misfit(expectation(kind), value);
    const references = this.#references;
    const description = kind.of();
    const numbering: Numbering = references.number(description, value, this.trace);
    this.#out.u32(numbering.number);
    if (!numbering.isNew || !references.enqueue(description, value)) return;
    for (let next = references.next(); next !== undefined; next = references.next()) {
      this.#entry(next.description, 0, next.state, true);
    }
  }

  #date(kind: Of<"date">, value: unknown): number {
    const ms = value instanceof Date ? value.getTime() : Number.NaN;
    if (Number.isNaN(ms))
      throw this.#misfit(expectation(kind), value instanceof Date ? "an invalid Date" : value);
    return ms;
  }

  #address(kind: Of<"address">, value: unknown): void {
    const { at } = kind.base;
    const offset = typeof value === "bigint" ? value - (typeof at === "function" ? at() : at) : -1n;
    if (offset < 0n || offset > integerRange.u64[1]) throw this.#misfit(expectation(kind), value);
    this.#out.u64(offset);
  }

  #folio(kind: Of<"folio">, value: unknown): void {
    const address =
      typeof value === "object" && value !== null ? (value as { address?: unknown }).address : undefined;
    if (typeof address !== "bigint" || address < 0n || address > integerRange.u64[1]) {
      throw this.#misfit(expectation(kind), value);
    }
    this.#out.u64(address);
  }

  #custom(kind: Of<"custom">, value: unknown): void {
    const out = this.#out;
    kind.codec.save(value, {
      u8: (item) => out.u8(this.#integer("u8", item)),
      u16: (item) => out.u16(this.#integer("u16", item)),
      u32: (item) => out.u32(this.#integer("u32", item)),
      i32: (item) => out.i32(this.#integer("i32", item)),
      u64: (item) => out.u64(this.#big("u64", item)),
      i64: (item) => out.i64(this.#big("i64", item)),
      f32: (item) => out.f32(item),
      f64: (item) => out.f64(item),
      bytes: (item) => out.bytes(item),
      string: (item) => this.#text(item, integerRange.u32[1], "a string without lone surrogates"),
    });
  }

  #json(kind: Of<"json">, value: unknown): void {
    let text: string | undefined;
    try {
      text = JSON.stringify(value);
    } catch (cause) {
      throw this.trace.error(
        "VALUE_INVALID",
        -1,
        `expected ${expectation(kind)}: ${String(cause)}`,
        { expected: expectation(kind), found: picture(value) },
        cause,
      );
    }
    if (text === undefined) throw this.#misfit(expectation(kind), value);
    this.#text(text, kind.max, "JSON without lone surrogates");
  }

  #limit(count: number, max: number): void {
    if (count > max) {
      throw this.trace.error(
        "LIMIT_EXCEEDED",
        -1,
        `${count} is above the limit of ${max}; raise max, or keep less`,
        {
          limit: max,
          found: count,
        },
      );
    }
  }

  #misfit(expected: string, value: unknown): KstateError {
    const found = picture(value);
    return this.trace.error("VALUE_INVALID", -1, `expected ${expected}, got ${found}`, { expected, found });
  }
}

/** What a hook, a check, a `save` or a getter of the program's threw. */
function hookFailed(trace: Trace, cause: unknown): KstateError {
  const { path, description } = trace.place(-1);
  return new KstateError(
    "HOOK_FAILED",
    `cannot save ${description} at ${path}: the program's own code threw ${picture(cause)}: ${String((cause as Error)?.message ?? cause)}`,
    { hook: "save", description, path },
    { cause },
  );
}

const noObject: Record<string, unknown> = Object.freeze(Object.create(null)) as Record<string, unknown>;
const noFields: readonly FieldModel[] = Object.freeze([]);

/** A deprecated field's value is made by its `save`; that there is one was checked before. */
function savedValue(field: FieldModel, object: Record<string, unknown>): unknown {
  return isDeprecated(field) && field.save !== undefined ? field.save(object) : object[field.name];
}

function countOf(
  name: string,
  fields: readonly FieldModel[],
  versionId: number,
  object: Record<string, unknown>,
): number {
  const field = fields.find((other) => other.name === name && isInVersion(other, versionId));
  return field === undefined ? 0 : Number(savedValue(field, object));
}

/** Whether a bitmap of `count` bits has one beyond. */
export function hasStrayBits(bitmap: Uint8Array, count: number): boolean {
  return count % 8 !== 0 && bitmap[bitmap.length - 1]! >> (count % 8) !== 0;
}
