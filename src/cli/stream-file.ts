import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { crc32 as zlibCrc32 } from "node:zlib";
import { descriptorSource, ImageReader } from "../carrier/index.ts";
import type { LockRecord } from "../description/index.ts";
import { KstateError } from "../error/index.ts";
import { type ByteSource, indexStream, type StreamIndex, sourceOf } from "../inspect/index.ts";
import { CHECKPOINT, createMemfd, HANDOVER } from "../memory/index.ts";
import type { Crc32 } from "../stream/index.ts";

export const crc32: Crc32 = (bytes, before = 0) => zlibCrc32(bytes, before);

/** A file as a source of bytes, of which only what is asked for is read. */
export class StreamFile implements ByteSource {
  readonly size: number;
  readonly #descriptor: number;
  #buffer = new Uint8Array(0);

  /** Throws `RECORD_UNREADABLE`. */
  constructor(path: string) {
    try {
      this.#descriptor = openSync(path, "r");
      this.size = fstatSync(this.#descriptor).size;
    } catch (cause) {
      throw unreadable(path, (cause as Error).message, cause);
    }
  }

  read(offset: number, length: number): Uint8Array {
    const size = Math.max(0, Math.min(length, this.size - offset));
    if (this.#buffer.length < size) this.#buffer = new Uint8Array(size);
    let read = 0;
    while (read < size) {
      const count = readSync(this.#descriptor, this.#buffer, read, size - read, offset + read);
      if (count === 0) break; // it was shortened meanwhile
      read += count;
    }
    return this.#buffer.subarray(0, read);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

export interface StreamOptions {
  readonly foreign: boolean;
  readonly lock: LockRecord | undefined;
}

/** Calls `use` with the index of a stream's file. Throws `RECORD_UNREADABLE`. */
export async function withStream<T>(
  path: string,
  { foreign, lock }: StreamOptions,
  use: (index: StreamIndex) => Promise<T> | T,
): Promise<T> {
  const file = new StreamFile(path);
  try {
    const source = isImage(file) ? streamOfImage(path) : file;
    return await use(indexStream(source, { foreign, crc32, ...(lock === undefined ? {} : { lock }) }));
  } finally {
    file.close();
  }
}

/** The state of a suspended service, or of one without a supervisor. */
function isImage(file: StreamFile): boolean {
  return new TextDecoder().decode(file.read(0, 4)) === "KIMG";
}

/** The stream that an image's memory names: what was handed over, else the checkpoint. Throws `IMAGE_INVALID`. */
function streamOfImage(path: string): ByteSource {
  const descriptor = openSync(path, "r");
  try {
    const image = new ImageReader(descriptorSource(path, descriptor));
    const memory = image.restore(createMemfd(image.record.capacity));
    const stream = memory.stream(HANDOVER) ?? memory.stream(CHECKPOINT);
    if (stream !== undefined) return sourceOf(stream.bytes);
    throw unreadable(path, "it is the image of a service without a saved state", undefined);
  } finally {
    closeSync(descriptor);
  }
}

function unreadable(source: string, problem: string, cause: unknown): KstateError<"RECORD_UNREADABLE"> {
  return new KstateError(
    "RECORD_UNREADABLE",
    `cannot read ${source}: ${problem}`,
    { source, problem },
    { cause },
  );
}
