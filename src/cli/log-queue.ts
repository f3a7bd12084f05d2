/** How many bytes were taken; `full`: none now, but later; `failed`: none, and why. */
export type WriteOutcome = number | "full" | { readonly failed: string };

interface Waiting {
  readonly bytes: Uint8Array;
  readonly lines: number;
}

/** What waits to be written, unless it is one text alone: minutes of a supervisor's lines. */
const MAX_WAITING_BYTES = 64 * 1024;
const NOBODY_READS = "as nobody read them";

/**
 * Lines on their way to somebody who may not read. They stay in order; those that find no room are counted instead, and the
 * count is said in their place.
 */
export class LogQueue {
  readonly #write: (bytes: Uint8Array) => WriteOutcome;
  readonly #later: (flush: () => void) => void;
  #waiting: Waiting[] = [];
  #bytes = 0;
  #dropped = 0;
  #why = NOBODY_READS;
  #isLater = false;

  /** `write` never waits; `later` calls what it is given when it is worth another try. */
  constructor(write: (bytes: Uint8Array) => WriteOutcome, later: (flush: () => void) => void) {
    this.#write = write;
    this.#later = later;
  }

  /** Takes a text of one line or several, without the last line feed. Never throws. */
  add(text: string): void {
    if (this.#dropped > 0) this.flush(); // the count comes before what is new
    const bytes = Buffer.from(`${text}\n`);
    const lines = text.split("\n").length;
    const isFull = this.#bytes > 0 && this.#bytes + bytes.length > MAX_WAITING_BYTES;
    if (this.#dropped > 0 || isFull) {
      this.#dropped += lines;
      return;
    }
    this.#put({ bytes, lines });
    this.flush();
  }

  /** Writes what is taken without waiting. */
  flush(): void {
    for (;;) {
      if (this.#waiting.length === 0 && this.#dropped > 0) this.#putCount();
      const [next] = this.#waiting;
      if (next === undefined) return;
      const outcome = this.#write(next.bytes);
      if (typeof outcome === "object") return this.#dropAll(outcome.failed);
      if (outcome === "full" || outcome === 0) return this.#again();
      this.#bytes -= outcome;
      const rest = next.bytes.subarray(outcome);
      if (rest.length === 0) this.#waiting.shift();
      else this.#waiting[0] = { bytes: rest, lines: next.lines };
    }
  }

  #put(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#bytes += waiting.bytes.length;
  }

  #putCount(): void {
    const lines = this.#dropped;
    const subject = lines === 1 ? "1 line was" : `${lines} lines were`;
    this.#put({ bytes: Buffer.from(`kstate: ${subject} not written, ${this.#why}\n`), lines });
    this.#dropped = 0;
    this.#why = NOBODY_READS;
  }

  #dropAll(why: string): void {
    for (const { lines } of this.#waiting) this.#dropped += lines;
    this.#waiting = [];
    this.#bytes = 0;
    this.#why = why === "EPIPE" ? NOBODY_READS : `the system said ${why}`;
  }

  #again(): void {
    if (this.#isLater) return;
    this.#isLater = true;
    this.#later(() => {
      this.#isLater = false;
      this.flush();
    });
  }
}
