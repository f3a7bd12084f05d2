/**
 * The reference interpreter, reading side: bytes to values and trees, changing nothing. Every read is bounded,
 * every count is compared with the bytes left before anything is made, every entry is consumed exactly.
 */

import {
  type Description,
  engineLimits,
  type FieldModel,
  isDeprecated,
  isInVersion,
  type Kind,
  type LimitedKind,
  picture,
} from "../description/index.ts";
import { isKstateError } from "../error/index.ts";
import { ByteReader } from "./byte-reader.ts";
import { LoadChecks } from "./checks.ts";
import type { CodecChoice, CodecUse } from "./codec-choice.ts";
import { CompiledReader } from "./compiled-reader.ts";
import { holds } from "./condition.ts";
import { LeafReader } from "./decode-leaf.ts";
import { absent, Decoded, DecodedFields, type DecodedMap } from "./decoded.ts";
import { EntryReader, type OnVersion } from "./entry-reader.ts";
import { sectionType, subsectionType } from "./format.ts";
import { hookFailed } from "./hook-failure.ts";
import { leastOfFields, leastSize } from "./least-size.ts";
import { ReferenceReader } from "./reference-reader.ts";
import { Trace } from "./trace.ts";
import { isTypedName } from "./typed.ts";

type Of<Name extends Kind["kind"]> = Extract<Kind, { readonly kind: Name }>;

export interface DecoderOptions {
  /** Not written by us: bytes after a NUL in `char` are ignored. */
  readonly isForeign: boolean;
  readonly onVersion: OnVersion;
  /** Values of `bytes` and `blob` are views of the stream. False unless given. */
  readonly isZeroCopy?: boolean | undefined;
  /** Called for each subsection inside a nested entry that is not known; its bytes are passed over. */
  readonly onUnknownSubsection: (parent: Description, id: number) => void;
  /**
   * Whether the writer had references in a description, whose numbers must be counted even where nobody wants them.
   * Always unless given.
   */
  readonly holdsReferences?: ((description: Description) => boolean) | undefined;
  /** `auto` unless given. */
  readonly choice?: CodecChoice | undefined;
  /** Where it is counted who read what. */
  readonly use?: CodecUse | undefined;
}

/** Reads the sections of one stream. */
export class Decoder {
  readonly trace = new Trace("load");
  readonly #in: ByteReader;
  readonly #entries: EntryReader;
  readonly #references: ReferenceReader;
  readonly #leaf: LeafReader;
  readonly #compiled: CompiledReader;
  readonly #checks: LoadChecks;
  readonly #onUnknownSubsection: DecoderOptions["onUnknownSubsection"];
  readonly #holdsReferences: (description: Description) => boolean;
  /** Whether a removed field that nobody wants is being read. */
  #isUnwanted = false;

  constructor(bytes: Uint8Array, options: DecoderOptions) {
    const { isForeign, isZeroCopy = false, onVersion, onUnknownSubsection } = options;
    this.#in = new ByteReader(bytes, this.trace);
    this.#entries = new EntryReader(this.#in, onVersion);
    this.#references = new ReferenceReader(this.#in, (decoded) => this.#struct(decoded));
    this.#leaf = new LeafReader(this.#in, isForeign, isZeroCopy);
    this.#compiled = new CompiledReader(this.#in, this.#entries, this.#leaf, options);
    this.#checks = new LoadChecks(this.#in);
    this.#onUnknownSubsection = onUnknownSubsection;
    this.#holdsReferences = options.holdsReferences ?? (() => true);
  }

  /** The entry of a section of the stream, whose header begins at `offset`. */
  readSection(description: Description, offset: number): Decoded {
    this.#references.start();
    return this.#whole(description, offset, sectionType);
  }

  /** The entry of a subsection of the section read last. */
  readSubsection(description: Description, offset: number): Decoded {
    const fork = this.#references.fork();
    const decoded = this.#whole(description, offset, subsectionType);
    this.#references.join(fork);
    return decoded;
  }

  /** To be called when a section and its subsections were read: what had to wait until then. */
  finishSection(): void {
    this.#checks.run();
  }

