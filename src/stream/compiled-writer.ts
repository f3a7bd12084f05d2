import type { Description, Kind } from "../description/index.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { type CodecChoice, type CodecUse, newCodecUse } from "./codec-choice.ts";
import { compiledSave, noteBytes } from "./compile.ts";
import { subsectionType } from "./format.ts";

/** Writes the data of a stream's own entries by generated code, where there is any. */
export class CompiledWriter {
  readonly #out: ByteWriter;
  readonly #versionOf: (description: Description) => number;
  readonly #choice: CodecChoice;
  readonly #use: CodecUse;
  readonly #writeCustom: (kind: Kind, value: unknown) => void;

  constructor(
    out: ByteWriter,
    versionOf: (description: Description) => number,
    writeCustom: (kind: Kind, value: unknown) => void,
    choice: CodecChoice = "auto",
    use: CodecUse = newCodecUse(),
  ) {
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
    } catch {
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
