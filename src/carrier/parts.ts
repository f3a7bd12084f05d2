import { createHash } from "node:crypto";
import { closeSync, fstatSync, readdirSync, readFileSync, readSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { KstateError } from "../error/index.ts";
import { createOwn, openOwn } from "../system/index.ts";
import type { StoreProgress } from "./carrier.ts";
import type { Image } from "./image.ts";
import type { ByteSource } from "./image-reader.ts";
import type { Steps } from "./steps.ts";

/**
 * An image in parts, for copies that may be interrupted: the file itself is a list of its parts, which lie beside it,
 * each with a digest. A copy is resumed with the parts that are missing or damaged; they are named.
 */
interface PartList {
  readonly kstate: "parts";
  readonly version: 1;
  readonly parts: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
}

const MAX_LIST_BYTES = 16 * 1024 * 1024;
/** Of an image's id, in the names of its parts: `chat.kstate.0f3a9c21.0001`. */
const ID_CHARACTERS = 8;
const PART_ENDING = /^\.[0-9a-f]{8}\.\d{4,}$/;
/** The names of parts go with them when they are copied under another path, so only their ends are known. */
const PART_NAME = /^[^/\0]{1,200}\.[0-9a-f]{8}\.\d{4,12}$/;
const MAX_PARTS = 1_000_000;
/** Parts that are named in a message. */
const NAMED_PARTS = 10;

/** Writes the parts beside `path` and their list to `temporary`. Parts of another image have other names. */
export function* writeParts(
  path: string,
  temporary: string,
  image: Image,
  partBytes: number,
  progress?: StoreProgress,
): Steps<void> {
  const parts: PartList["parts"][number][] = [];
  const prefix = `${basename(path)}.${image.record.id.slice(0, ID_CHARACTERS)}.`;
  const left = leftBytes(image, progress);
  try {
    for (let number = 1; !left.isEmpty(); number += 1) {
      const name = prefix + String(number).padStart(4, "0");
      parts.push(yield* writePart(dirname(path), name, left, partBytes));
    }
    const list: PartList = { kstate: "parts", version: 1, parts };
    createOwn(temporary, `${JSON.stringify(list, null, 2)}\n`, { sync: true });
  } catch (error) {
    removeParts(path, (name) => !name.startsWith(prefix));
    throw error;
  }
}

function* writePart(
  directory: string,
  name: string,
  left: LeftBytes,
  partBytes: number,
): Steps<PartList["parts"][number]> {
  const path = join(directory, name);
  rmSync(path, { force: true }); // of a store that was killed
  const descriptor = openOwn(path, "create");
  try {
    const hash = createHash("sha256");
    let bytes = 0;
    while (bytes < partBytes && !left.isEmpty()) {
      const piece = left.take(partBytes - bytes);
      hash.update(piece);
      bytes += piece.length;
      yield { kind: "write", descriptor, buffers: [piece] };
    }
    yield { kind: "sync", descriptor };
    return { name, bytes, sha256: hash.digest("hex") };
  } finally {
    closeSync(descriptor);
  }
}

/** The bytes of an image that have not been written. */
interface LeftBytes {
  isEmpty(): boolean;
  /** At least one and at most so many of them; only when there are any. */
  take(mostBytes: number): Uint8Array;
}

function leftBytes(image: Image, progress: StoreProgress | undefined): LeftBytes {
  const all = image.bytes();
  let next = all.next();
  let at = 0;
  let doneBytes = 0;
  return {
    isEmpty: () => next.done === true,
    take: (mostBytes) => {
      const piece = (next.value as Uint8Array).subarray(at, at + mostBytes);
      at += piece.length;
      doneBytes += piece.length;
      if (at === (next.value as Uint8Array).length) {
        next = all.next();
        at = 0;
      }
      progress?.(doneBytes, image.record.sizeBytes);
      return piece;
    },
  };
}

/** Removes the parts of images of a path, whoever left them, but those that are to stay. */
export function removeParts(path: string, stays: (name: string) => boolean): void {
  const isPart = (name: string): boolean =>
    name.startsWith(`${basename(path)}.`) && PART_ENDING.test(name.slice(basename(path).length));
  for (const name of readdirSync(dirname(path))) {
    if (isPart(name) && !stays(name)) rmSync(join(dirname(path), name), { force: true });
  }
}

/** Reads an image from its parts; undefined when the file is not a list of parts. */
export function partedSource(
  name: string,
  path: string,
): { readonly bytes: ByteSource; close(): void } | undefined {
  const list = readList(name, path);
  if (list === undefined) return undefined;
  const paths = list.parts.map((part) => join(dirname(path), part.name));
  const missing = list.parts.filter((part, index) => sizeOf(paths[index]!) !== part.bytes);
  if (missing.length > 0) throw incomplete(name, missing);
  let index = -1;
  let left = 0;
  let descriptor = -1;
  let hash = createHash("sha256");
  const close = (): void => {
    if (descriptor !== -1) closeSync(descriptor);
    descriptor = -1;
  };
  const read = (into: Uint8Array): number => {
    let at = 0;
    while (at < into.length) {
      if (left === 0) {
        close();
        if (index >= 0 && hash.digest("hex") !== list.parts[index]!.sha256)
          throw incomplete(name, [list.parts[index]!]);
        index += 1;
        if (index === paths.length) break;
        left = list.parts[index]!.bytes;
        hash = createHash("sha256");
        descriptor = openOwn(paths[index]!, "read");
      }
      const count = readSync(descriptor, into, at, Math.min(left, into.length - at), null);
      if (count === 0) throw incomplete(name, [list.parts[index]!]);
      hash.update(into.subarray(at, at + count));
      at += count;
      left -= count;
    }
    return at;
  };
  return { bytes: { name, read }, close };
}

/** Reads the text of a list of parts, which is believed nothing. Throws `IMAGE_INVALID`. */
export function parsePartList(name: string, text: string): readonly string[] {
  return parseList(name, text).parts.map((part) => part.name);
}

/** The names of the parts of the image at a path; none when it is whole, damaged or not there. */
export function partNames(path: string): readonly string[] {
  try {
    return readList(path, path)?.parts.map(({ name }) => name) ?? [];
  } catch {
    return [];
  }
}

function readList(name: string, path: string): PartList | undefined {
  const descriptor = openOwn(path, "read");
  try {
    const first = Buffer.alloc(1);
    if (readSync(descriptor, first, 0, 1, 0) === 0 || first[0] !== 0x7b) return undefined; // {
    if (fstatSync(descriptor).size > MAX_LIST_BYTES) throw invalid(name, "its list of parts is too long");
    return parseList(name, readFileSync(descriptor, "utf8"));
  } finally {
    closeSync(descriptor);
  }
}

function parseList(name: string, text: string): PartList {
  try {
    const list = JSON.parse(text) as PartList;
    const isPart = (part: PartList["parts"][number]): boolean =>
      typeof part.name === "string" &&
      PART_NAME.test(part.name) &&
      Number.isSafeInteger(part.bytes) &&
      part.bytes > 0 &&
      /^[0-9a-f]{64}$/.test(part.sha256);
    const isList = list.kstate === "parts" && list.version === 1 && Array.isArray(list.parts);
    if (isList && list.parts.length <= MAX_PARTS && list.parts.every(isPart)) return list;
  } catch {
    // said below
  }
  throw invalid(name, "its list of parts is damaged");
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

function incomplete(name: string, parts: readonly { readonly name: string }[]): KstateError {
  const names = parts.slice(0, NAMED_PARTS).map((part) => part.name);
  const more = parts.length > NAMED_PARTS ? ` and ${parts.length - NAMED_PARTS} more` : "";
  return invalid(
    name,
    `${parts.length} of its parts are missing or damaged; copy them again: ${names.join(", ")}${more}`,
  );
}

function invalid(name: string, problem: string): KstateError {
  return new KstateError("IMAGE_INVALID", `cannot resume from ${name}: ${problem}`, {
    carrier: name,
    offset: 0,
    problem,
  });
}
