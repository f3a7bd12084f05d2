/**
 * A stream as a tree for people: a line for each value with its offset and size. What is inside of a collection is held
 * back until its size is known, or until it is too much; then the size follows at its end.
 */

import { sectionType } from "../stream/index.ts";
import type { ByteSource } from "./byte-window.ts";
import type { CloseEvent, EntryHead, InspectEvent, LeafEvent, OpenEvent } from "./events.ts";
import type { StreamIndex } from "./stream-index.ts";
import { bytesText, contentOf, shortened, valueText } from "./value-text.ts";

export interface TreeOptions {
  /** Elements of a collection that are shown; 100 unless given. */
  readonly elements?: number;
}

/** Lines that are held back. */
const holdLimit = 2_000;
const textLimit = 80;
/** Of a kind: an enumeration has all its names in it. */
const kindLimit = 200;
/** Deeper lines are not moved further to the right. */
const indentLimit = 100;
const bytesLimit = 32;

interface Open {
  readonly event: OpenEvent;
  /** Where its line stands among those held back; undefined once it was given out. */
  line: number | undefined;
  shown: number;
}

/** One line for the stream as a whole. */
export function streamLine(index: StreamIndex): string {
  const sections = index.entries.filter(({ type }) => type === sectionType).length;
  const parts = [
    `stream of ${index.source.size} bytes`,
    `${sections} ${sections === 1 ? "section" : "sections"}`,
  ];
  if (index.isForeign) parts.push("no trailer");
  else {
    parts.push(`descriptions ${index.lockHash?.slice(0, 12)}`);
    parts.push(index.hasDataChecksum ? "data checksum" : "no data checksum");
  }
  if (index.damages.length > 0) parts.push("DAMAGED");
  return parts.join(", ");
}

/** The line above the columns. */
export const treeHeading = `${"offset".padStart(10)} ${"size".padStart(9)}`;

/** The lines of a tree. */
export function* treeLines(
  events: Iterable<InspectEvent>,
  source: ByteSource,
  { elements = 100 }: TreeOptions = {},
): Generator<string> {
  const tree = new Tree(source, elements);
  for (const event of events) {
    tree.add(event);
    yield* tree.ready();
  }
  yield* tree.flushed();
}

class Tree {
  readonly #source: ByteSource;
  readonly #elements: number;
  readonly #open: Open[] = [];
  #held: string[] = [];
  /** How deep inside of something that is not shown. */
  #skip = 0;

  constructor(source: ByteSource, elements: number) {
    this.#source = source;
    this.#elements = elements;
  }

  add(event: InspectEvent): void {
    if (event.type === "damage") {
      this.#held.push(row(event.offset, "", this.#open.length, `DAMAGED: ${event.problem}`));
    } else if (this.#skip > 0) {
      if (event.type === "open") this.#skip += 1;
      if (event.type === "close") this.#skip -= 1;
    } else if (event.type === "close") this.#close(event);
    else if (event.type === "open" || (event.type === "leaf" && event.form !== "key")) this.#value(event);
  }

  /** What need not be held back any more. */
  ready(): Iterable<string> {
    return this.#open.length === 0 || this.#held.length >= holdLimit ? this.flushed() : [];
  }

  /** Everything so far; the size of what is still open is not known. */
  flushed(): Iterable<string> {
    for (const [depth, item] of this.#open.entries()) {
      if (item.line === undefined) continue;
      const { event } = item;
      this.#held[item.line] = row(
        event.offset,
        event.head?.size ?? "",
        depth,
        openText(event, this.#parent(depth)),
      );
      item.line = undefined;
    }
    const lines = this.#held;
    this.#held = [];
    return lines;
  }

