import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { isKstateError, KstateError } from "../error/index.ts";
import type { Access, BackEnd, Mapping } from "./back-end.ts";
import {
  addSeals,
  allocateRange,
  createMemory,
  mapFile,
  protect,
  punchHole,
  remapPrivate,
  remapShared,
  SEAL,
  setSize,
  syncFile,
} from "./ffi/libc.ts";
import { assertWithinLimits } from "./memory-limit.ts";

/** A memfd of `capacity` bytes, sparse and sealed against changes of its size. */
export function createMemfd(capacity: number): BackEnd {
  const descriptor = createMemory("kstate");
  setSize(descriptor, capacity);
  addSeals(descriptor, SEAL.shrink | SEAL.grow | SEAL.seal);
  return new FileBackEnd("memfd", descriptor, false);
}

/** Memory that another program holds too, by its descriptor. */
export function openDescriptor(descriptor: number): BackEnd {
  return new FileBackEnd("memfd", descriptor, false);
}

/**
 * A file of `capacity` bytes, made if it is not there. In tmpfs it lives as long as the machine runs, on a DAX file
 * system as long as the medium, and elsewhere what was persisted survives a power failure (`persist: true`).
 */
export function openFile(path: string, capacity: number, options: { readonly persist: boolean }): BackEnd {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  if (fstatSync(descriptor).size === 0) setSize(descriptor, capacity);
  return new FileBackEnd(`file ${path}`, descriptor, options.persist);
}

class FileBackEnd implements BackEnd {
  readonly name: string;
  readonly capacity: number;
  readonly descriptor: number;
  readonly #persists: boolean;

  constructor(name: string, descriptor: number, persists: boolean) {
    this.name = name;
    this.descriptor = descriptor;
    this.capacity = fstatSync(descriptor).size;
    this.#persists = persists;
  }

  map(offset: number, lengthBytes: number, access: Access): Mapping {
    const { address, buffer } = mapFile(this.descriptor, offset, lengthBytes, access === "write");
    return {
      buffer,
      allowWrites: () => protect(address, lengthBytes, true),
      fence: () => remapPrivate(address, lengthBytes, this.descriptor, offset),
      unfence: () => remapShared(address, lengthBytes, this.descriptor, offset),
    };
  }

  allocate(offset: number, lengthBytes: number): void {
    assertWithinLimits(lengthBytes);
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

  release(offset: number, lengthBytes: number): void {
    punchHole(this.descriptor, offset, lengthBytes);
  }

  persist(): void {
    if (this.#persists) syncFile(this.descriptor);
  }

  close(): void {
    closeSync(this.descriptor);
  }
}
