import type { Description } from "../description/index.ts";
import type { Trace } from "./trace.ts";

export interface Numbering {
  readonly number: number;
  readonly isNew: boolean;
}

interface Waiting {
  readonly description: Description;
  readonly state: unknown;
}

/** The numbers of the objects that `ref` fields of one section point to, and the bodies still to be written. */
export class References {
  readonly #numbers = new Map<Description, Map<object, number>>();
  readonly #states: object[] = [];
  readonly #descriptions: Description[] = [];
  readonly #split = new Set<object>();
  #waiting: Waiting[] = [];
  #next = 0;
  #isDraining = false;

  number(description: Description, state: object, trace: Trace): Numbering {
    let numbers = this.#numbers.get(description);
    if (numbers === undefined) {
      numbers = new Map();
      this.#numbers.set(description, numbers);
    }
    const known = numbers.get(state);
    if (known !== undefined) return { number: known, isNew: false };
    if (this.#split.has(state)) {
      const fact =
        "the object was first met in a subsection, which a reader may skip; reference it from the section's own fields first";
      throw trace.error("REFERENCE_SPLIT", -1, fact, {});
    }
    this.#descriptions.push(description);
    const number = this.#states.push(state);
    numbers.set(state, number);
    return { number, isNew: true };
  }

  /** Lets a body wait. Whether the caller must write those that wait: not if that is being done already. */
  enqueue(description: Description, state: unknown): boolean {
    this.#waiting.push({ description, state });
    if (this.#isDraining) return false;
    this.#isDraining = true;
    return true;
  }

  next(): Waiting | undefined {
    const next = this.#waiting[this.#next++];
    if (next === undefined) {
      this.#waiting = [];
      this.#next = 0;
      this.#isDraining = false;
    }
    return next;
  }

  /** Begins a subsection: what is numbered from here on is forgotten by `join`. */
  fork(): Fork {
    const fork = {
      count: this.#states.length,
      waiting: this.#waiting,
      next: this.#next,
      isDraining: this.#isDraining,
    };
    this.#waiting = [];
    this.#next = 0;
    this.#isDraining = false;
    return fork;
  }

  join(fork: Fork): void {
    while (this.#states.length > fork.count) {
      const state = this.#states.pop()!;
      this.#numbers.get(this.#descriptions.pop()!)?.delete(state);
      this.#split.add(state);
    }
    this.#waiting = fork.waiting;
    this.#next = fork.next;
    this.#isDraining = fork.isDraining;
  }
}

/** What stood when a subsection began. */
export interface Fork {
  readonly count: number;
  readonly waiting: Waiting[];
  readonly next: number;
  readonly isDraining: boolean;
}
