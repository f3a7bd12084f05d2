import type { Access, Mapping } from "./back-end.ts";
import {
  mapFile,
  protect,
  remapPrivate,
  remapShared,
  reserveShared,
  type Sharing,
  viewMemory,
} from "./ffi/libc.ts";
import { WINDOW_BYTES } from "./layout.ts";

/** A smaller window is an ordinary view: it isn't worth addresses of its own. */
const MIN_SHARED_BYTES = 16 * 2 ** 20;

interface Part {
  readonly address: bigint;
  /** In the file. */
  readonly offset: number;
  readonly lengthBytes: number;
}

/**
 * A range of a file, mapped in one piece, from which views of any part are made, and once more window by window into
 * shared buffers. Both show the same pages; access is changed in all of them.
 */
export class FileMapping implements Mapping {
  readonly address: bigint;
  readonly offset: number;
  readonly lengthBytes: number;
  readonly #descriptor: number;
  readonly #sharing: Sharing;
  readonly #parts: Part[];
  readonly #windows = new Map<number, ArrayBufferLike>();
  #access: Access | "private";

  constructor(descriptor: number, sharing: Sharing, offset: number, lengthBytes: number, access: Access) {
    this.#descriptor = descriptor;
    this.#sharing = sharing;
    this.offset = offset;
    this.lengthBytes = lengthBytes;
    this.#access = access;
    this.address = mapFile(descriptor, offset, lengthBytes, access === "write", sharing);
    this.#parts = [{ address: this.address, offset, lengthBytes }];
  }

  view(offset: number, lengthBytes: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(viewMemory(this.address + BigInt(offset), lengthBytes));
  }

  window(number: number): ArrayBufferLike {
    const found = this.#windows.get(number);
    if (found !== undefined) return found;
    const start = number * WINDOW_BYTES;
    const lengthBytes = Math.min(WINDOW_BYTES, this.lengthBytes - start);
    const buffer = this.#sharedWindow(start, lengthBytes) ?? this.view(start, lengthBytes).buffer;
    this.#windows.set(number, buffer);
    return buffer;
  }

  allowWrites(): void {
    this.#access = "write";
    for (const { address, lengthBytes } of this.#parts) protect(address, lengthBytes, true);
  }

  forbidWrites(): void {
    this.#access = "read";
    for (const { address, lengthBytes } of this.#parts) protect(address, lengthBytes, false);
  }

  /** Where no private copy can be had the range cannot be written any more, which needs no memory. */
  fence(): void {
    this.#access = "private";
    for (const part of this.#parts) {
      try {
        this.#apply(part);
      } catch {
        protect(part.address, part.lengthBytes, false);
      }
    }
  }

  unfence(): void {
    this.#access = "write";
    for (const part of this.#parts) this.#apply(part);
  }

  #sharedWindow(start: number, lengthBytes: number): ArrayBufferLike | undefined {
    const reserved = lengthBytes < MIN_SHARED_BYTES ? undefined : reserveShared(lengthBytes);
    if (reserved === undefined) return undefined;
    const part = { address: reserved.address, offset: this.offset + start, lengthBytes };
    this.#apply(part);
    this.#parts.push(part);
    return reserved.buffer;
  }

  /** Maps a part anew, with the access that all have. */
  #apply({ address, lengthBytes, offset }: Part): void {
    if (this.#access === "private") remapPrivate(address, lengthBytes, this.#descriptor, offset);
    else
      remapShared(address, lengthBytes, this.#descriptor, offset, {
        sharing: this.#sharing,
        writable: this.#access === "write",
      });
  }
}
