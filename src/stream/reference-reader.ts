import type { Description } from "../description/index.ts";
import type { ByteReader } from "./byte-reader.ts";
import { Decoded } from "./decoded.ts";
import { entryHeaderSize } from "./format.ts";

/** What stood when a subsection began. */
export interface ReferenceFork {
  readonly count: number;
  readonly waiting: Decoded[];
  readonly isDraining: boolean;
}

/** The objects of one section that `ref` fields point to, by number, and bodies that are still to be read. */
export class ReferenceReader {
  readonly #in: ByteReader;
  readonly #readBody: (decoded: Decoded) => void;
  #objects: Decoded[] = [];
  #waiting: Decoded[] = [];
  #isDraining = false;

  constructor(input: ByteReader, readBody: (decoded: Decoded) => void) {
    this.#in = input;
    this.#readBody = readBody;
  }

  /** Begins a section. */
  start(): void {
    this.#objects = [];
    this.#waiting = [];
    this.#isDraining = false;
  }

  /** A number, and the body if it is new: at once, or after the bodies that wait already. */
  read(description: Description): Decoded | null {
    const input = this.#in;
    const number = input.u32();
    if (number === 0) return null;
    const objects = this.#objects;
    if (number <= objects.length) return this.#known(number, description);
    if (number !== objects.length + 1) {
      throw input.corrupt(input.offset - 4, `a number up to ${objects.length + 1}`, String(number));
    }
    if (!this.#isDraining && input.left < entryHeaderSize) throw input.truncated(entryHeaderSize);
    const decoded = new Decoded(description, 0);
    objects.push(decoded);
    this.#waiting.push(decoded);
    if (!this.#isDraining) this.#drain();
    return decoded;
  }

  /** Begins a subsection: its numbers are forgotten at its end. */
  fork(): ReferenceFork {
    const fork = { count: this.#objects.length, waiting: this.#waiting, isDraining: this.#isDraining };
    this.#waiting = [];
    this.#isDraining = false;
    return fork;
  }

  join({ count, waiting, isDraining }: ReferenceFork): void {
    this.#objects.length = count;
    this.#waiting = waiting;
    this.#isDraining = isDraining;
  }

  #known(number: number, description: Description): Decoded {
    const known = this.#objects[number - 1]!;
    if (known.description === description) return known;
    const found = `${number}, a ${known.description.name}`;
    throw this.#in.corrupt(this.#in.offset - 4, `the number of a ${description.name}`, found);
  }

  #drain(): void {
    this.#isDraining = true;
    const waiting = this.#waiting;
    for (let i = 0; i < waiting.length; i++) this.#readBody(waiting[i]!);
    this.#waiting = [];
    this.#isDraining = false;
  }
}
