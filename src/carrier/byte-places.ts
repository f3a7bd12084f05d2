import { readSync } from "node:fs";
import { type BackEnd, POLL, poll } from "../memory/index.ts";
import type { StoreProgress } from "./carrier.ts";
import { PIECE_BYTES } from "./format.ts";
import type { Image } from "./image.ts";
import type { ByteSource } from "./image-reader.ts";
import type { Steps } from "./steps.ts";

/** The largest range that is mapped at once, bytes. */
const WINDOW_BYTES = 4 * 1024 ** 3;

/** The most buffers that are written at once: a system takes 1024. */
const MAX_BUFFERS = 512;

/** Writes an image where a descriptor points to, and waits until it is there. */
export function* writeImage(descriptor: number, image: Image, progress?: StoreProgress): Steps<void> {
  let doneBytes = 0;
  for (const { buffers, lengthBytes } of batchesOf(image)) {
    yield { kind: "write", descriptor, buffers };
    doneBytes += lengthBytes;
    progress?.(doneBytes, image.record.sizeBytes);
  }
  yield { kind: "sync", descriptor };
}

/** The bytes of an image in amounts that are worth a step: a piece, or many small ones. */
function* batchesOf(image: Image): Generator<{ buffers: Uint8Array[]; lengthBytes: number }> {
  let buffers: Uint8Array[] = [];
  let lengthBytes = 0;
  for (const bytes of image.bytes()) {
    buffers.push(bytes);
    lengthBytes += bytes.length;
    if (lengthBytes < PIECE_BYTES && buffers.length < MAX_BUFFERS) continue;
    yield { buffers, lengthBytes };
    buffers = [];
    lengthBytes = 0;
  }
  if (buffers.length > 0) yield { buffers, lengthBytes };
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

/** Copies an image into mapped memory, which it allocates. */
export function* copyImage(backEnd: BackEnd, image: Image, progress?: StoreProgress): Steps<void> {
  const windows = windowsOf(backEnd, "write");
  for (let at = 0; at < backEnd.capacity; at += PIECE_BYTES) {
    backEnd.allocate(at, Math.min(PIECE_BYTES, backEnd.capacity - at));
    yield { kind: "turn" };
  }
  let at = 0;
  for (const { buffers } of batchesOf(image)) {
    for (const bytes of buffers) {
      eachPart(at, bytes.length, (window, offset, start, end) =>
        windows[window]!.set(bytes.subarray(start, end), offset),
      );
      at += bytes.length;
    }
    yield { kind: "turn" };
    progress?.(at, image.record.sizeBytes);
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
