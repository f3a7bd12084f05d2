/**
 * A stream as JSON, written piece by piece: `{ sections: [{ name, id, versionId, instanceId, offset, size, fields,
 * subsections }] }`. 64-bit integers are texts in decimal, dates as ISO 8601, bytes as hex; maps are lists of pairs. A
 * described object inside of another is written as a section is; structs in a collection are `{ …, elements }`; a
 * reference is `{ ref: number }`, with the `objects` that are met there for the first time.
 */

import type { ByteSource, Damage } from "./byte-window.ts";
import type { CloseEvent, EntryHead, InspectEvent, LeafEvent, LeafValue, OpenEvent } from "./events.ts";
import { contentOf, hexOf, valueText } from "./value-text.ts";

const chunkSize = 256 * 1024;

interface Level {
  /** Whether it is the key of a pair, which its value follows. */
  readonly isKey: boolean;
  /** What its values are written into. */
  readonly into: "members" | "elements";
  /** Ends the values, then all of it. */
  readonly valuesEnd: string;
  isEmpty: boolean;
  /** Whether a key was written whose value comes. */
  isPair: boolean;
  /** Whether its subsections have begun. */
  hasSubsections: boolean;
  hasRaw: boolean;
}

/** The JSON of a whole stream. */
export function* streamJson(
  events: Iterable<InspectEvent>,
  source: ByteSource,
  damages: readonly Damage[],
): Generator<string> {
  const found: { readonly offset: number; readonly problem: string }[] = [];
  yield '{"sections":[';
  let isFirst = true;
  const noted = (event: InspectEvent): boolean => {
    if (event.type === "damage") found.push({ offset: event.offset, problem: event.problem });
    return event.type !== "damage";
  };
  const writer = new JsonWriter(source);
  for (const event of events) {
    if (!noted(event)) continue;
    if (event.type === "open" && event.form === "section") {
      if (!isFirst) yield ",\n";
      isFirst = false;
    }
    yield* writer.write(event);
  }
  const all = [...damages.map(({ offset, problem }) => ({ offset, problem })), ...found];
  const unique = [...new Map(all.map((damage) => [JSON.stringify(damage), damage])).values()];
  yield unique.length === 0 ? "]}\n" : `],"damages":${JSON.stringify(unique)}}\n`;
}

/** The JSON of single values, a line each. */
export function* valuesJson(events: Iterable<InspectEvent>, source: ByteSource): Generator<string> {
  const writer = new JsonWriter(source);
  for (const event of events) {
    yield* writer.write(event);
    if (writer.depth === 0 && (event.type === "close" || event.type === "leaf")) yield "\n";
  }
}

class JsonWriter {
  readonly #source: ByteSource;
  readonly #levels: Level[] = [];

  constructor(source: ByteSource) {
    this.#source = source;
  }

  get depth(): number {
    return this.#levels.length;
  }

  *write(event: InspectEvent): Generator<string> {
    if (event.type === "open") yield this.#open(event);
    else if (event.type === "close") yield this.#close(event);
    else if (event.type === "leaf" && event.form !== "unused") yield* this.#leaf(event);
  }

