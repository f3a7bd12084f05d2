import { readSync, writeSync } from "node:fs";
import { type BackEnd, POLL, poll } from "../memory/index.ts";
import type { ByteSource } from "./image-reader.ts";

/** The largest range that is mapped at once, bytes. */
const WINDOW_BYTES = 4 * 1024 ** 3;

/** Writes the bytes of an image where a descriptor points to. */
export function writeAll(descriptor: number, image: Iterable<Uint8Array>): void {
  for (const bytes of image) {
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
  }
}

/**
 * Reads from where a descriptor points to. A pipe gives what it has, so it is asked until it ends; one that does not
 * block is waited for.
 */
export function descriptorSource(name: string, descriptor: number): ByteSource {
  return {
    name,
    read: (into) => {
      let at = 0;
      while (at < into.length) {
        const count = readSome(descriptor, into, at);
        if (count === 0) break;
        at += count;
      }
      return at;
    },
  };
}

const WAIT_MS = 1000;

function readSome(descriptor: number, into: Uint8Array, at: number): number {
  for (;;) {
    try {
      return readSync(descriptor, into, at, into.length - at, null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      poll([{ fd: descriptor, events: POLL.in }], WAIT_MS);
    }
  }
}

/** Copies an image into mapped memory. */
export function copyInto(backEnd: BackEnd, image: Iterable<Uint8Array>): void {
  const windows = windowsOf(backEnd, "write");
  let at = 0;
  for (const bytes of image) {
    eachPart(at, bytes.length, (window, offset, start, end) =>
      windows[window]!.set(bytes.subarray(start, end), offset),
    );
    at += bytes.length;
  }
}

/** Reads from mapped memory. */
export function mappedSource(name: string, backEnd: BackEnd): ByteSource {
  const windows = windowsOf(backEnd, "read");
  let at = 0;
  return {
    name,
    read: (into) => {
      const length = Math.min(into.length, backEnd.capacity - at);
      eachPart(at, length, (window, offset, start, end) =>
        into.set(windows[window]!.subarray(offset, offset + end - start), start),
      );
      at += length;
      return length;
    },
  };
}

function windowsOf(backEnd: BackEnd, access: "read" | "write"): Uint8Array[] {
  const windows: Uint8Array[] = [];
  for (let at = 0; at < backEnd.capacity; at += WINDOW_BYTES) {
    const length = Math.min(WINDOW_BYTES, backEnd.capacity - at);
    windows.push(backEnd.map(at, length, access).view(0, length));
  }
  return windows;
}

/** Calls `copy` for each window that a range lies in. */
function eachPart(
  at: number,
  length: number,
  copy: (window: number, offset: number, start: number, end: number) => void,
): void {
  for (let start = 0; start < length; ) {
    const offset = (at + start) % WINDOW_BYTES;
    const end = Math.min(length, start + WINDOW_BYTES - offset);
    copy(Math.floor((at + start) / WINDOW_BYTES), offset, start, end);
    start = end;
  }
}
