import { readFileSync } from "node:fs";
import { relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { SourceLocation } from "../check/index.ts";

/** Finds where descriptions and their fields stand in the source, by JSON pointer. */
export class SourceLocations {
  readonly found = new Map<string, SourceLocation>();
  readonly #directory: string;
  readonly #texts = new Map<string, string | undefined>();

  /** File names are relative to `directory`. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** A description by the stack of its definition, and those of its fields that stand right there. */
  add(pointer: string, stack: string, fieldNames: readonly string[]): void {
    const place = placeOf(stack);
    if (place === undefined) return;
    const file = relative(this.#directory, place.path).split(sep).join("/");
    this.found.set(pointer, { file, line: place.line, column: place.column });
    const text = this.#textOf(place.path);
    if (text !== undefined) this.#addFields(pointer, file, text, place, fieldNames);
  }

  /** `["hp"` between this definition and the next. A name that stands twice is found in its order. */
  #addFields(
    pointer: string,
    file: string,
    text: string,
    place: { readonly line: number },
    names: readonly string[],
  ): void {
    const start = offsetOfLine(text, place.line);
    const next = text.slice(start).search(/\n[^\n]*\bdefineState\s*[(<]/);
    const body = text.slice(start, next < 0 ? undefined : start + next);
    const from = new Map<string, number>();
    for (const [index, name] of names.entries()) {
      const escaped = name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
      const pattern = new RegExp(`\\[\\s*(["'\`])${escaped}\\1`, "g");
      pattern.lastIndex = from.get(name) ?? 0;
      const match = pattern.exec(body);
      if (match === null) continue;
      from.set(name, pattern.lastIndex);
      this.found.set(`${pointer}/fields/${index}`, { file, ...lineAndColumn(text, start + match.index) });
    }
  }

  #textOf(path: string): string | undefined {
    if (!this.#texts.has(path)) this.#texts.set(path, readText(path));
    return this.#texts.get(path);
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // generated, or moved since
  }
}

/** The first frame that is not of kstate itself. */
function placeOf(
  stack: string,
): { readonly path: string; readonly line: number; readonly column: number } | undefined {
  for (const frame of stack.split("\n").slice(1)) {
    const [, place, line, column] = /(?:\(|at )([^()]+):(\d+):(\d+)\)?$/.exec(frame.trim()) ?? [];
    if (place === undefined || /[\\/]description[\\/]define\.[jt]s$/.test(place)) continue;
    const path = place.startsWith("file:")
      ? fileURLToPath(place.replace(/\?.*$/, ""))
      : place.replace(/^async /, "");
    return { path, line: Number(line), column: Number(column) };
  }
  return undefined;
}

function offsetOfLine(text: string, line: number): number {
  let offset = 0;
  for (let at = 1; at < line; at++) {
    const end = text.indexOf("\n", offset);
    if (end < 0) return text.length;
    offset = end + 1;
  }
  return offset;
}

function lineAndColumn(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length, column: before.at(-1)!.length + 1 };
}
