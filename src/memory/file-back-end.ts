import { closeSync, fstatSync } from "node:fs";
import { isKstateError, KstateError } from "../error/index.ts";
import { openOwn } from "../system/index.ts";
import type { Access, BackEnd, Mapping } from "./back-end.ts";
import {
  addSeals,
  allocateRange,
  createMemory,
  punchHole,
  SEAL,
  type Sharing,
  setSize,
  syncRange,
} from "./ffi/libc.ts";
import { FileMapping } from "./file-mapping.ts";
import { assertWithinLimits } from "./memory-limit.ts";

/** A memfd of `capacity` bytes, sparse and sealed against changes of its size. */
export function createMemfd(capacity: number): BackEnd {
  const descriptor = createMemory("kstate");
  setSize(descriptor, capacity);
  addSeals(descriptor, SEAL.shrink | SEAL.grow | SEAL.seal);
  return new FileBackEnd("memfd", descriptor, VOLATILE);
}

/** Memory that another program holds too, by its descriptor. */
export function openDescriptor(descriptor: number): BackEnd {
  return new FileBackEnd("memfd", descriptor, VOLATILE);
}

/**
 * A file of `capacity` bytes, made if it is not there. In tmpfs it lives as long as the machine runs, and elsewhere
 * what was persisted survives a power failure (`persist: true`).
 */
export function openFile(path: string, capacity: number, options: { readonly persist: boolean }): BackEnd {
  const medium = { ...VOLATILE, persists: options.persist };
  return new FileBackEnd(`file ${path}`, openSized(path, capacity), medium);
}

/** The descriptor of a file; an empty or new one gets `capacity` bytes. */
export function openSized(path: string, capacity: number): number {
  const descriptor = openOwn(path, "keep");
  if (fstatSync(descriptor).size === 0) setSize(descriptor, capacity);
  return descriptor;
}

/** So much is allocated without a look at the limits: a small part of what they leave for the program's heap. */
const UNCHECKED_BYTES = 1024 * 1024;

/** What a file is on. */
export interface Medium {
  /** Whether it outlasts a power failure, so that `persist` has something to do. */
  readonly persists: boolean;
  readonly sharing: Sharing;
  /** Whether its pages are memory, of which cgroups allow so much and no more. */
  readonly isMemory: boolean;
}

const VOLATILE: Medium = { persists: false, sharing: "shared", isMemory: true };

/** Memory in a file, whatever the file is on. */
export class FileBackEnd implements BackEnd {
  readonly name: string;
  readonly capacity: number;
  readonly descriptor: number;
  readonly #medium: Medium;
  readonly #mapped: FileMapping[] = [];
  /** Allocated since limits were looked at. */
  #unchecked = 0;

  constructor(name: string, descriptor: number, medium: Medium) {
    this.name = name;
    this.descriptor = descriptor;
    this.capacity = fstatSync(descriptor).size;
    this.#medium = medium;
  }

  map(offset: number, lengthBytes: number, access: Access): Mapping {
    const mapping = new FileMapping(this.descriptor, this.#medium.sharing, offset, lengthBytes, access);
    this.#mapped.push(mapping);
    return mapping;
  }

  allocate(offset: number, lengthBytes: number): void {
    if (this.#medium.isMemory) this.#assertWithinLimits(lengthBytes);
    try {
      allocateRange(this.descriptor, offset, lengthBytes);
    } catch (error) {
      if (!isKstateError(error, "SYSTEM_CALL")) throw error;
      const message = `cannot allocate ${lengthBytes} bytes in ${this.name}: ${error.message}; free some, or give it more room`;
      throw new KstateError(
        "MEMORY_FULL",
        message,
        { bytes: lengthBytes, limit: this.name },
        { cause: error },
      );
    }
  }

  /** Reading the limits takes 0.1 ms, and 1 ms the first time: too long for a page in a freeze, so small ones wait. */
  #assertWithinLimits(lengthBytes: number): void {
    this.#unchecked += lengthBytes;
    if (this.#unchecked < UNCHECKED_BYTES) return;
    assertWithinLimits(lengthBytes);
    this.#unchecked = 0;
  }

  release(offset: number, lengthBytes: number): void {
    punchHole(this.descriptor, offset, lengthBytes);
  }

  /** Pages are written out whichever mapping they were stored through, so one mapping of each page is enough. */
  persist(offset: number, lengthBytes: number): void {
    if (!this.#medium.persists) return;
    const end = offset + lengthBytes;
    for (let at = offset; at < end; ) {
      const mapping = this.#mapped.find(
        (range) => at >= range.offset && at < range.offset + range.lengthBytes,
      );
      if (mapping === undefined) return; // nobody can have stored there
      const length = Math.min(end, mapping.offset + mapping.lengthBytes) - at;
      syncRange(mapping.address + BigInt(at - mapping.offset), length);
      at += length;
    }
  }

  close(): void {
    closeSync(this.descriptor);
  }
}
