import { VERDICT_COUNT, VERDICT_NUMBERS, type Verdict } from "./layout.ts";

/** The one commit point of an update: a word in shared memory that changes from PENDING once. */
export class VerdictTable {
  readonly #words: Int32Array;

  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** Opens a generation for its verdict. */
  open(generation: number): void {
    Atomics.store(this.#words, generation % VERDICT_COUNT, word(generation, "PENDING"));
  }

  /** Tries to decide a generation and returns what was decided, by this call or by an earlier one. */
  decide(generation: number, verdict: "COMMITTED" | "CANCELLED"): "COMMITTED" | "CANCELLED" {
    const pending = word(generation, "PENDING");
    const found = Atomics.compareExchange(
      this.#words,
      generation % VERDICT_COUNT,
      pending,
      word(generation, verdict),
    );
    if (found === pending) return verdict;
    return found === word(generation, "COMMITTED") ? "COMMITTED" : "CANCELLED";
  }

  /** The verdict of a generation; a generation that was never opened counts as CANCELLED. */
  read(generation: number): Verdict {
    const found = Atomics.load(this.#words, generation % VERDICT_COUNT);
    if (found === word(generation, "PENDING")) return "PENDING";
    return found === word(generation, "COMMITTED") ? "COMMITTED" : "CANCELLED";
  }
}

function word(generation: number, verdict: Verdict): number {
  return (generation * 4 + VERDICT_NUMBERS[verdict]) | 0;
}
