/** One timer for many deadlines: it goes off at the earliest of those that were set. */
export class Alarm {
  readonly #due: (nowMs: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #atMs = Number.POSITIVE_INFINITY;

  /** `due` is called when at least one deadline has passed, and sets those that are still to come again. */
  constructor(due: (nowMs: number) => void) {
    this.#due = due;
  }

  set(deadlineMs: number): void {
    if (deadlineMs >= this.#atMs) return;
    clearTimeout(this.#timer);
    this.#atMs = deadlineMs;
    this.#timer = setTimeout(() => this.#ring(), Math.max(0, deadlineMs - Date.now()));
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#atMs = Number.POSITIVE_INFINITY;
  }

  #ring(): void {
    this.#atMs = Number.POSITIVE_INFINITY;
    this.#due(Date.now());
  }
}
