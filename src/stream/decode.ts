/**
 * The reference interpreter, reading side: bytes to values and trees, changing nothing. Every read is bounded,
 * every count is compared with the bytes left before anything is made, every entry is consumed exactly.
 */

import {
  type Description,
  type FieldModel,
  isDeprecated,
  isInVersion,
  type Kind,
  picture,
} from "../description/index.ts";
import { isKstateError } from "../error/index.ts";
import { ByteReader } from "./byte-reader.ts";
import { LoadChecks, loadHookFailed } from "./checks.ts";
import { holds } from "./condition.ts";
import { LeafReader } from "./decode-leaf.ts";
import { absent, Decoded, DecodedFields, type DecodedMap } from "./decoded.ts";
import { depthLimit, entryHeaderSize, sectionType, subsectionType } from "./format.ts";
import { leastSize } from "./least-size.ts";
import { Trace } from "./trace.ts";
import { isTypedName } from "./typed.ts";

type Of<Name extends Kind["kind"]> = Extract<Kind, { readonly kind: Name }>;

export interface DecoderOptions {
  /** Not written by us: bytes after a NUL in `char` are ignored. */
  readonly isForeign: boolean;
  /** Called once for each description and version met, to compare layouts; throws if they differ. */
  readonly onVersion: (description: Description, versionId: number) => void;
  /** Called for each subsection inside a nested entry that is not known; its bytes are passed over. */
  readonly onUnknownSubsection: (parent: Description, id: number) => void;
}

interface Header {
  readonly type: number;
  readonly id: number;
  readonly versionId: number;
  readonly instanceId: number;
  /** Offset after the data. */
  readonly end: number;
}

/** Reads the sections of one stream. */
export class Decoder {
  readonly trace = new Trace("load");
  readonly #in: ByteReader;
  readonly #leaf: LeafReader;
  readonly #checks: LoadChecks;
  readonly #options: DecoderOptions;
  readonly #seen = new Map<Description, number>();
  #references: Decoded[] = [];
  #waiting: Decoded[] = [];
  #isDraining = false;
  #type = sectionType;
  #depth = 0;

  constructor(bytes: Uint8Array, options: DecoderOptions) {
    this.#in = new ByteReader(bytes, this.trace);
    this.#leaf = new LeafReader(this.#in, options.isForeign);
    this.#checks = new LoadChecks(this.#in);
    this.#options = options;
  }

  /** The entry of a section of the stream, whose header begins at `offset`. */
  readSection(description: Description, offset: number): Decoded {
    this.#references = [];
    return this.#whole(description, offset, sectionType);
  }

  /** The entry of a subsection of the section read last. */
  readSubsection(description: Description, offset: number): Decoded {
    const known = this.#references.length;
    const decoded = this.#whole(description, offset, subsectionType);
    this.#references.length = known;
    return decoded;
  }

