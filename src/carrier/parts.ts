import { createHash, type Hash } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, readSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { KstateError } from "../error/index.ts";
import type { Image } from "./image.ts";
import type { ByteSource } from "./image-reader.ts";

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

/** Writes the parts beside `path` and their list to `temporary`. Parts of another image have other names. */
export function writeParts(path: string, temporary: string, image: Image, partBytes: number): void {
  const parts: PartList["parts"][number][] = [];
  let open: { descriptor: number; hash: Hash; name: string; bytes: number } | undefined;
  const close = (): void => {
    if (open === undefined) return;
    const { descriptor, hash, name, bytes } = open;
    open = undefined;
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    parts.push({ name, bytes, sha256: hash.digest("hex") });
  };
  try {
    for (const bytes of image.bytes()) {
      for (let at = 0; at < bytes.length; ) {
        if (open === undefined) {
          const number = String(parts.length + 1).padStart(4, "0");
          const name = `${basename(path)}.${image.record.id.slice(0, 8)}.${number}`;
          const descriptor = openSync(join(dirname(path), name), "w", 0o600);
          open = { descriptor, hash: createHash("sha256"), name, bytes: 0 };
        }
        const piece = bytes.subarray(at, at + partBytes - open.bytes);
        writeFileSync(open.descriptor, piece);
        open.hash.update(piece);
        open.bytes += piece.length;
        at += piece.length;
        if (open.bytes === partBytes) close();
      }
    }
  } finally {
    close();
  }
  const list: PartList = { kstate: "parts", version: 1, parts };
  writeFileSync(temporary, `${JSON.stringify(list, null, 2)}\n`, { mode: 0o600, flush: true });
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
        descriptor = openSync(paths[index]!, "r");
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

/** The files of an image besides the one with its name. */
export function partPaths(path: string): string[] {
  try {
    return (readList(path, path)?.parts ?? []).map((part) => join(dirname(path), part.name));
  } catch {
    return [];
  }
}

function readList(name: string, path: string): PartList | undefined {
  const descriptor = openSync(path, "r");
  try {
    const first = Buffer.alloc(1);
    if (readSync(descriptor, first, 0, 1, 0) === 0 || first[0] !== 0x7b) return undefined; // {
    if (sizeOf(path)! > MAX_LIST_BYTES) throw invalid(name, "its list of parts is too long");
  } finally {
    closeSync(descriptor);
  }
  return parseList(name, readFileSync(path, "utf8"));
}

function parseList(name: string, text: string): PartList {
  try {
    const list = JSON.parse(text) as PartList;
    const isPart = (part: PartList["parts"][number]): boolean =>
      typeof part.name === "string" &&
      basename(part.name) === part.name &&
      Number.isSafeInteger(part.bytes) &&
      part.bytes > 0 &&
      typeof part.sha256 === "string";
    if (list.kstate === "parts" && list.version === 1 && list.parts.every(isPart)) return list;
  } catch {
    // said below
  }
  throw invalid(name, "its list of parts is damaged");
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

function incomplete(name: string, parts: readonly { readonly name: string }[]): KstateError {
  const names = parts.map((part) => part.name).join(", ");
  return invalid(name, `${parts.length} of its parts are missing or damaged; copy them again: ${names}`);
}

function invalid(name: string, problem: string): KstateError {
  return new KstateError("IMAGE_INVALID", `cannot resume from ${name}: ${problem}`, {
    carrier: name,
    offset: 0,
    problem,
  });
}
