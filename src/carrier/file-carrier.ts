import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import { isKstateError, KstateError } from "../error/index.ts";
import { createMemfd, type DaxOptions, openDax, type PhysicalMemory } from "../memory/index.ts";
import { descriptorSource, writeAll } from "./byte-places.ts";
import type { Carrier, FindOptions, Stored, Waiting } from "./carrier.ts";
import type { ImageRecord } from "./format.ts";
import { Image, type ImageFacts } from "./image.ts";
import { ImageReader } from "./image-reader.ts";
import { partedSource, partPaths, writeParts } from "./parts.ts";

export interface FileOptions {
  /** Cuts the image into parts of so many bytes, each with its own digest, so that a copy can be resumed. Whole unless given. */
  readonly partBytes?: number;
}

/** An ordinary file, with a digest: it can be copied, also to another host. */
export function fileCarrier(path: string, { partBytes }: FileOptions = {}): Carrier {
  return new FileCarrier(`file:${path}`, path, "sha256", (temporary, image) => {
    if (partBytes !== undefined) return writeParts(path, temporary, image, partBytes);
    const descriptor = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      writeAll(descriptor, image.bytes());
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  });
}

/** A file on DAX: what is stored there is in the persistent memory itself, and outlasts a kexec without any sync. */
export function daxCarrier(path: string, options: DaxOptions = {}): Carrier {
  return new FileCarrier(`dax:${path}`, path, "none", (temporary, image) => {
    const backEnd = openDax(temporary, image.record.sizeBytes, options);
    try {
      // Written rather than mapped: a full medium is an error then, and not every file system on DAX has fallocate.
      writeAll(backEnd.descriptor, image.bytes());
      fsyncSync(backEnd.descriptor);
    } finally {
      backEnd.close();
    }
  });
}

/** Writes an image to a path that is not there, so that it outlasts a power failure. */
type Write = (path: string, image: Image) => void;

/**
 * Keeps an image under a path. It is written to a temporary name, synced and renamed, so that there is always the image
 * before, or the new one, whole. A state that was resumed is renamed to `PATH.resumed`.
 */
class FileCarrier implements Carrier {
  readonly name: string;
  readonly #path: string;
  readonly #digest: ImageRecord["digest"];
  readonly #write: Write;

  constructor(name: string, path: string, digest: ImageRecord["digest"], write: Write) {
    this.name = name;
    this.#path = path;
    this.#digest = digest;
    this.#write = write;
  }

  async store(memory: PhysicalMemory, facts: ImageFacts): Promise<Stored> {
    return this.storeNow(memory, facts);
  }

  storeNow(memory: PhysicalMemory, facts: ImageFacts): Stored {
    const temporary = `${this.#path}.new`;
    try {
      const image = new Image(memory, facts, this.#digest);
      makeDirectory(dirname(this.#path));
      rmSync(temporary, { force: true }); // of a store that was killed
      const before = existsSync(this.#path) ? partPaths(this.#path) : [];
      this.#write(temporary, image);
      renameSync(temporary, this.#path);
      for (const part of before) rmSync(part, { force: true });
      syncDirectory(this.#path);
      return { name: this.name, record: image.record, isHeld: false, discard: () => this.#discard() };
    } catch (error) {
      rmSync(temporary, { force: true });
      throw this.#failed(error);
    }
  }

  #discard(): void {
    for (const path of [...partPaths(this.#path), this.#path]) rmSync(path, { force: true });
  }

  find({ staleOk = false }: FindOptions = {}): Waiting | undefined {
    const path = this.#pathOf(staleOk);
    if (path === undefined) return undefined;
    const record = this.#read(path, ({ record }) => record);
    if (!staleOk) this.#assertFresh(record);
    return {
      name: this.name,
      record,
      isHeld: false,
      restore: () => this.#read(path, (reader) => reader.restore(createMemfd(reader.record.capacity))),
      finish: () => {
        if (path !== this.#path) return;
        renameSync(path, this.#resumedPath);
        syncDirectory(path);
      },
    };
  }

  get #resumedPath(): string {
    return `${this.#path}.resumed`;
  }

  #pathOf(staleOk: boolean): string | undefined {
    if (existsSync(this.#path)) return this.#path;
    if (!existsSync(this.#resumedPath)) return undefined;
    if (staleOk) return this.#resumedPath;
    throw this.#stale();
  }

  /** A copy that was put back is the same state. */
  #assertFresh({ id }: ImageRecord): void {
    if (existsSync(this.#resumedPath) && this.#read(this.#resumedPath, ({ record }) => record.id) === id)
      throw this.#stale();
  }

  #stale(): KstateError {
    const since = statSync(this.#resumedPath).ctime.toISOString();
    const problem = `it was resumed at ${since}, and what happened since is not in it`;
    return new KstateError(
      "STALE",
      `cannot resume from ${this.name}: ${problem}; --stale-ok takes it all the same`,
      { carrier: this.name, problem },
    );
  }

  #read<T>(path: string, use: (reader: ImageReader) => T): T {
    const source = partedSource(this.name, path) ?? openSource(this.name, path);
    try {
      return use(new ImageReader(source.bytes));
    } finally {
      source.close();
    }
  }

  #failed(cause: unknown): unknown {
    if (isKstateError(cause, "DAX_UNSUPPORTED")) return cause;
    const problem = cause instanceof Error ? cause.message : String(cause);
    return new KstateError(
      "CARRIER_FAILED",
      `cannot keep the state in ${this.name}: ${problem}`,
      { carrier: this.name, problem },
      { cause },
    );
  }
}

function openSource(name: string, path: string) {
  const descriptor = openSync(path, "r");
  return { bytes: descriptorSource(name, descriptor), close: () => closeSync(descriptor) };
}

/** One level only: Node 20 never returns from a recursive `mkdir` in a file system like /proc. */
function makeDirectory(path: string): void {
  if (!existsSync(path)) mkdirSync(path, { mode: 0o700 });
}

/** Makes a rename outlast a power failure. */
function syncDirectory(path: string): void {
  const descriptor = openSync(dirname(path), "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
