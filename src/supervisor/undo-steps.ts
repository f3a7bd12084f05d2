/**
 * What undoes a row of acquisitions, each beside what it undoes. Undone in reverse and to the end: a step that fails
 * leaves what it had, and the others do theirs.
 */
export class UndoSteps {
  readonly #steps: (() => void)[] = [];

  /** Keeps `undo`, and returns what it undoes. */
  add<T>(acquired: T, undo: (acquired: T) => void): T {
    this.#steps.push(() => undo(acquired));
    return acquired;
  }

  undo(): void {
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        step();
      } catch {
        // the reason why all of it is undone is the one that is told
      }
    }
  }
}
