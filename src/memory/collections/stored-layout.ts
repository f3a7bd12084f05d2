import { sha256 } from "@noble/hashes/sha2.js";
import type { Folio } from "../folio.ts";
import type { CollectionMemory } from "./collection-memory.ts";
import { damaged } from "./damaged.ts";
import { HEADER } from "./layout.ts";
import { parseRowLayout, type RowLayout } from "./row-layout.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Where the defaults begin in the folio of a layout. */
function defaultsAt(textBytes: number): number {
  return Math.ceil(textBytes / 8) * 8;
}

/** What the folio of a layout holds. */
export function layoutBytes({ text, defaults }: RowLayout): number {
  return defaultsAt(encoder.encode(text).length) + defaults.length;
}

/** Writes a layout into a folio of its own, and adds the stores that make it the present one to the journal. */
export function storeLayout(memory: CollectionMemory, layout: RowLayout): void {
  const { text, defaults } = layout;
  const bytes = encoder.encode(text);
  const folio = memory.alloc(layoutBytes(layout));
  folio.bytes.set(bytes);
  folio.bytes.set(defaults, defaultsAt(bytes.length));
  memory.store(HEADER.layout, memory.numberOf(folio));
  memory.store(HEADER.layoutBytes, bytes.length);
  memory.store(HEADER.hash, hashOf(bytes));
}

/** The layout that the header's words from `at` refer to; undefined when there is none. */
export function storedLayout(memory: CollectionMemory, at: number): RowLayout | undefined {
  const number = memory.words[at]!;
  if (number === 0) return undefined;
  const hash = at === HEADER.layout ? memory.words[HEADER.hash]! : undefined;
  return layoutFrom(memory.name, memory.folioOf(number), memory.words[at + 1]!, hash);
}

/** The layout in a folio, whose text has so many bytes, and a hash if it is the present one. `MEMORY_INVALID`. */
export function layoutFrom(collection: string, { bytes }: Folio, length: number, hash?: number): RowLayout {
  const text = bytes.subarray(0, length);
  if (hash !== undefined && hash !== hashOf(text)) throw damaged(collection, "its layout has another hash");
  const layout = parseRowLayout(collection, decoder.decode(text), bytes.subarray(defaultsAt(length)));
  if (layout.defaults.length === layout.size) return layout;
  throw damaged(collection, "its layout is larger than its folio");
}

function hashOf(text: Uint8Array): number {
  const hash = sha256(text);
  return new DataView(hash.buffer, hash.byteOffset).getInt32(0, true);
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
