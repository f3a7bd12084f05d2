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
import { isKstateError, type KstateError, withSuppressed } from "../error/index.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { CompiledWriter, type CompiledWriterOptions } from "./compiled-writer.ts";
import { holds } from "./condition.ts";
import { absent } from "./decoded.ts";
import { type Elements, pairsOf, seenKeys, sizeOf } from "./elements.ts";
import { LeafWriter } from "./encode-leaf.ts";
import { EntryWriter } from "./entry-writer.ts";
import { entryHeaderSize, sectionType, subsectionType } from "./format.ts";
import { hookFailed } from "./hook-failure.ts";
import { type Numbering, References } from "./references.ts";
import { type Root, SplitIdentity } from "./split-identity.ts";
import { storedValue } from "./stored-value.ts";
import { Trace } from "./trace.ts";
import { isTyped, isTypedName, littleEndianBytes, viewLength } from "./typed.ts";

type Of<Name extends Kind["kind"]> = Extract<Kind, { readonly kind: Name }>;

/** Called for each entry of the stream itself: where its header is and how large its data. */
export type OnEntry = (description: Description, offset: number, size: number) => void;

export interface EncoderOptions extends CompiledWriterOptions {
  /** Objects that have a section of their own in the stream, which no `ref` may point to. None unless given. */
  readonly roots?: (() => Iterable<Root>) | undefined;
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
  readonly #identity: SplitIdentity;
  #references = new References();

