/**
 * The reference interpreter, writing side: values to bytes, kind by kind. It is the specification of what
 * `format.ts` says and the only maker of errors on save.
 */

import {
  type Description,
  expectation,
  type FieldModel,
  isDeprecated,
  isInVersion,
  type Kind,
  picture,
} from "../description/index.ts";
import { isKstateError, KstateError, reasonText } from "../error/index.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { CompiledWriter, type CompiledWriterOptions } from "./compiled-writer.ts";
import { holds } from "./condition.ts";
import { LeafWriter } from "./encode-leaf.ts";
import { EntryWriter } from "./entry-writer.ts";
import { entryHeaderSize, sectionType, subsectionType } from "./format.ts";
import { type Numbering, References } from "./references.ts";
import { Trace } from "./trace.ts";
import { isTyped, isTypedName, littleEndianBytes } from "./typed.ts";

type Of<Name extends Kind["kind"]> = Extract<Kind, { readonly kind: Name }>;

/** Called for each entry of the stream itself: where its header is and how large its data. */
export type OnEntry = (description: Description, offset: number, size: number) => void;

export interface EncoderOptions extends CompiledWriterOptions {
  /** The most elements of a list, set or map that are written; only the reference heeds it. All unless given. */
  readonly most?: number | undefined;
}

/** Writes sections of one stream. */
export class Encoder {
  readonly trace = new Trace("save");
  readonly #out: ByteWriter;
  readonly #entries: EntryWriter;
  readonly #leaf: LeafWriter;
  readonly #compiled: CompiledWriter;
  readonly #most: number;
  #references = new References();

  constructor(
    out: ByteWriter,
    versionOf: (description: Description) => number,
    { most = Number.POSITIVE_INFINITY, ...options }: EncoderOptions = {},
  ) {
    this.#most = most;
    this.#out = out;
    this.#entries = new EntryWriter(out, this.trace, versionOf);
    this.#leaf = new LeafWriter(out, this.trace);
    const custom = (kind: Kind, value: unknown) => this.#leaf.write(kind as Of<"custom">, value);
    this.#compiled = new CompiledWriter(out, versionOf, custom, options);
  }

  /** A section and its subsections; `onEntry` is told about each entry of the stream, when it is complete. */
  writeSection(description: Description, instanceId: number, state: object, onEntry: OnEntry): void {
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
    const frame = this.#entries.enter(description, instanceId, sectionType);
    if (!this.#compiled.wrote(description, state, sectionType)) {
      this.#body(description, frame.versionId, state);
    }
    const size = this.#entries.leave(frame);
    this.#compiled.note(description, size);
    onEntry(description, frame.start - entryHeaderSize, size);
    this.#subsections(description, instanceId, state, onEntry);
  }

