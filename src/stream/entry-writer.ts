import type { Description } from "../description/index.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { depthLimit, entryHeaderSize, entrySizeLimit, sectionType } from "./format.ts";
import type { Trace } from "./trace.ts";

/** An entry that is being written, and what was there around it. */
export interface WrittenFrame {
  readonly versionId: number;
  /** Offset of its data. */
  readonly start: number;
  readonly outer: {
    readonly description: Description | undefined;
    readonly versionId: number;
    readonly type: number;
  };
}

/** Begins entries and ends them: headers, versions, sizes, depth. */
export class EntryWriter {
  readonly #out: ByteWriter;
  readonly #trace: Trace;
  readonly #versionOf: (description: Description) => number;
  #type = sectionType;
  #depth = 0;

  constructor(out: ByteWriter, trace: Trace, versionOf: (description: Description) => number) {
    this.#out = out;
    this.#trace = trace;
    this.#versionOf = versionOf;
  }

  /** Begins an entry; its section type is that of the entry around it unless given. */
  enter(description: Description, instanceId: number, type = this.#type): WrittenFrame {
    const out = this.#out;
    const trace = this.#trace;
    const versionId = this.#versionOf(description);
    const outer = { description: trace.description, versionId: trace.versionId, type: this.#type };
    this.#type = type;
    trace.description = description;
    trace.versionId = versionId;
    if (++this.#depth > depthLimit) {
      const fact = `structs are nested deeper than ${depthLimit}; use ref`;
      throw trace.error("DEPTH_EXCEEDED", -1, fact, { limit: depthLimit });
    }
    out.reserve(entryHeaderSize);
    out.i32(type);
    out.i32(description.id);
    out.i32(versionId);
    out.i32(instanceId);
    out.u32(0);
    return { versionId, start: out.offset, outer };
  }

  /** Ends it; gives the size of its data. */
  leave({ start, outer }: WrittenFrame): number {
    const size = this.#out.offset - start;
    if (size > entrySizeLimit) {
      const fact = `the entry has ${size} bytes, the most is ${entrySizeLimit}; keep such data in folios`;
      throw this.#trace.error("ENTRY_TOO_LARGE", -1, fact, { size });
    }
    this.#out.patchU32(start - 4, size);
    this.#depth--;
    this.#type = outer.type;
    this.#trace.description = outer.description;
    this.#trace.versionId = outer.versionId;
    return size;
  }
}