  constructor(
    out: ByteWriter,
    versionOf: (description: Description) => number,
    { most = Number.POSITIVE_INFINITY, roots = () => [], ...options }: EncoderOptions = {},
  ) {
    this.#most = most;
    this.#identity = new SplitIdentity(versionOf, roots);
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
      this.#between(description, state, () => {
        this.#section(description, instanceId, state, onEntry);
        if (this.#most === Number.POSITIVE_INFINITY) this.#identity.check(description, state, this.trace);
      });
    } catch (error) {
      throw this.#named(error);
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

  /** `postSave` always follows a successful `preSave`; what it throws never hides why the save failed. */
  #between({ hooks: { preSave, postSave } }: Description, state: object, write: () => void): void {
    preSave?.(state);
    try {
      write();
    } catch (thrown) {
      throw postSave === undefined ? thrown : this.#afterFailure(thrown, () => postSave(state));
    }
    postSave?.(state);
  }

  #afterFailure(thrown: unknown, end: () => void): KstateError {
    const first = this.#named(thrown);
    try {
      end();
      return first;
    } catch (cause) {
      return withSuppressed(first, [{ what: "postSave", cause }], "the save could not be ended");
    }
  }

  #named(thrown: unknown): KstateError {
    return isKstateError(thrown) ? thrown : hookFailed("save", this.trace.place(-1), thrown);
  }

  #hooked(
    description: Description,
    versionId: number,
    state: unknown,
    withSubsections: boolean,
    isOuter = false,
  ): void {
    if (typeof state !== "object" || state === null) throw this.#leaf.misfit("an object", state);
    this.#between(description, state, () => {
      if (!isOuter || !this.#compiled.wrote(description, state, subsectionType)) {
        this.#body(description, versionId, state);
      }
      if (withSubsections) this.#subsections(description, 0, state);
    });
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

  /** What others of the list ask for, a condition or a count, is taken as it was written: it is read once. */
  #fields(fields: readonly FieldModel[], versionId: number, state: unknown): void {
    const { trace } = this;
    const values: unknown[] = new Array(fields.length);
    const written: Written = { fields, values, versionId };
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      if (!isInVersion(field, versionId) || !isThere(field, written)) {
        values[i] = absent;
        continue;
      }
      trace.name(field.name);
      if (field.kind.kind === "unused") this.#out.zeros(field.kind.size);
      else {
        const value = savedValue(field, state as Members);
        values[i] = storedValue(field.kind, value);
        if (field.checks.length > 0) this.#checked(field, values[i]);
        this.#value(field.kind, value, written);
      }
      trace.pop();
    }
  }

  /** `around`: the fields around the value, for counts, and for the version of records. */
  #value(kind: Kind, value: unknown, around: Written): void {
    const { versionId } = around;
    switch (kind.kind) {
      case "array":
      case "pointerArray":
        this.#array(kind, value, around);
        break;
      case "pointer":
        this.#pointer(kind, value, around);
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
        if (value !== null) this.#value(kind.element, value, around);
        break;
      case "equal":
        this.#value(kind.element, value, around);
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

  #array(kind: Of<"array" | "pointerArray">, value: unknown, around: Written): void {
    const { element } = kind;
    const count = typeof kind.count === "number" ? kind.count : countOf(kind.count, around);
    if (kind.kind === "array" && isTypedName(element.kind) && isTyped(element.kind, value)) {
      if (viewLength(value) !== count) throw this.#leaf.misfit(expectation(kind), value);
      this.#out.bytes(littleEndianBytes(value));
      return;
    }
    if (!Array.isArray(value) || value.length !== count) {
      throw this.#leaf.misfit(
        `${expectation(kind)}${typeof kind.count === "string" ? ` (${count})` : ""}`,
        value,
      );
    }
    this.#elements(value, count, (inner) => this.#value(element, inner, around));
  }

  #pointer(kind: Of<"pointer">, value: unknown, around: Written): void {
    const { element } = kind;
    const isBare = element.kind === "struct" || element.kind === "record";
    if (!isBare && (typeof value !== "object" || value === null || !("value" in value))) {
      throw this.#leaf.misfit(expectation(kind), value);
    }
    this.#value(element, isBare ? value : (value as { value: unknown }).value, around);
  }

  #list(kind: Of<"list" | "set">, value: unknown, versionId: number): void {
    const isList = kind.kind === "list" ? Array.isArray(value) : value instanceof Set;
    if (!isList) throw this.#leaf.misfit(expectation(kind), value);
    const { element } = kind;
    const elements = value as Elements;
    if (element.kind === "struct") {
      this.#group(kind, element.of(), elements, versionId);
      return;
    }
    const around = alone(versionId);
    const count = this.#counted(kind, elements);
    this.#elements(elements, count, (inner) => this.#value(element, inner, around), kind);
  }

  #map(kind: Of<"map">, value: unknown, versionId: number): void {
    if (!(value instanceof Map)) throw this.#leaf.misfit(expectation(kind), value);
    if (kind.value.kind === "struct") {
      this.#group(kind, kind.value.of(), value, versionId);
      return;
    }
    const around = alone(versionId);
    const write = (inner: unknown, key: unknown) => {
      this.#value(kind.key, key, around);
      this.#value(kind.value, inner, around);
    };
    this.#elements(value, this.#counted(kind, value), write, kind);
  }

  /** Writes how many elements follow, and gives how many there are. */
  #counted(kind: Of<"list" | "set" | "map">, elements: Elements): number {
    const count = sizeOf(elements);
    this.#leaf.limit(count, kind);
    this.#out.u32(Math.min(this.#most, count));
    return count;
  }

  /**
   * Writes all elements, or so many as are to be. Their count stands in the stream before them, so that whoever changes
   * the collection meanwhile (a hook, a getter, a codec) is refused when the last one was written.
   */
  #elements(
    elements: Elements,
    count: number,
    write: (element: unknown, key: unknown) => void,
    kind?: Of<"list" | "set" | "map">,
  ): void {
    const { trace } = this;
    const { depth } = trace;
    const isMap = elements instanceof Map;
    const seen = kind === undefined ? undefined : seenKeys(kind, elements);
    const most = kind === undefined ? count : this.#most;
    let written = 0;
    for (const [key, element] of pairsOf(elements, count)) {
      if (written === count) throw this.#changed(depth, count, sizeOf(elements));
      if (written >= most) return;
      if (isMap) trace.key(key);
      else trace.index(written);
      if (seen?.isAgain(key) === true) throw this.#leaf.misfit("elements and keys that are there once", key);
      try {
        write(element, key);
      } catch (error) {
        // What is missing now is not there because a hook took it away; that it is undefined is no news.
        throw written >= sizeOf(elements) ? this.#changed(depth, count, sizeOf(elements), error) : error;
      }
      trace.pop();
      written++;
    }
    if (written !== count || sizeOf(elements) !== count) throw this.#changed(depth, count, sizeOf(elements));
  }

  #changed(depth: number, before: number, now: number, cause?: unknown): KstateError {
    this.trace.cut(depth);
    const fact = `it was changed while it was saved: ${before} elements were to be written, ${now === before ? "others are" : `${now} are`} there now; a hook, a getter or a custom codec must not change what is being saved`;
    return this.trace.error("CHANGED_WHILE_SAVED", -1, fact, { before, now }, cause);
  }

  /** Structs that share one header: the elements of a list, set or map. */
  #group(
    kind: Of<"list" | "set" | "map">,
    description: Description,
    elements: Elements,
    keyVersion: number,
  ): void {
    const { depth } = this.trace;
    const frame = this.#entries.enter(description, 0);
    const count = this.#counted(kind, elements);
    const [keys, values]: [unknown[], unknown[]] = [[], []];
    const around = alone(keyVersion);
    const write = (element: unknown, key: unknown) => {
      keys.push(key);
      values.push(element);
      if (kind.kind === "map") this.#value(kind.key, key, around);
      this.#hooked(description, frame.versionId, element, false);
    };
    this.#elements(elements, count, write, kind);
    for (const subsection of description.subsections)
      this.#column(subsection, values, kind.kind === "map" ? keys : undefined);
    if (sizeOf(elements) !== count) throw this.#changed(depth, count, sizeOf(elements));
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

type Members = Record<string, unknown>;
/** Fields with the values that were written of them. */
interface Written {
  readonly fields: readonly FieldModel[];
  readonly values: readonly unknown[];
  readonly versionId: number;
}

/** Elements of lists, sets and maps have no fields around them. */
function alone(versionId: number): Written {
  return { fields: [], values: [], versionId };
}

/** All conditions hold, of fields that are there themselves. */
function isThere({ conditions }: FieldModel, { fields, values, versionId }: Written): boolean {
  return conditions.every((condition) => {
    const index = fields.findIndex(
      (field) => field.name === condition.field && isInVersion(field, versionId),
    );
    return values[index] !== absent && holds(condition, fields[index]!, values[index]);
  });
}

/** A deprecated field's value is made by its `save`; that there is one was checked before. */
function savedValue(field: FieldModel, object: Members): unknown {
  return isDeprecated(field) && field.save !== undefined ? field.save(object) : object[field.name];
}

function countOf(name: string, { fields, values, versionId }: Written): number {
  const index = fields.findIndex((field) => field.name === name && isInVersion(field, versionId));
  return index < 0 ? 0 : Number(values[index]);
}
