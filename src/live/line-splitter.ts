import { KstateError } from "../error/index.ts";

/** The longest line on a control socket, in characters: room for the record of many descriptions. */
export const MAX_LINE = 64 * 1024 * 1024;

/** Small pieces are put together when there are so many of them, or an array of single characters would be kept. */
const SMALL_PIECES = 1024;

/**
 * Cuts a stream of text into lines; keep one per connection. What has come of a line is looked at once and put together
 * once, however small the pieces are in which it comes.
 */
export class LineSplitter {
  readonly #most: number;
  #pieces: string[] = [];
  #small: string[] = [];
  #length = 0;
  /** Characters that were looked at or copied so far: for the proof that this is linear. */
  steps = 0;

  /** The longest line, in characters; {@link MAX_LINE} unless given. */
  constructor(most: number = MAX_LINE) {
    this.#most = most;
  }

  /** What has come of the line that is not complete. */
  get rest(): string {
    return this.#joined();
  }

  /**
   * The lines that `text` completes. Throws `PROTOCOL_ERROR` when a line grows too long, and then at every call: what
   * follows is in the middle of a line.
   */
  push(text: string): string[] {
    const lines: string[] = [];
    let from = 0;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", from)) {
      this.#keep(text.slice(from, end));
      lines.push(this.#joined());
      this.#pieces = [];
      this.#small = [];
      this.#length = 0;
      from = end + 1;
    }
    this.#keep(text.slice(from));
    this.steps += text.length;
    return lines;
  }

  #keep(piece: string): void {
    this.#length += piece.length;
    if (this.#length > this.#most) throw tooLong();
    if (piece === "") return;
    this.#small.push(piece);
    if (this.#small.length < SMALL_PIECES) return;
    this.#pieces.push(this.#small.join(""));
    this.steps += this.#pieces.at(-1)!.length;
    this.#small = [];
  }

  #joined(): string {
    this.steps += this.#length;
    return [...this.#pieces, ...this.#small].join("");
  }
}

function tooLong(): KstateError {
  const problem = "a line is too long";
  return new KstateError("PROTOCOL_ERROR", `cannot read a control message: ${problem}`, { problem });
}
