/**
 * Finds out whether keys are there once, by their bytes, without making the keys: a hash table of offsets. Tables of
 * nested maps stand above each other.
 */
export class Distinct {
  #table = new Uint32Array(1024);
  #top = 0;

  /** Begins a table for so many keys; gives where it stands. */
  begin(count: number): number {
    const start = this.#top;
    this.#top = start + sizeFor(count) * 2;
    if (this.#top > this.#table.length) {
      const table = new Uint32Array(Math.max(this.#top, this.#table.length * 2));
      table.set(this.#table.subarray(0, start));
      this.#table = table;
    } else this.#table.fill(0, start, this.#top);
    return start;
  }

  end(start: number): void {
    this.#top = start;
  }

  /** Forgets all tables. */
  clear(): void {
    this.#top = 0;
  }

  /** False if the key from `from` to `to` was there before, or if too many hashes are alike to be sure quickly. */
  add(bytes: Uint8Array, view: DataView, start: number, count: number, from: number, to: number): boolean {
    const table = this.#table;
    const mask = sizeFor(count) - 1;
    let hash = to - from;
    let i = from;
    for (; i + 4 <= to; i += 4) {
      hash = Math.imul(hash ^ view.getInt32(i, true), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    for (; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    hash = Math.imul(hash, 0x85ebca6b);
    hash ^= hash >>> 13;
    for (let probe = 0; probe < probeLimit; probe++) {
      const slot = start + ((hash + probe) & mask) * 2;
      const end = table[slot + 1]!;
      if (end === 0) {
        table[slot] = from;
        table[slot + 1] = to;
        return true;
      }
      if (isSame(bytes, table[slot]!, end, from, to)) return false;
    }
    return false;
  }
}

const probeLimit = 64;

/** Slots for so many keys: a power of two, at most half full. */
function sizeFor(count: number): number {
  return count < 2 ? 4 : (1 << (33 - Math.clz32(count))) >>> 0;
}

function isSame(bytes: Uint8Array, start: number, end: number, from: number, to: number): boolean {
  if (end - start !== to - from) return false;
  for (let i = 0; i < to - from; i++) if (bytes[start + i] !== bytes[from + i]) return false;
  return true;
}
