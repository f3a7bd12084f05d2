import { sha256 } from "@noble/hashes/sha2.js";
import type { Folio } from "../folio.ts";
import type { CollectionMemory } from "./collection-memory.ts";
import { HEADER } from "./layout.ts";
import { parseRowLayout, type RowLayout } from "./row-layout.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Where the defaults begin in the folio of a layout. */
function defaultsAt(textBytes: number): number {
  return Math.ceil(textBytes / 8) * 8;
}

/** Writes a layout into a folio of its own, and adds the stores that make it the present one to the journal. */
export function storeLayout(memory: CollectionMemory, { text, defaults }: RowLayout): void {
  const bytes = encoder.encode(text);
  const folio = memory.alloc(defaultsAt(bytes.length) + defaults.length);
  folio.bytes.set(bytes);
  folio.bytes.set(defaults, defaultsAt(bytes.length));
  const hash = sha256(bytes);
  memory.store(HEADER.layout, memory.numberOf(folio));
  memory.store(HEADER.layoutBytes, bytes.length);
  memory.store(HEADER.hash, new DataView(hash.buffer, hash.byteOffset).getInt32(0, true));
}

/** The layout that the header's words from `at` refer to; undefined when there is none. */
export function storedLayout(memory: CollectionMemory, at: number): RowLayout | undefined {
  const number = memory.words[at]!;
  if (number === 0) return undefined;
  return layoutFrom(memory.folioOf(number), memory.words[at + 1]!);
}

/** The layout in a folio, whose text has so many bytes. */
export function layoutFrom({ bytes }: Folio, length: number): RowLayout {
  return parseRowLayout(decoder.decode(bytes.subarray(0, length)), bytes.subarray(defaultsAt(length)));
}

/** Frees the folio of the present layout, once another has taken its place in the header. */
export function freeLayout(memory: CollectionMemory, number: number): void {
  if (number !== 0) memory.free(memory.folioOf(number));
}

/** The header's words that refer to layouts. */
export function layoutFolios({ words }: CollectionMemory): number[] {
  return [words[HEADER.layout]!, words[HEADER.before]!];
}

/** Adds the stores that make the present layout the one before, from which rows are migrated. */
export function beginMigration(memory: CollectionMemory): void {
  const { words } = memory;
  memory.store(HEADER.before, words[HEADER.layout]!);
  memory.store(HEADER.beforeBytes, words[HEADER.layoutBytes]!);
  memory.store(HEADER.generation, (words[HEADER.generation]! + 1) & 0xff);
}
