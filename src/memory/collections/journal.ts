import { JOURNAL_WORDS as STORE_WORDS } from "./layout.ts";

/**
 * Stores that happen together or not at all, also when the program is killed between two of them: see "Journal" in
 * `layout.ts`.
 */
export class Journal {
  readonly #windows: readonly Int32Array[];
  readonly #words: Int32Array;
  readonly #at: number;
  #end: number;

  /** `words[at]` is the count of a journal; `windows` are the memory's, as words. */
  constructor(windows: readonly Int32Array[], words: Int32Array, at: number) {
    this.#windows = windows;
    this.#words = words;
    this.#at = at;
    this.#end = at + 1;
  }

  /** Adds a store. The last one of two to the same word counts. */
  store(window: number, word: number, value: number): void {
    const words = this.#words;
    const at = this.#end;
    words[at] = window;
    words[at + 1] = word;
    words[at + 2] = value;
    this.#end = at + STORE_WORDS;
  }

  /** Makes all of them happen. */
  commit(): void {
    const words = this.#words;
    const first = this.#at + 1;
    const end = this.#end;
    this.#end = first;
    Atomics.store(words, this.#at, (end - first) / STORE_WORDS);
    this.#apply(first, end);
    Atomics.store(words, this.#at, 0);
  }

  /** Forgets what was added since the last commit. */
  drop(): void {
    this.#end = this.#at + 1;
  }

  /** Finishes what an earlier owner of the memory had committed when it died, in a header that was found sound. */
  recover(): void {
    const count = this.#words[this.#at]!;
    if (count === 0) return;
    const first = this.#at + 1;
    this.#apply(first, first + count * STORE_WORDS);
    Atomics.store(this.#words, this.#at, 0);
  }

  #apply(first: number, end: number): void {
    const words = this.#words;
    const windows = this.#windows;
    for (let at = first; at < end; at += STORE_WORDS) {
      windows[words[at]!]![words[at + 1]!] = words[at + 2]!;
    }
  }
}
