/** What has to be ended or removed, whatever happens. */
export class Undo {
  readonly #steps: (() => unknown)[] = [];
  #ended: Promise<void> | undefined;

  /** Notes how to undo what was just done. If all was undone already, this is too, at once, and it throws. */
  add(step: () => unknown): void {
    if (this.#ended === undefined) {
      this.#steps.push(step);
      return;
    }
    void step();
    throw new Error("interrupted");
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** Undoes everything, the last first, whatever fails meanwhile. */
  end(): Promise<void> {
    this.#ended ??= this.#undoAll();
    return this.#ended;
  }

  async #undoAll(): Promise<void> {
    for (const step of this.#steps.reverse()) {
      try {
        await step();
      } catch (error) {
        console.error(`cleaning up: ${(error as Error).message}`);
      }
    }
  }
}
