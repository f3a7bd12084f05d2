import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { isKstateError, KstateError } from "../error/index.ts";
import { createMemfd, type DaxOptions, openDax, type PhysicalMemory } from "../memory/index.ts";
import { openOwn } from "../system/index.ts";
import { descriptorSource, writeImage } from "./byte-places.ts";
import type { Carrier, FindOptions, Stored, StoreOptions, StoreProgress, Waiting } from "./carrier.ts";
import type { ImageRecord } from "./format.ts";
import { Image, type ImageFacts } from "./image.ts";
import { ImageReader } from "./image-reader.ts";
import { partedSource, partNames, removeParts, writeParts } from "./parts.ts";
import { inOneTurn, inTurns, type Steps } from "./steps.ts";

export interface FileOptions {
  /** Cuts the image into parts of so many bytes, each with its own digest, so that a copy can be resumed. Whole unless given. */
  readonly partBytes?: number;
}

/** An ordinary file, with a digest: it can be copied, also to another host. */
export function fileCarrier(path: string, { partBytes }: FileOptions = {}): Carrier {
  return new FileCarrier(`file:${path}`, path, "sha256", function* (temporary, image, progress) {
    if (partBytes !== undefined) return yield* writeParts(path, temporary, image, partBytes, progress);
    const descriptor = openOwn(temporary, "create");
    try {
      yield* writeImage(descriptor, image, progress);
    } finally {
      closeSync(descriptor);
    }
  });
}

/** A file on DAX: what is stored there is in the persistent memory itself, and outlasts a kexec without any sync. */
export function daxCarrier(path: string, options: DaxOptions = {}): Carrier {
  return new FileCarrier(`dax:${path}`, path, "none", function* (temporary, image, progress) {
    const backEnd = openDax(temporary, image.record.sizeBytes, options);
    try {
      // Written rather than mapped: a full medium is an error then, and not every file system on DAX has fallocate.
      yield* writeImage(backEnd.descriptor, image, progress);
    } finally {
      backEnd.close();
    }
  });
}

/** Writes an image to a path that is not there, so that it outlasts a power failure. */
type Write = (path: string, image: Image, progress?: StoreProgress) => Steps<void>;

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

  store(memory: PhysicalMemory, facts: ImageFacts, options: StoreOptions = {}): Promise<Stored> {
    return inTurns(this.#storing(memory, facts, options.progress), options.signal);
  }

  storeNow(memory: PhysicalMemory, facts: ImageFacts): Stored {
    return inOneTurn(this.#storing(memory, facts));
  }

  *#storing(memory: PhysicalMemory, facts: ImageFacts, progress?: StoreProgress): Steps<Stored> {
    const temporary = `${this.#path}.new`;
    try {
      const image = yield* Image.take(memory, facts, this.#digest);
      makeDirectory(dirname(this.#path));
      rmSync(temporary, { force: true }); // of a store that was killed
      yield* this.#write(temporary, image, progress);
      renameSync(temporary, this.#path);
      this.#removeLeftParts();
      yield* syncDirectory(this.#path);
      return { name: this.name, record: image.record, isHeld: false, discard: () => this.#discard() };
    } catch (error) {
      rmSync(temporary, { force: true });
      throw this.#failed(error);
    }
  }

  #discard(): void {
    rmSync(this.#path, { force: true });
    this.#removeLeftParts();
  }

  /** Of the state before, and of a store that was killed. */
  #removeLeftParts(): void {
    const used = new Set([...partNames(this.#path), ...partNames(this.#resumedPath)]);
    removeParts(this.#path, (name) => used.has(name));
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
        inOneTurn(syncDirectory(path));
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
    let source: ReturnType<typeof openSource> | undefined;
    try {
      source = partedSource(this.name, path) ?? openSource(this.name, path);
      return use(new ImageReader(source.bytes));
    } catch (error) {
      throw isKstateError(error) ? error : this.#unreadable(path, error);
    } finally {
      source?.close();
    }
  }

  /** A part that is a directory, a file that somebody else may read, a disk that is broken. */
  #unreadable(path: string, cause: unknown): KstateError {
    const problem = `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`;
    return new KstateError(
      "CARRIER_FAILED",
      `cannot resume from ${this.name}: ${problem}`,
      { carrier: this.name, problem },
      { cause },
    );
  }

  #failed(cause: unknown): unknown {
    if (isKstateError(cause, "UPDATE_CANCELLED") || isKstateError(cause, "FILE_UNTRUSTED")) return cause;
    if (isKstateError(cause, "DAX_UNSUPPORTED")) {
      const fix = `mount it so (mount -o dax=always /dev/pmem0 …), or use file:${this.#path}`;
      const message = `cannot keep the state in ${this.name}: its file system is not mounted with dax; ${fix}`;
      return new KstateError("DAX_UNSUPPORTED", message, { path: this.#path }, { cause });
    }
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
  const descriptor = openOwn(path, "read");
  return { bytes: descriptorSource(name, descriptor), close: () => closeSync(descriptor) };
}

/** One level only: Node 20 never returns from a recursive `mkdir` in a file system like /proc. */
function makeDirectory(path: string): void {
  if (!existsSync(path)) mkdirSync(path, { mode: 0o700 });
}

/** Makes a rename outlast a power failure. */
function* syncDirectory(path: string): Steps<void> {
  const descriptor = openSync(dirname(path), "r");
  try {
    yield { kind: "sync", descriptor };
  } finally {
    closeSync(descriptor);
  }
}
