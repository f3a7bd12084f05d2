/**
 * The one door to the terminal. Names, commands, log lines and messages come from programs, streams and files of others:
 * what a terminal would take for a command, or what would hide or turn text around, is shown as an escape. Such an escape
 * inside of a JSON text means the same character.
 */
import { once } from "node:events";

/** Controls but line feed and tab, also those of 8 bits; marks of direction; separators of lines; a byte order mark. */
const hidden = /(?![\n\t])\p{Cc}|\p{Bidi_Control}|[\u2028\u2029\ufeff]/gu;
/** What `kstate check` colours with. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what they begin with
const colours = /(\u001b\[(?:0|1|31|33|36|90)m)/;

/** Text as it may be written to a terminal. */
export function shown(text: string): string {
  return text.replaceAll(hidden, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The same, with the colours of a report in it. */
function shownInColour(text: string): string {
  return text
    .split(colours)
    .map((part, index) => (index % 2 === 1 ? part : shown(part)))
    .join("");
}

/** Writes lines to standard output. */
export function print(text: string): void {
  console.log(shownInColour(text));
}

let writeError = (text: string): void => console.error(text);

/** Writes lines to standard error, and waits until they are taken, unless {@link printErrorsTo} has said otherwise. */
export function printError(text: string): void {
  writeError(shownInColour(text));
}

/** Who writes lines to standard error from now on; they come without the last line feed. */
export function printErrorsTo(write: (text: string) => void): void {
  writeError = write;
}

/** Writes pieces to standard output, as fast as it takes them. Ends quietly when nobody reads any more. */
export async function printAll(pieces: Iterable<string>): Promise<void> {
  const { stdout } = process;
  let isGone = false;
  const gone = (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    isGone = true;
  };
  stdout.on("error", gone);
  let held = "";
  for (const piece of pieces) {
    held += shown(piece);
    if (held.length < 64 * 1024) continue;
    if (!stdout.write(held)) await Promise.race([once(stdout, "drain"), once(stdout, "close")]);
    held = "";
    if (isGone) return;
  }
  await new Promise<void>((resolve) => stdout.write(held, () => resolve()));
}

/** Lines with their ends; a line feed within one is shown as an escape, too. */
export function* ended(lines: Iterable<string>): Generator<string> {
  for (const line of lines) yield `${line.replaceAll("\n", escaped)}\n`;
}