  /** A whole nested entry: a struct, or the body of a reference. */
  #struct(description: Description, state: unknown): void {
    const frame = this.#entries.enter(description, 0);
    this.#hooked(description, frame.versionId, state, true);
    this.#entries.leave(frame);
  }

  #subsections(description: Description, instanceId: number, state: object, onEntry?: OnEntry): void {
    for (const subsection of description.subsections) {
      if (subsection.hooks.needed?.(state) === false) continue;
      const fork = this.#references.fork();
      const frame = this.#entries.enter(subsection, instanceId, subsectionType);
      this.#hooked(subsection, frame.versionId, state, false, onEntry !== undefined);
      const size = this.#entries.leave(frame);
      this.#references.join(fork);
      onEntry?.(subsection, frame.start - entryHeaderSize, size);
    }
  }

  /** `postSave` always follows a successful `preSave`. */
  #hooked(
    description: Description,
    versionId: number,
    state: unknown,
    withSubsections: boolean,
    isOuter = false,
  ): void {
    const { preSave, postSave } = description.hooks;
    if (typeof state !== "object" || state === null) throw this.#leaf.misfit("an object", state);
    preSave?.(state);
    try {
      if (!isOuter || !this.#compiled.wrote(description, state, subsectionType)) {
        this.#body(description, versionId, state);
      }
      if (withSubsections) this.#subsections(description, 0, state);
    } finally {
      postSave?.(state);
    }
  }

  #body(description: Description, versionId: number, state: object): void {
    if (description.checks.length > 0) this.#checked(description, state);
    this.#fields(description.fields, versionId, state);
  }

  #checked(description: Description | FieldModel, value: unknown): void {
    for (const { predicate, why } of description.checks) {
      if (predicate(value) !== true)
        throw this.trace.error("CHECK_FAILED", -1, `${why}; it is ${picture(value)}`, { why });
    }
  }

  #fields(fields: readonly FieldModel[], versionId: number, state: unknown): void {
    const { trace } = this;
    const object = state as Record<string, unknown>;
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      if (!isInVersion(field, versionId)) continue;
      if (field.conditions.length > 0 && !this.#isThere(field, fields, versionId, object)) continue;
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

  /** All conditions hold, of fields that are there themselves. */
  #isThere(
    { conditions }: FieldModel,
    fields: readonly FieldModel[],
    versionId: number,
    object: Record<string, unknown>,
  ): boolean {
    return conditions.every((condition) => {
      const subject = fields.find(
        (field) => field.name === condition.field && isInVersion(field, versionId),
      )!;
      return (
        this.#isThere(subject, fields, versionId, object) &&
        holds(condition, subject, savedValue(subject, object))
      );
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
    switch (kind.kind) {
      case "array":
      case "pointerArray":
        this.#array(kind, value, object, fields, versionId);
        break;
      case "pointer":
        this.#pointer(kind, value, object, fields, versionId);
        break;
      case "struct":
        this.#struct(kind.of(), value);
        break;
      case "record":
        if (typeof value !== "object" || value === null) throw this.#leaf.misfit(expectation(kind), value);
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
        this.#out.u8(value === null ? 0 : 1);
        if (value !== null) this.#value(kind.element, value, object, fields, versionId);
        break;
      case "equal":
        this.#value(kind.element, value, object, fields, versionId);
        break;
      case "oneOf":
        this.#oneOf(kind, value, versionId);
        break;
      case "ref":
        this.#ref(kind, value);
        break;
      default:
        this.#leaf.write(kind, value);
    }
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
      if (value.length !== count) throw this.#leaf.misfit(expectation(kind), value);
      this.#out.bytes(littleEndianBytes(value));
      return;
    }
    if (!Array.isArray(value) || value.length !== count) {
      throw this.#leaf.misfit(
        `${expectation(kind)}${typeof kind.count === "string" ? ` (${count})` : ""}`,
        value,
      );
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
      throw this.#leaf.misfit(expectation(kind), value);
    }
    this.#value(element, isBare ? value : (value as { value: unknown }).value, object, fields, versionId);
  }

  #list(kind: Of<"list" | "set">, value: unknown, versionId: number): void {
    const isList = kind.kind === "list" ? Array.isArray(value) : value instanceof Set;
    if (!isList) throw this.#leaf.misfit(expectation(kind), value);
    const { element, max } = kind;
    this.#leaf.limit(Array.isArray(value) ? value.length : (value as Set<unknown>).size, max);
    const values = this.#first(value as readonly unknown[] | Set<unknown>);
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
    if (!(value instanceof Map)) throw this.#leaf.misfit(expectation(kind), value);
    this.#leaf.limit(value.size, kind.max);
    if (kind.value.kind === "struct") {
      this.#group(
        kind.value.of(),
        this.#first(value.values()),
        { kind: kind.key, keys: this.#first(value.keys()) },
        versionId,
      );
      return;
    }
    const entries = this.#most < value.size ? this.#first(value) : value;
    this.#out.u32(Math.min(this.#most, value.size));
    for (const [key, element] of entries) {
      this.trace.key(key);
      this.#value(kind.key, key, noObject, noFields, versionId);
      this.#value(kind.value, element, noObject, noFields, versionId);
      this.trace.pop();
    }
  }

  /** All values, or so many as are to be written. */
  #first<T>(values: Iterable<T>): readonly T[] {
    if (this.#most === Number.POSITIVE_INFINITY) return Array.isArray(values) ? values : [...values];
    const first: T[] = [];
    for (const value of values) if (first.push(value) >= this.#most) break;
    return first;
  }

  /** Structs that share one header: the elements of a list, set or map. */
  #group(
    description: Description,
    values: readonly unknown[],
    keyed: { readonly kind: Kind; readonly keys: readonly unknown[] } | undefined,
    keyVersion: number,
  ): void {
    const { trace } = this;
    const frame = this.#entries.enter(description, 0);
    this.#out.u32(values.length);
    for (let i = 0; i < values.length; i++) {
      if (keyed === undefined) trace.index(i);
      else {
        trace.key(keyed.keys[i]);
        this.#value(keyed.kind, keyed.keys[i], noObject, noFields, keyVersion);
      }
      this.#hooked(description, frame.versionId, values[i], false);
      trace.pop();
    }
    for (const subsection of description.subsections) this.#column(subsection, values, keyed?.keys);
    this.#entries.leave(frame);
  }

  /** One subsection of all structs of a group: who has it, and its fields. */
  #column(subsection: Description, values: readonly unknown[], keys: readonly unknown[] | undefined): void {
    const { needed } = subsection.hooks;
    const has = values.map((value) => needed?.(value) !== false);
    if (!has.includes(true)) return;
    const { trace } = this;
    const fork = this.#references.fork();
    const frame = this.#entries.enter(subsection, 0, subsectionType);
    for (let i = 0; i < values.length; i++) {
      this.#out.u8(has[i] ? 1 : 0);
      if (!has[i]) continue;
      if (keys === undefined) trace.index(i);
      else trace.key(keys[i]);
      this.#hooked(subsection, frame.versionId, values[i], false);
      trace.pop();
    }
    this.#entries.leave(frame);
    this.#references.join(fork);
  }

  #oneOf(kind: Of<"oneOf">, value: unknown, versionId: number): void {
    const tag =
      typeof value === "object" && value !== null ? (value as Record<string, unknown>)[kind.tag] : undefined;
    const index = kind.variants.findIndex(({ name }) => name === tag);
    if (index < 0) throw this.#leaf.misfit(expectation(kind), tag === undefined ? value : tag);
    this.#out.u16(index);
    this.#fields(kind.variants[index]!.fields, versionId, value);
  }

  /** Bodies are written here or, inside another body, after it: never deeper than one. */
  #ref(kind: Of<"ref">, value: unknown): void {
    if (value === null) {
      this.#out.u32(0);
      return;
    }
    if (typeof value !== "object") throw this.#leaf.misfit(expectation(kind), value);
    const references = this.#references;
    const description = kind.of();
    const numbering: Numbering = references.number(description, value, this.trace);
    this.#out.u32(numbering.number);
    if (!numbering.isNew || !references.enqueue(description, value)) return;
    for (let next = references.next(); next !== undefined; next = references.next()) {
      this.#struct(next.description, next.state);
    }
  }
}

/** What a hook, a check, a `save` or a getter of the program's threw. */
function hookFailed(trace: Trace, cause: unknown): KstateError {
  const { path, description } = trace.place(-1);
  return new KstateError(
    "HOOK_FAILED",
    `cannot save ${description} at ${path}: the program's own code threw ${picture(cause)}: ${reasonText(cause)}`,
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
