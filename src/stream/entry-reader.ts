import { type Description, isLoadable } from "../description/index.ts";
import type { ByteReader } from "./byte-reader.ts";
import { depthLimit, entryHeaderSize, sectionType, subsectionType } from "./format.ts";

/** Called once for each description and version met, to compare layouts; throws if they differ. */
export type OnVersion = (description: Description, versionId: number) => void;

/** An entry that is being read, and what was there around it. */
export interface EntryFrame {
  /** The version in which the entry was written. */
  readonly versionId: number;
  /** Offset after its data. */
  readonly end: number;
  readonly outer: {
    readonly description: Description | undefined;
    readonly versionId: number;
    readonly end: number;
    readonly type: number;
  };
}

/** Goes into entries and out again: headers are checked, reads are bounded, everything is consumed exactly. */
export class EntryReader {
  readonly #in: ByteReader;
  readonly #onVersion: OnVersion;
  /** Descriptions met, and the version of each that was met last. */
  readonly seen = new Map<Description, number>();
  /** All versions that were met: an entry whose version is another than the last one's is not compared anew. */
  readonly #met = new Map<Description, Set<number>>();
  /** The section type that entries must have here. */
  #type = sectionType;
  #depth = 0;

  constructor(input: ByteReader, onVersion: OnVersion) {
    this.#in = input;
    this.#onVersion = onVersion;
  }

  /** Begins at an entry of the stream itself. */
  start(offset: number, type: number): void {
    this.#in.offset = offset;
    this.#in.end = this.#in.bytes.length;
    this.#type = type;
    this.#depth = 0;
  }

  /** Into an entry of this description, with the instance 0 inside of another entry. */
  enter(description: Description, isNested: boolean, type = this.#type): EntryFrame {
    const input = this.#in;
    const { trace } = input;
    const { description: outerDescription, versionId: outerVersionId } = trace;
    const outer = {
      description: outerDescription,
      versionId: outerVersionId,
      end: input.end,
      type: this.#type,
    };
    this.#type = type;
    const { versionId, end } = this.#header(description, isNested);
    trace.description = description;
    trace.versionId = versionId;
    input.end = end;
    if (++this.#depth > depthLimit) {
      const fact = `structs are nested deeper than ${depthLimit}`;
      throw trace.error("DEPTH_EXCEEDED", input.offset, fact, { limit: depthLimit });
    }
    return { versionId, end, outer };
  }

  /**
   * Passes over a nested entry in a version that cannot be read here, by its size; gives whether it did. All else in its
   * header is checked.
   */
  passOver(description: Description): boolean {
    const input = this.#in;
    const start = input.offset;
    const { versionId, size } = this.#fields(description, true);
    const isReadable = isLoadable(description, versionId);
    if (isReadable) input.offset = start;
    else input.take(size);
    return !isReadable;
  }

  /** Throws unless this version can be read; asked once for each. */
  meet(description: Description, versionId: number, offset = -1): void {
    if (this.seen.get(description) !== versionId) this.#assertVersion(description, versionId, offset);
  }

  leave({ end, outer }: EntryFrame): void {
    const input = this.#in;
    if (input.offset !== end) {
      const left = end - input.offset;
      throw input.corrupt(
        input.offset,
        "the end of the entry",
        `${left} more ${left === 1 ? "byte" : "bytes"}`,
      );
    }
    this.#depth--;
    this.#type = outer.type;
    input.trace.description = outer.description;
    input.trace.versionId = outer.versionId;
    input.end = outer.end;
  }

  /**
   * Inside an entry, after its fields: which of the parent's subsections comes next. One that is not known is passed
   * over and gives its id as `unknown`.
   */
  nextSubsection(parent: Description): { readonly index: number; readonly unknown?: number } {
    const input = this.#in;
    const start = input.offset;
    const expected = "the end of the entry or a subsection";
    if (input.left < entryHeaderSize) throw input.corrupt(start, expected, `${input.left} more bytes`);
    const [type, id] = [input.i32(), input.i32()];
    input.take(8);
    const size = input.i32();
    if (type !== subsectionType) throw input.corrupt(start, expected, `type ${type}`);
    if (size < 0) throw input.corrupt(start + 16, "a size", String(size));
    if (size > input.left) throw input.truncated(size);
    const index = parent.subsections.findIndex((subsection) => subsection.id === id);
    if (index >= 0) {
      input.offset = start;
      return { index };
    }
    input.take(size);
    return { index, unknown: id };
  }

  #header(description: Description, isNested: boolean): { readonly versionId: number; readonly end: number } {
    const input = this.#in;
    const start = input.offset;
    const { versionId, size } = this.#fields(description, isNested);
    this.meet(description, versionId, start + 8);
    return { versionId, end: input.offset + size };
  }

  #fields(
    description: Description,
    isNested: boolean,
  ): { readonly versionId: number; readonly size: number } {
    const input = this.#in;
    const start = input.offset;
    if (input.left < entryHeaderSize) throw input.truncated(entryHeaderSize);
    const [type, id, versionId, instanceId, size] = [
      input.i32(),
      input.i32(),
      input.i32(),
      input.i32(),
      input.i32(),
    ];
    if (type !== this.#type) throw input.corrupt(start, `section type ${this.#type}`, String(type));
    if (id !== description.id) {
      throw input.corrupt(start + 4, `id ${description.id} of ${description.name}`, String(id));
    }
    if (isNested && instanceId !== 0) throw input.corrupt(start + 12, "instance 0", String(instanceId));
    if (size < 0) throw input.corrupt(start + 16, "a size", String(size));
    if (size > input.left) throw input.truncated(size);
    return { versionId, size };
  }

  #assertVersion(description: Description, versionId: number, offset: number): void {
    const { minVersionId: lowest, versionId: highest } = description;
    if (versionId < lowest || versionId > highest) {
      const { trace } = this.#in;
      const isOld = versionId < lowest;
      trace.description = description;
      trace.versionId = versionId;
      const range = `this program understands ${lowest} to ${highest}`;
      const fact = isOld
        ? `version ${versionId} is too old, ${range}; update in smaller steps`
        : `version ${versionId} is too new, ${range}; save it with versionIds`;
      const detail = { versionId, lowest, highest };
      throw trace.error(isOld ? "VERSION_TOO_OLD" : "VERSION_TOO_NEW", offset, fact, detail);
    }
    const met = this.#met.get(description) ?? new Set();
    this.#met.set(description, met);
    if (!met.has(versionId)) this.#onVersion(description, versionId);
    met.add(versionId);
    this.seen.set(description, versionId);
  }
}
