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
import { isKstateError, KstateError } from "../error/index.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { holds } from "./condition.ts";
import { LeafWriter } from "./encode-leaf.ts";
import { depthLimit, entryHeaderSize, entrySizeLimit, sectionType, subsectionType } from "./format.ts";
import { type Numbering, References } from "./references.ts";
import { Trace } from "./trace.ts";
import { isTyped, isTypedName, littleEndianBytes } from "./typed.ts";

type Of<Name extends Kind["kind"]> = Extract<Kind, { readonly kind: Name }>;

/** Called for each entry of the stream itself: where its header is and how large its data. */
export type OnEntry = (description: Description, offset: number, size: number) => void;

/** Writes sections of one stream. */
export class Encoder {
  readonly trace = new Trace("save");
  readonly #out: ByteWriter;
  readonly #leaf: LeafWriter;
  readonly #versionOf: (description: Description) => number;
  #references = new References();
  #sectionType = 0;
  #depth = 0;

  constructor(out: ByteWriter, versionOf: (description: Description) => number) {
    this.#out = out;
    this.#leaf = new LeafWriter(out, this.trace);
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
    if (typeof state !== "object" || state === null) throw this.#leaf.misfit("an object", state);
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
        this.#entry(kind.of(), 0, value, true);
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
    const values: readonly unknown[] = Array.isArray(value) ? value : [...(value as Set<unknown>)];
    const { element, max } = kind;
    this.#leaf.limit(values.length, max);
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
      this.#entry(next.description, 0, next.state, true);
    }
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
