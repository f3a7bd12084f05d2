import { once } from "node:events";

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
    held += piece;
    if (held.length < 64 * 1024) continue;
    if (!stdout.write(held)) await Promise.race([once(stdout, "drain"), once(stdout, "close")]);
    held = "";
    if (isGone) return;
  }
  await new Promise<void>((resolve) => stdout.write(held, () => resolve()));
}

/** Lines with their ends. */
export function* ended(lines: Iterable<string>): Generator<string> {
  for (const line of lines) yield `${line}\n`;
}
