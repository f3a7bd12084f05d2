/** Checks that numbers come as 1, 2, 3, and so on, each of them once. */
export class Sequence {
  /** The highest number that has come. */
  last = 0;
  doubled = 0;
  reordered = 0;
  readonly #missing = new Set<number>();

  add(number: number): void {
    if (number > this.last) {
      for (let skipped = this.last + 1; skipped < number; skipped++) this.#missing.add(skipped);
      this.last = number;
    } else if (this.#missing.delete(number)) this.reordered += 1;
    else this.doubled += 1;
  }

  /** How many have not come, of those up to `end`. */
  lost(end: number = this.last): number {
    return this.#missing.size + Math.max(0, end - this.last);
  }
}