  #whole(description: Description, offset: number, type: number): Decoded {
    const input = this.#in;
    input.offset = offset;
    input.end = input.bytes.length;
    this.#type = type;
    try {
      return this.#entry(description, undefined, undefined);
    } catch (error) {
      throw isKstateError(error) ? error : loadHookFailed(this.trace.place(input.offset), error);
    }
  }

  /** An entry with its fields; `into` for the body of a reference. The instance must be 0 if one is given. */
  #entry(description: Description, instanceId: number | undefined, into: Decoded | undefined): Decoded {
    const { trace } = this;
    const input = this.#in;
    const outer = { description: trace.description, versionId: trace.versionId, end: input.end };
    const header = this.#header(description, instanceId);
    this.#enter(header, description);
    const decoded = into ?? new Decoded(description, header.versionId);
    decoded.versionId = header.versionId;
    decoded.values = this.#fields(description.fields, header.versionId);
    if (instanceId !== undefined) decoded.subsections = this.#nestedSubsections(description);
    this.#checks.object(decoded);
    this.#leave(header);
    trace.description = outer.description;
    trace.versionId = outer.versionId;
    input.end = outer.end;
    return decoded;
  }

  #header(description: Description, instanceId: number | undefined): Header {
    const input = this.#in;
    const start = input.offset;
    if (input.left < entryHeaderSize) throw input.truncated(entryHeaderSize);
    const header = {
      type: input.i32(),
      id: input.i32(),
      versionId: input.i32(),
      instanceId: input.i32(),
      end: 0,
    };
    const size = input.i32();
    if (header.type !== this.#type)
      throw input.corrupt(start, `section type ${this.#type}`, String(header.type));
    if (header.id !== description.id) {
      throw input.corrupt(start + 4, `id ${description.id} of ${description.name}`, String(header.id));
    }
    if (instanceId !== undefined && header.instanceId !== instanceId) {
      throw input.corrupt(start + 12, `instance ${instanceId}`, String(header.instanceId));
    }
    if (size < 0) throw input.corrupt(start + 16, "a size", String(size));
    if (size > input.left) throw input.truncated(size);
    this.#assertVersion(description, header.versionId, start + 8);
    return { ...header, end: input.offset + size };
  }

  #assertVersion(description: Description, versionId: number, offset: number): void {
    if (this.#seen.get(description) === versionId) return;
    const { minVersionId: lowest, versionId: highest } = description;
    if (versionId < lowest || versionId > highest) {
      const isOld = versionId < lowest;
      this.trace.description = description;
      this.trace.versionId = versionId;
      const fact = isOld
        ? `version ${versionId} is too old, this program understands ${lowest} to ${highest}; update in smaller steps`
        : `version ${versionId} is too new, this program understands ${lowest} to ${highest}; save it with versionIds`;
      throw this.trace.error(isOld ? "VERSION_TOO_OLD" : "VERSION_TOO_NEW", offset, fact, {
        versionId,
        lowest,
        highest,
      });
    }
    this.#options.onVersion(description, versionId);
    this.#seen.set(description, versionId);
  }

  #enter(header: Header, description: Description): void {
    this.trace.description = description;
    this.trace.versionId = header.versionId;
    this.#in.end = header.end;
    if (++this.#depth > depthLimit) {
      throw this.trace.error(
        "DEPTH_EXCEEDED",
        this.#in.offset,
        `structs are nested deeper than ${depthLimit}`,
        {
          limit: depthLimit,
        },
      );
    }
  }

  #leave(header: Header): void {
    const input = this.#in;
    this.#depth--;
    if (input.offset !== header.end) {
      const left = header.end - input.offset;
      throw input.corrupt(
        input.offset,
        "the end of the entry",
        `${left} more ${left === 1 ? "byte" : "bytes"}`,
      );
    }
  }

  #fields(fields: readonly FieldModel[], versionId: number): unknown[] {
    const { trace } = this;
    const values: unknown[] = new Array(fields.length);
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      if (!isInVersion(field, versionId) || !this.#isThere(field, fields, values, versionId)) {
        values[i] = absent;
        continue;
      }
      trace.name(field.name);
      const start = this.#in.offset;
      const value = this.#fieldValue(field, fields, values, versionId);
      if (field.checks.length > 0) this.#checks.field(field, value, start);
      values[i] = value;
      trace.pop();
    }
    return values;
  }

  /** A deprecated field that nobody wants is passed over where it can be. */
  #fieldValue(
    field: FieldModel,
    fields: readonly FieldModel[],
    values: readonly unknown[],
    versionId: number,
  ): unknown {
    const { kind } = field;
    const isUnwanted = isDeprecated(field) && field.load === undefined && field.checks.length === 0;
    if (kind.kind === "custom" && isUnwanted && kind.codec.skip !== undefined) {
      kind.codec.skip(this.#leaf.customReader());
      return undefined;
    }
    return this.#value(kind, fields, values, versionId);
  }

  #isThere(
    field: FieldModel,
    fields: readonly FieldModel[],
    values: readonly unknown[],
    versionId: number,
  ): boolean {
    return field.conditions.every((condition) => {
      const index = fields.findIndex(
        (other) => other.name === condition.field && isInVersion(other, versionId),
      );
      const subject = fields[index]!;
      return values[index] !== absent && holds(condition, subject, values[index]);
    });
  }

  /** To be called when a section and its subsections were read: what had to wait until then. */
  finishSection(): void {
    this.#checks.run();
  }

  #nestedSubsections(description: Description): (Decoded | undefined)[] | undefined {
    const input = this.#in;
    if (input.left === 0) return undefined;
    const type = this.#type;
    const found: (Decoded | undefined)[] = new Array(description.subsections.length).fill(undefined);
    while (input.left > 0) {
      const index = this.#subsectionIndex(description);
      if (index < 0) continue;
      if (found[index] !== undefined) {
        throw input.corrupt(
          input.offset,
          "each subsection once",
          `${description.subsections[index]!.name} again`,
        );
      }
      const known = this.#references.length;
      const outer = this.#suspend();
      this.#type = subsectionType;
      found[index] = this.#entryWithout(description.subsections[index]!);
      this.#type = type;
      this.#resume(outer);
      this.#references.length = known;
    }
    return found;
  }

  /** A subsection inside a nested entry has the instance 0 and no subsections of its own. */
  #entryWithout(subsection: Description): Decoded {
    const start = this.#in.offset;
    const decoded = this.#entry(subsection, undefined, undefined);
    const instanceId = this.#instanceAt(start);
    if (instanceId !== 0) throw this.#in.corrupt(start + 12, "instance 0", String(instanceId));
    return decoded;
  }

  #instanceAt(start: number): number {
    return new ByteReader(this.#in.bytes, this.trace, start + 12).i32();
  }

  /** Which subsection comes next; one that is not known is passed over and gives -1. */
  #subsectionIndex(parent: Description): number {
    const input = this.#in;
    const start = input.offset;
    if (input.left < entryHeaderSize) {
      throw input.corrupt(start, "the end of the entry or a subsection", `${input.left} more bytes`);
    }
    const type = input.i32();
    const id = input.i32();
    input.take(8);
    const size = input.i32();
    if (type !== subsectionType)
      throw input.corrupt(start, "the end of the entry or a subsection", `type ${type}`);
    if (size < 0) throw input.corrupt(start + 16, "a size", String(size));
    if (size > input.left) throw input.truncated(size);
    const index = parent.subsections.findIndex((subsection) => subsection.id === id);
    if (index < 0) {
      input.take(size);
      this.#options.onUnknownSubsection(parent, id);
    } else input.offset = start;
    return index;
  }

  #suspend(): { readonly waiting: Decoded[]; readonly isDraining: boolean } {
    const outer = { waiting: this.#waiting, isDraining: this.#isDraining };
    this.#waiting = [];
    this.#isDraining = false;
    return outer;
  }

  #resume(outer: { readonly waiting: Decoded[]; readonly isDraining: boolean }): void {
    this.#waiting = outer.waiting;
    this.#isDraining = outer.isDraining;
  }

  #value(kind: Kind, fields: readonly FieldModel[], values: readonly unknown[], versionId: number): unknown {
    switch (kind.kind) {
      case "array":
        return isTypedName(kind.element.kind)
          ? this.#leaf.typed(kind.element.kind, kind.count)
          : this.#elements(kind.element, kind.count, fields, values, versionId);
      case "pointerArray":
        return this.#pointerArray(kind, fields, values, versionId);
      case "pointer":
      case "equal":
        return this.#value(kind.element, fields, values, versionId);
      case "struct":
        return this.#entry(kind.of(), 0, undefined);
      case "record":
        return new DecodedFields(kind.fields, this.#fields(kind.fields, versionId));
      case "list":
      case "set":
        return this.#list(kind, versionId);
      case "map":
        return this.#map(kind, versionId);
      case "optional":
        return this.#leaf.flag("0 (absent) or 1") === 0
          ? null
          : this.#value(kind.element, fields, values, versionId);
      case "oneOf": {
        const variant = kind.variants[this.#leaf.choice(kind.variants.length, kind)]!;
        return new DecodedFields(variant.fields, this.#fields(variant.fields, versionId), variant.name);
      }
      case "ref":
        return this.#ref(kind);
      default:
        return this.#leaf.read(kind);
    }
  }

  #pointerArray(
    kind: Of<"pointerArray">,
    fields: readonly FieldModel[],
    values: readonly unknown[],
    versionId: number,
  ): unknown[] {
    const index =
      typeof kind.count === "number"
        ? -1
        : fields.findIndex((field) => field.name === kind.count && isInVersion(field, versionId));
    const count = typeof kind.count === "number" ? kind.count : index < 0 ? 0 : Number(values[index]);
    if (!(count >= 0)) throw this.#leaf.invalid(this.#in.offset, "a count", picture(count));
    if (count > this.#in.left) throw this.#in.truncated(count);
    return this.#elements(kind.element, count, fields, values, versionId);
  }

  #elements(
    element: Kind,
    count: number,
    fields: readonly FieldModel[],
    values: readonly unknown[],
    versionId: number,
  ): unknown[] {
    const size = leastSize(element);
    if (count * size > this.#in.left) throw this.#in.truncated(count * size);
    const found: unknown[] = [];
    for (let i = 0; i < count; i++) {
      this.trace.index(i);
      found.push(this.#value(element, fields, values, versionId));
      this.trace.pop();
    }
    return found;
  }

  #list(kind: Of<"list" | "set">, versionId: number): unknown[] {
    const { element, max } = kind;
    if (element.kind === "struct") return this.#group(element.of(), max, undefined, versionId).values;
    const count = this.#leaf.count(max, leastSize(element));
    const found = this.#elements(element, count, [], [], versionId);
    if (kind.kind === "set" && new Set(found).size !== found.length) {
      throw this.#leaf.invalid(this.#in.offset, "elements that are there once", "one that is there twice");
    }
    return found;
  }

  #map(kind: Of<"map">, versionId: number): DecodedMap {
    const start = this.#in.offset;
    const { key, value, max } = kind;
    if (value.kind === "struct") return this.#group(value.of(), max, key, versionId);
    const count = this.#leaf.count(max, leastSize(key) + leastSize(value));
    const [keys, values]: [unknown[], unknown[]] = [[], []];
    for (let i = 0; i < count; i++) {
      this.trace.index(i);
      keys.push(this.#value(key, [], [], versionId));
      this.trace.pop();
      this.trace.key(keys[i]);
      values.push(this.#value(value, [], [], versionId));
      this.trace.pop();
    }
    this.#assertDistinct(keys, start);
    return { keys, values };
  }

  #assertDistinct(keys: readonly unknown[], start: number): void {
    if (new Set(keys).size !== keys.length)
      throw this.#leaf.invalid(start, "keys that are there once", "one that is there twice");
  }

  /** Structs that share one header. */
  #group(
    description: Description,
    max: number,
    key: Kind | undefined,
    keyVersion: number,
  ): { readonly keys: unknown[]; readonly values: Decoded[] } {
    const { trace } = this;
    const input = this.#in;
    const start = input.offset;
    const outer = { description: trace.description, versionId: trace.versionId, end: input.end };
    const header = this.#header(description, 0);
    this.#enter(header, description);
    const least =
      leastSize({ kind: "record", fields: description.fields }) + (key === undefined ? 0 : leastSize(key));
    const count = this.#leaf.count(max, least);
    const [keys, values]: [unknown[], Decoded[]] = [[], []];
    for (let i = 0; i < count; i++) {
      trace.index(i);
      if (key !== undefined) {
        keys.push(this.#value(key, [], [], keyVersion));
        trace.pop();
        trace.key(keys[i]);
      }
      const decoded = new Decoded(description, header.versionId);
      decoded.values = this.#fields(description.fields, header.versionId);
      this.#checks.object(decoded);
      values.push(decoded);
      trace.pop();
    }
    if (key !== undefined) this.#assertDistinct(keys, start);
    while (input.left > 0) this.#column(description, values);
    this.#leave(header);
    trace.description = outer.description;
    trace.versionId = outer.versionId;
    input.end = outer.end;
    return { keys, values };
  }

  /** One subsection of all structs of a group. */
  #column(description: Description, values: readonly Decoded[]): void {
    const index = this.#subsectionIndex(description);
    if (index < 0) return;
    const { trace } = this;
    const input = this.#in;
    const subsection = description.subsections[index]!;
    const outer = {
      description: trace.description,
      versionId: trace.versionId,
      end: input.end,
      type: this.#type,
    };
    const references = this.#references.length;
    const suspended = this.#suspend();
    this.#type = subsectionType;
    const header = this.#header(subsection, 0);
    this.#enter(header, subsection);
    for (let i = 0; i < values.length; i++) {
      trace.index(i);
      if (this.#leaf.flag("0 (not needed) or 1") === 1)
        this.#columnElement(values[i]!, index, header.versionId);
      trace.pop();
    }
    this.#leave(header);
    this.#type = outer.type;
    this.#resume(suspended);
    this.#references.length = references;
    trace.description = outer.description;
    trace.versionId = outer.versionId;
    input.end = outer.end;
  }

  #columnElement(parent: Decoded, index: number, versionId: number): void {
    const subsection = parent.description.subsections[index]!;
    parent.subsections ??= new Array(parent.description.subsections.length).fill(undefined);
    if (parent.subsections[index] !== undefined) {
      throw this.#in.corrupt(this.#in.offset, "each subsection once", `${subsection.name} again`);
    }
    const decoded = new Decoded(subsection, versionId);
    decoded.values = this.#fields(subsection.fields, versionId);
    this.#checks.object(decoded);
    parent.subsections[index] = decoded;
  }

  #ref(kind: Of<"ref">): Decoded | null {
    const input = this.#in;
    const number = input.u32();
    if (number === 0) return null;
    const references = this.#references;
    const description = kind.of();
    if (number <= references.length) {
      const known = references[number - 1]!;
      if (known.description === description) return known;
      throw input.corrupt(
        input.offset - 4,
        `the number of a ${description.name}`,
        `${number}, a ${known.description.name}`,
      );
    }
    if (number !== references.length + 1) {
      throw input.corrupt(input.offset - 4, `a number up to ${references.length + 1}`, String(number));
    }
    if (!this.#isDraining && input.left < entryHeaderSize) throw input.truncated(entryHeaderSize);
    const decoded = new Decoded(description, 0);
    references.push(decoded);
    this.#waiting.push(decoded);
    if (!this.#isDraining) this.#drain();
    return decoded;
  }

  #drain(): void {
    this.#isDraining = true;
    const waiting = this.#waiting;
    for (let i = 0; i < waiting.length; i++) this.#entry(waiting[i]!.description, 0, waiting[i]!);
    this.#waiting = [];
    this.#isDraining = false;
  }
}