  #open(event: OpenEvent): string {
    const parent = this.#levels.at(-1);
    const isBelow = event.form === "subsection" && parent !== undefined;
    const before = isBelow ? beginSubsection(parent) : prefix(parent, event.segment, event.isKey === true);
    const [start, level] = begin(event);
    this.#levels.push(level);
    return before + start;
  }

  #close({ form }: CloseEvent): string {
    const level = this.#levels.pop();
    if (level === undefined) return "";
    const parent = this.#levels.at(-1);
    const unfinished = level.isPair ? ",null]" : "";
    const isEntry = ["section", "subsection", "struct", "object", "group"].includes(form);
    const values = level.hasSubsections || level.hasRaw ? "" : level.valuesEnd;
    const rest = !isEntry ? "" : level.hasSubsections ? "]}" : ',"subsections":[]}';
    return unfinished + values + rest + suffix(parent, level.isKey || form === "subsection");
  }

  *#leaf(leaf: LeafEvent): Generator<string> {
    const parent = this.#levels.at(-1);
    if (leaf.form === "raw") {
      yield parent === undefined ? "" : beginRaw(parent);
      yield* this.#hex(leaf);
      return;
    }
    yield prefix(parent, leaf.segment, leaf.form === "key");
    if (leaf.form === "bytes") yield* this.#hex({ ...leaf, ...contentOf(leaf) });
    else if (leaf.kind.startsWith("ref(") && leaf.value !== null) yield `{"ref":${String(leaf.value)}}`;
    else yield jsonText(leaf.value);
    if (leaf.form !== "key") yield suffix(parent, false);
  }

  *#hex({ offset, size }: { readonly offset: number; readonly size: number }): Generator<string> {
    yield '"';
    for (let at = 0; at < size; at += chunkSize)
      yield hexOf(this.#source.read(offset + at, Math.min(chunkSize, size - at)));
    yield '"';
  }
}

/** What stands before a value. */
function prefix(parent: Level | undefined, segment: string, isKey: boolean): string {
  if (parent === undefined) return "";
  if (parent.isPair) return ",";
  const comma = parent.isEmpty ? "" : ",";
  parent.isEmpty = false;
  if (isKey) {
    parent.isPair = true;
    return `${comma}[`;
  }
  return parent.into === "members" ? `${comma}${JSON.stringify(segment)}:` : comma;
}

/** What stands behind a value. A reference that is a key ends a pair's first half only. */
function suffix(parent: Level | undefined, isApart: boolean): string {
  if (parent === undefined || !parent.isPair || isApart) return "";
  parent.isPair = false;
  return "]";
}

function beginSubsection(parent: Level): string {
  const before = parent.hasSubsections ? "," : `${parent.hasRaw ? "" : parent.valuesEnd},"subsections":[`;
  parent.hasSubsections = true;
  return before;
}

function beginRaw(parent: Level): string {
  const unfinished = parent.isPair ? ",null]" : "";
  parent.isPair = false;
  const before = parent.hasSubsections || parent.hasRaw ? "" : parent.valuesEnd;
  parent.hasRaw = true;
  return `${unfinished}${before},"raw":`;
}

function begin(event: OpenEvent): readonly [text: string, level: Level] {
  const { form, head, count, variant, number } = event;
  const level = (into: Level["into"], valuesEnd: string, isEmpty = true): Level => ({
    isKey: event.isKey === true,
    into,
    valuesEnd,
    isEmpty,
    isPair: false,
    hasSubsections: false,
    hasRaw: false,
  });
  switch (form) {
    case "list":
    case "map":
      return ["[", level("elements", "]")];
    case "record":
    case "element":
      return ["{", level("members", "}")];
    case "variant":
      return [`{${JSON.stringify(variant![0])}:${JSON.stringify(variant![1])}`, level("members", "}", false)];
    case "reference":
      return [`{"ref":${number},"objects":[`, level("elements", "]}")];
    default: {
      const numbered = form === "object" ? `"number":${number},` : "";
      const isGroup = count !== undefined;
      const start = `{${numbered}${headText(head!)},${isGroup ? '"elements":[' : '"fields":{'}`;
      return [start, level(isGroup ? "elements" : "members", isGroup ? "]" : "}")];
    }
  }
}

function headText({ name, id, versionId, instanceId, key, offset, size, carried }: EntryHead): string {
  const head = { name, id, versionId, instanceId: key ?? instanceId, offset, size };
  return JSON.stringify(carried === 0 ? head : { ...head, carried }).slice(1, -1);
}

function jsonText(value: LeafValue): string {
  if (value === null) return "null";
  if (typeof value === "bigint") return `"${value}"`;
  if (value instanceof Date) return JSON.stringify(value.toISOString());
  if (typeof value === "object") return JSON.stringify(value.json);
  if (typeof value === "number" && !Number.isFinite(value)) return `"${value}"`;
  return typeof value === "string" ? JSON.stringify(value) : valueText(value);
}
