import type { Folio } from "../folio.ts";
import { windowOf, wordOf } from "./collection-memory.ts";
import { CHUNK_BITS, TOMBSTONE } from "./layout.ts";

const CHUNK_MASK = 2 ** CHUNK_BITS - 1;

/** One of a map's two tables of slots: hash and reference, open addressing with linear steps, in chunks. */
export class SlotTable {
  /** 0 or 1, as in the header. */
  readonly number: number;
  readonly bits: number;
  readonly mask: number;
  readonly chunks: Folio[] = [];
  /** Where its entries go; undefined while none has gone. */
  successor: SlotTable | undefined;
  /** Whether its folios were freed. */
  isDrained = false;
  readonly #words: Int32Array[] = [];
  readonly #starts: number[] = [];
  readonly #windows: number[] = [];

  constructor(number: number, bits: number) {
    this.number = number;
    this.bits = bits;
    this.mask = 2 ** bits - 1;
  }

  get isComplete(): boolean {
    return this.chunks.length === this.chunkCount;
  }

  get chunkCount(): number {
    return 2 ** Math.max(0, this.bits - CHUNK_BITS);
  }

  get chunkBytes(): number {
    return 8 * 2 ** Math.min(this.bits, CHUNK_BITS);
  }

  add(chunk: Folio, windows: readonly Int32Array[]): void {
    const window = windowOf(chunk);
    this.chunks.push(chunk);
    this.#words.push(windows[window]!);
    this.#starts.push(wordOf(chunk));
    this.#windows.push(window);
  }

  hash(slot: number): number {
    const chunk = slot >>> CHUNK_BITS;
    return this.#words[chunk]![this.#starts[chunk]! + ((slot & CHUNK_MASK) << 1)]!;
  }

  reference(slot: number): number {
    const chunk = slot >>> CHUNK_BITS;
    return this.#words[chunk]![this.#starts[chunk]! + ((slot & CHUNK_MASK) << 1) + 1]!;
  }

  /** The window of a slot's words, and where its hash is in there; the reference follows. */
  windowOf(slot: number): number {
    return this.#windows[slot >>> CHUNK_BITS]!;
  }

  wordOf(slot: number): number {
    return this.#starts[slot >>> CHUNK_BITS]! + ((slot & CHUNK_MASK) << 1);
  }

  /** The first slot for a hash that holds no entry; -1 when every slot of a damaged table seems to. */
  freeSlot(hash: number): number {
    const first = hash & this.mask;
    let slot = first;
    do {
      const reference = this.reference(slot);
      if (reference === 0 || reference === TOMBSTONE) return slot;
      slot = (slot + 1) & this.mask;
    } while (slot !== first);
    return -1;
  }
}

/** Whether a reference is an entry's. */
export function isEntry(reference: number): boolean {
  return reference !== 0 && reference !== TOMBSTONE;
}
