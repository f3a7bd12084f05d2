import type { Description, Kind } from "../description/index.ts";
import { isKstateError } from "../error/index.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { type CodecChoice, type CodecUse, newCodecUse } from "./codec-choice.ts";
import { compiledSave, noteBytes } from "./compile.ts";
import { subsectionType } from "./format.ts";

export interface CompiledWriterOptions {
  /** `auto` unless given. */
  readonly choice?: CodecChoice | undefined;
  readonly use?: CodecUse | undefined;
  /** Whether a buffer that may be too small is taken to be. False unless given: the reference tries whether it is. */
  readonly fullEarly?: boolean | undefined;
}

/** Writes the data of a stream's own entries by generated code, where there is any. */
export class CompiledWriter {
  readonly #out: ByteWriter;
  readonly #versionOf: (description: Description) => number;
  readonly #choice: CodecChoice;
  readonly #use: CodecUse;
  readonly #fullEarly: boolean;
  readonly #writeCustom: (kind: Kind, value: unknown) => void;

  constructor(
    out: ByteWriter,
    versionOf: (description: Description) => number,
    writeCustom: (kind: Kind, value: unknown) => void,
    { choice = "auto", use = newCodecUse(), fullEarly = false }: CompiledWriterOptions = {},
  ) {
    this.#fullEarly = fullEarly;
    this.#out = out;
    this.#versionOf = versionOf;
    this.#choice = choice;
    this.#use = use;
    this.#writeCustom = writeCustom;
  }

  /** Whether everything was written; if not, nothing was, and the reference does it or finds out why it cannot. */
  wrote(description: Description, state: object, type: number): boolean {
    const start = this.#out.offset;
    try {
      const run = compiledSave(description, this.#versionOf, this.#choice, type === subsectionType);
      if (run !== undefined) {
        run(this.#out, state, type, 1, this.#writeCustom);
        this.#use.compiledSaves++;
        return true;
      }
    } catch (error) {
      if (this.#fullEarly && isKstateError(error, "STREAM_FULL")) throw error;
      this.#out.offset = start;
    }
    this.#use.referenceSaves++;
    return false;
  }

  /** To be told what was written, so that it is known what is worth generating code for. */
  note(description: Description, size: number): void {
    noteBytes(description, size);
  }
}
