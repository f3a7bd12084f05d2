/**
 * Finds out whether keys are there once, by their bytes, without making the keys and without looking at one twice: a
 * table of fingerprints. The slot comes from one hash, the fingerprint is another of 32 bits; where two keys are alike
 * in both, which is a duplicate but once in billions, it is not certain, and the reference looks. Comparing the bytes
 * here would fetch the other key from far away: five times as long for a map of 500,000. Tables of nested maps stand
 * above each other.
 */
export class Distinct {
  #table = new Int32Array(1024);
  #top = 0;

  /** Begins a table for so many keys; gives where it stands. */
  begin(count: number): number {
    const start = this.#top;
    this.#top = start + sizeFor(count);
    if (this.#top > this.#table.length) {
      const table = new Int32Array(Math.max(this.#top, this.#table.length * 2));
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

  /** False if the key from `from` to `to` may have been there before. */
  add(bytes: Uint8Array, view: DataView, start: number, count: number, from: number, to: number): boolean {
    let slot = to - from;
    let mark = slot ^ 0x2545f491;
    let i = from;
    for (; i + 4 <= to; i += 4) {
      const word = view.getInt32(i, true);
      slot = Math.imul(slot ^ word, 0x9e3779b1);
      slot ^= slot >>> 15;
      mark = Math.imul(((mark << 13) | (mark >>> 19)) + word, 0x85ebca6b);
    }
    for (; i < to; i++) {
      slot = Math.imul(slot ^ bytes[i]!, 0x01000193);
      mark = Math.imul(mark + bytes[i]!, 0xc2b2ae35) ^ (mark >>> 17);
    }
    slot = Math.imul(slot, 0x85ebca6b);
    slot ^= slot >>> 13;
    mark ^= mark >>> 16;
    if (mark === 0) mark = 1;
    const table = this.#table;
    const mask = sizeFor(count) - 1;
    for (let probe = 0; probe < probeLimit; probe++) {
      const at = start + ((slot + probe) & mask);
      const known = table[at]!;
      if (known === 0) {
        table[at] = mark;
        return true;
      }
      if (known === mark) return false;
    }
    return false;
  }
}

const probeLimit = 64;

/** Slots for so many keys: a power of two, at most half full. */
function sizeFor(count: number): number {
  return count < 2 ? 4 : (1 << (33 - Math.clz32(count))) >>> 0;
}