  #whole(description: Description, offset: number, type: number): Decoded {
    this.#entries.start(offset, type);
    this.#isUnwanted = false;
    try {
      const frame = this.#entries.enter(description, false);
      const decoded = new Decoded(description, frame.versionId);
      if (this.#compiled.read(decoded, frame.end, type)) this.#checks.object(decoded);
      else this.#object(decoded);
      this.#entries.leave(frame);
      return decoded;
    } catch (error) {
      throw isKstateError(error) ? error : hookFailed("load", this.trace.place(this.#in.offset), error);
    }
  }

  /** The fields of an object, without a header. */
  #object(decoded: Decoded): Decoded {
    decoded.values = this.#fields(decoded.description.fields, decoded.versionId);
    this.#checks.object(decoded);
    return decoded;
  }

  /** A whole nested entry: a struct, or the body of a reference. */
  #struct(decoded: Decoded): Decoded {
    if (this.#isPassedOver(decoded.description)) return decoded;
    const frame = this.#entries.enter(decoded.description, true);
    decoded.versionId = frame.versionId;
    this.#object(decoded);
    while (this.#in.left > 0) this.#subsection(decoded);
    this.#entries.leave(frame);
    return decoded;
  }

  /** In a removed field that nobody wants, what is in a version that nobody reads here is no reason to refuse all. */
  #isPassedOver(description: Description): boolean {
    return this.#isUnwanted && !this.#holdsReferences(description) && this.#entries.passOver(description);
  }

  /** A subsection inside a nested entry. */
  #subsection(parent: Decoded): void {
    const index = this.#nextSubsection(parent.description);
    if (index === undefined) return;
    const description = parent.description.subsections[index]!;
    const fork = this.#references.fork();
    const frame = this.#entries.enter(description, true, subsectionType);
    this.#addSubsection(parent, index, frame.versionId);
    this.#entries.leave(frame);
    this.#references.join(fork);
  }

  #nextSubsection(parent: Description): number | undefined {
    const { index, unknown } = this.#entries.nextSubsection(parent);
    if (unknown === undefined) return index;
    this.#onUnknownSubsection(parent, unknown);
    return undefined;
  }

  #addSubsection(parent: Decoded, index: number, versionId: number): void {
    const { subsections } = parent.description;
    parent.subsections ??= subsections.map(() => undefined);
    if (parent.subsections[index] !== undefined) {
      throw this.#in.corrupt(this.#in.offset, "each subsection once", `${subsections[index]!.name} again`);
    }
    parent.subsections[index] = this.#object(new Decoded(subsections[index]!, versionId));
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
    if (!isUnwanted) return this.#value(kind, fields, values, versionId);
    const outer = this.#isUnwanted;
    this.#isUnwanted = true;
    const value = this.#value(kind, fields, values, versionId);
    this.#isUnwanted = outer;
    return value;
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
        return this.#struct(new Decoded(kind.of(), 0));
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
        return this.#references.read(kind.of());
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
    if (count > engineLimits.elements)
      throw this.#leaf.above(count, { kind: "list", element: kind.element, max: highestCount });
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

  #list(kind: Of<"list" | "set">, versionId: number): readonly unknown[] {
    const { element } = kind;
    if (element.kind === "struct") return this.#group(kind, element.of(), undefined, versionId).values;
    const count = this.#leaf.count(kind, leastSize(element));
    const found = this.#elements(element, count, [], [], versionId);
    if (kind.kind === "set" && new Set(found).size !== found.length) {
      throw this.#leaf.invalid(this.#in.offset, "elements that are there once", "one that is there twice");
    }
    return found;
  }

  #map(kind: Of<"map">, versionId: number): DecodedMap {
    const start = this.#in.offset;
    const { key, value } = kind;
    if (value.kind === "struct") return this.#group(kind, value.of(), key, versionId);
    const count = this.#leaf.count(kind, leastSize(key) + leastSize(value));
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
  #group(kind: LimitedKind, description: Description, key: Kind | undefined, keyVersion: number): GroupMap {
    const { trace } = this;
    const start = this.#in.offset;
    if (this.#isPassedOver(description)) return { keys: [], values: [] };
    const frame = this.#entries.enter(description, true);
    const count = this.#leaf.count(
      kind,
      leastOfFields(description.fields) + (key === undefined ? 0 : leastSize(key)),
    );
    const [keys, values]: [unknown[], Decoded[]] = [[], []];
    for (let i = 0; i < count; i++) {
      trace.index(i);
      if (key !== undefined) {
        keys.push(this.#value(key, [], [], keyVersion));
        trace.pop();
        trace.key(keys[i]);
      }
      values.push(this.#object(new Decoded(description, frame.versionId)));
      trace.pop();
    }
    if (key !== undefined) this.#assertDistinct(keys, start);
    while (this.#in.left > 0) this.#column(description, values);
    this.#entries.leave(frame);
    return { keys, values };
  }

  /** One subsection of all structs of a group. */
  #column(description: Description, values: readonly Decoded[]): void {
    const index = this.#nextSubsection(description);
    if (index === undefined) return;
    const fork = this.#references.fork();
    const frame = this.#entries.enter(description.subsections[index]!, true, subsectionType);
    for (let i = 0; i < values.length; i++) {
      this.trace.index(i);
      if (this.#leaf.flag("0 (not needed) or 1") === 1)
        this.#addSubsection(values[i]!, index, frame.versionId);
      this.trace.pop();
    }
    this.#entries.leave(frame);
    this.#references.join(fork);
  }
}

/** What a u32 that counts can say. */
const highestCount = 0xffffffff;

interface GroupMap extends DecodedMap {
  readonly values: readonly Decoded[];
}
