import { type Description, isLoadable } from "../description/index.ts";
import type { ByteReader } from "./byte-reader.ts";
import { type CodecChoice, type CodecUse, newCodecUse } from "./codec-choice.ts";
import { type Customs, compiledLoad, type LoadRun, noteBytes, type ReadCustom } from "./compile.ts";
import { OtherVersion } from "./compile-load-helpers.ts";
import type { LeafReader } from "./decode-leaf.ts";
import type { Decoded } from "./decoded.ts";
import { Distinct } from "./distinct.ts";
import type { EntryReader } from "./entry-reader.ts";
import { subsectionType } from "./format.ts";

export interface CompiledReaderOptions {
  readonly isForeign: boolean;
  readonly choice?: CodecChoice | undefined;
  readonly use?: CodecUse | undefined;
}

interface Checked {
  readonly run: LoadRun;
  readonly customs: Customs | undefined;
}

/** How often other versions of nested descriptions are tried. */
const attempts = 8;

/** Checks the data of a stream's own entries by generated code, where there is any. */
export class CompiledReader {
  readonly #in: ByteReader;
  readonly #entries: EntryReader;
  readonly #choice: CodecChoice;
  readonly #use: CodecUse;
  readonly #view: DataView;
  readonly #isPlain: boolean;
  readonly #leaf: LeafReader;
  readonly #distinct = new Distinct();

  constructor(
    input: ByteReader,
    entries: EntryReader,
    leaf: LeafReader,
    { isForeign, choice = "auto", use = newCodecUse() }: CompiledReaderOptions,
  ) {
    this.#in = input;
    this.#entries = entries;
    this.#leaf = leaf;
    this.#choice = choice;
    this.#use = use;
    const { buffer, byteOffset, length } = input.bytes;
    this.#view = new DataView(buffer, byteOffset, length);
    const isShared = typeof SharedArrayBuffer === "function" && buffer instanceof SharedArrayBuffer;
    this.#isPlain = !isForeign && !isShared && length < 0xffffffff;
  }

  /** Whether the data were checked up to `end`; if not, nothing happened, and the reference reads them. */
  read(decoded: Decoded, end: number, type: number): boolean {
    const { description, versionId } = decoded;
    const start = this.#in.offset;
    noteBytes(description, end - start);
    const checked = this.#isPlain ? this.#checkedBy(description, versionId, end, type) : undefined;
    if (checked === undefined) {
      this.#use.referenceLoads++;
      return false;
    }
    this.#use.compiledLoads++;
    const { bytes } = this.#in;
    const view = this.#view;
    const { run, customs } = checked;
    decoded.compiled = {
      fill: (object, isNew, applier) => run.fill(bytes, view, start, object, isNew, applier, customs),
    };
    this.#in.offset = end;
    return true;
  }

  /** Nested versions are taken to be those seen before, or the newest; where they are others, once more with those. */
  #checkedBy(description: Description, versionId: number, end: number, type: number): Checked | undefined {
    const { bytes, offset } = this.#in;
    const versions = new Map([[description, versionId]]);
    const { seen } = this.#entries;
    const versionOf = (nested: Description) => versions.get(nested) ?? seen.get(nested) ?? nested.versionId;
    for (let attempt = 0; attempt < attempts; attempt++) {
      try {
        const run = compiledLoad(description, versionOf, this.#choice, type === subsectionType);
        if (run === undefined) return undefined;
        const customs = run.check(
          bytes,
          this.#view,
          offset,
          end,
          type,
          1,
          this.#meet,
          this.#distinct,
          this.#readCustom,
        );
        return { run, customs };
      } catch (error) {
        this.#distinct.clear();
        this.#in.offset = offset;
        if (!(error instanceof OtherVersion) || error.description === description) return undefined;
        if (versions.get(error.description) === error.versionId) return undefined;
        if (!isLoadable(error.description, error.versionId)) return undefined;
        versions.set(error.description, error.versionId);
      }
    }
    return undefined;
  }

  readonly #meet = (description: Description, versionId: number): void =>
    this.#entries.meet(description, versionId);

  readonly #readCustom: ReadCustom = (kind, start, end, isSkipped) => {
    const input = this.#in;
    const outer = input.end;
    input.offset = start;
    input.end = end;
    try {
      const value = this.#leaf.custom(kind, isSkipped);
      return { value, end: input.offset };
    } finally {
      input.end = outer;
    }
  };
}