  #value(event: OpenEvent | LeafEvent): void {
    const parent = this.#open.at(-1);
    if (parent !== undefined && isCollection(parent.event)) {
      parent.shown += 1;
      if (parent.shown > this.#elements) {
        if (event.type === "open") this.#skip = 1;
        return;
      }
    }
    const depth = this.#open.length;
    if (event.type === "leaf") {
      this.#held.push(row(event.offset, event.size, depth, leafText(event, parent?.event, this.#source)));
    } else {
      this.#open.push({ event, line: this.#held.length, shown: 0 });
      this.#held.push("");
    }
  }

  #close({ offset }: CloseEvent): void {
    const item = this.#open.pop();
    if (item === undefined) return;
    const { event, line, shown } = item;
    const depth = this.#open.length;
    if (shown > this.#elements)
      this.#held.push(row("", "", depth + 1, `… ${shown - this.#elements} more; --all shows them`));
    const size = offset - event.offset;
    if (line !== undefined)
      this.#held[line] = row(event.offset, size, depth, openText(event, this.#parent(depth)));
    else if (event.head === undefined)
      this.#held.push(row("", size, depth, `end of ${shortened(event.segment, kindLimit)}`));
  }

  #parent(depth: number): OpenEvent | undefined {
    return this.#open[depth - 1]?.event;
  }
}

function isCollection({ form }: OpenEvent): boolean {
  return form === "list" || form === "map" || form === "group";
}

function row(offset: number | string, size: number | string, depth: number, text: string): string {
  return `${String(offset).padStart(10)} ${String(size).padStart(9)}  ${"  ".repeat(Math.min(depth, indentLimit))}${text}`;
}

function label(whole: string, parent: OpenEvent | undefined): string {
  const segment = shortened(whole, kindLimit);
  return parent !== undefined && (isCollection(parent) || parent.count !== undefined)
    ? `[${segment}]`
    : segment;
}

function leafText(leaf: LeafEvent, parent: OpenEvent | undefined, source: ByteSource): string {
  const name = label(leaf.segment, parent);
  const kind = shortened(leaf.kind, kindLimit);
  switch (leaf.form) {
    case "reference":
      return `${name}: object ${leaf.value} (${kind})`;
    case "unused":
      return `${name} (${kind})`;
    case "bytes":
    case "raw": {
      const content = { ...leaf, ...contentOf(leaf) };
      return `${name}: ${bytesText(source, content, bytesLimit)} (${kind})`;
    }
    default:
      return `${name}: ${valueText(leaf.value, textLimit)} (${kind})`;
  }
}

function openText(event: OpenEvent, parent: OpenEvent | undefined): string {
  const { form, segment, head, count, variant } = event;
  const kind = shortened(event.kind, kindLimit);
  switch (form) {
    case "section":
      return sectionText(head!);
    case "subsection":
      return `subsection ${entryText(head!)}${carriedText(head!)}`;
    case "struct":
      return `${label(segment, parent)}: ${entryText(head!)}`;
    case "reference":
      return `${label(segment, parent)}: object ${event.number} (${kind})`;
    case "object":
      return `object ${segment}: ${entryText(head!)}`;
    case "group":
      return `${label(segment, parent)}: ${count} of ${entryText(head!)}`;
    case "variant":
      return `${label(segment, parent)}: ${shortened(variant![1], kindLimit)} (oneOf)`;
    case "element":
      return label(segment, parent);
    case "list":
    case "map":
      return `${label(segment, parent)}: ${count} (${kind})`;
    case "record":
      return `${label(segment, parent)} (record)`;
  }
}

/** `player@2 #7 (id 3)`. */
function sectionText(head: EntryHead): string {
  const instance = head.key === undefined ? String(head.instanceId) : JSON.stringify(head.key);
  return `${entryText(head)} #${instance}${carriedText(head)}`;
}

function entryText({ name, id, versionId }: EntryHead): string {
  return name === null ? `unknown@${versionId} (id ${id})` : `${name}@${versionId} (id ${id})`;
}

function carriedText({ carried }: EntryHead): string {
  return carried === 0 ? "" : `, carried unread ${carried} ${carried === 1 ? "time" : "times"}`;
}
