/** What differs between two streams, by instance and by field. */

import { sha256 } from "@noble/hashes/sha2.js";
import { type DescriptionRecord, kindText } from "../description/index.ts";
import { type EntryHeader, entryHeaderSize, sectionType } from "../stream/index.ts";
import type { EntryHead, InspectEvent } from "./events.ts";
import type { StreamIndex } from "./stream-index.ts";
import { contentOf, hexOf, valueText } from "./value-text.ts";
import { headOf, instanceSegment, type ValueReader, valueReader, walkSection } from "./walk-stream.ts";

export type Difference =
  | { readonly type: "added" | "removed"; readonly path: string; readonly value: string }
  | { readonly type: "changed"; readonly path: string; readonly before: string; readonly after: string };

interface Section {
  readonly head: EntryHead;
  readonly entries: readonly EntryHeader[];
}

/** Section by section, in the order of the second stream; those that only the first has come at the end. */
export function* diffStreams(a: StreamIndex, b: StreamIndex): Generator<Difference> {
  const before = sectionsOf(a);
  const after = sectionsOf(b);
  const readers = [valueReader(a), valueReader(b)] as const;
  const layouts = new Layouts();
  for (const [path, section] of after) {
    const other = before.get(path);
    if (other === undefined) yield { type: "added", path, value: summary(section) };
    else if (!isSameBytes(a, other, b, section, layouts)) {
      yield* diffSections(a, other, b, section, path, readers);
    }
  }
  for (const [path, section] of before)
    if (!after.has(path)) yield { type: "removed", path, value: summary(section) };
}

function sectionsOf(index: StreamIndex): ReadonlyMap<string, Section> {
  const sections = new Map<string, Section>();
  const { entries } = index;
  for (let at = 0; at < entries.length; ) {
    let next = at + 1;
    while (next < entries.length && entries[next]!.type !== sectionType) next++;
    const head = headOf(index, entries[at]!);
    sections.set(`${head.name ?? head.id}/${instanceSegment(head)}`, {
      head,
      entries: entries.slice(at, next),
    });
    at = next;
  }
  return sections;
}

function summary({ head, entries }: Section): string {
  const size = entries.reduce((sum, entry) => sum + entryHeaderSize + entry.size, 0);
  return `version ${head.versionId}, ${size} bytes`;
}

const chunkSize = 256 * 1024;

/** Bytes mean the same only where both were written by the same fields. */
function isSameBytes(
  a: StreamIndex,
  left: Section,
  b: StreamIndex,
  right: Section,
  layouts: Layouts,
): boolean {
  if (left.entries.length !== right.entries.length) return false;
  return left.entries.every((entry, index) => {
    const other = right.entries[index]!;
    const isAlike = entry.id === other.id && entry.versionId === other.versionId && entry.size === other.size;
    return isAlike && layouts.of(a, entry) === layouts.of(b, other) && isSameData(a, entry, b, other);
  });
}

function isSameData(a: StreamIndex, left: EntryHeader, b: StreamIndex, right: EntryHeader): boolean {
  for (let at = 0; at < left.size; at += chunkSize) {
    const size = Math.min(chunkSize, left.size - at);
    const bytes = a.source.read(left.offset + entryHeaderSize + at, size);
    const others = b.source.read(right.offset + entryHeaderSize + at, size);
    if (bytes.length !== others.length || bytes.some((byte, index) => byte !== others[index])) return false;
  }
  return true;
}

/** The fields of descriptions as text, made once for the version that is asked for again and again. */
class Layouts {
  readonly #texts = new WeakMap<DescriptionRecord, { readonly versionId: number; readonly text: string }>();

  of(index: StreamIndex, entry: EntryHeader): string | null {
    const { name } = headOf(index, entry);
    const record = name === null ? index.byId.get(entry.id) : index.records.get(name);
    if (record === undefined) return null;
    const { versionId } = entry;
    let found = this.#texts.get(record);
    if (found?.versionId !== versionId) {
      const fields = record.fields.map((field) => [field.name, kindText(field.kind, versionId)]);
      found = { versionId, text: JSON.stringify(fields) };
      this.#texts.set(record, found);
    }
    return found.text;
  }
}

function* diffSections(
  a: StreamIndex,
  left: Section,
  b: StreamIndex,
  right: Section,
  path: string,
  readers: readonly [a: ValueReader, b: ValueReader],
): Generator<Difference> {
  const [from, to] = [left.head.versionId, right.head.versionId];
  if (from !== to)
    yield { type: "changed", path: `${path} version`, before: String(from), after: String(to) };
  const before = valuesOf(a, left, readers[0]);
  const after = valuesOf(b, right, readers[1]);
  for (const [field, value] of after) {
    const was = before.get(field);
    if (was === undefined) yield { type: "added", path: `${path}/${field}`, value };
    else if (was !== value) yield { type: "changed", path: `${path}/${field}`, before: was, after: value };
  }
  for (const [field, value] of before)
    if (!after.has(field)) yield { type: "removed", path: `${path}/${field}`, value };
}

/** All values of a section by their paths. */
function valuesOf(index: StreamIndex, section: Section, reader: ValueReader): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const open: string[] = [];
  for (const event of walkSection(index, section.entries, reader)) {
    if (event.type === "open" && event.form !== "section") open.push(segmentOf(event.segment));
    if (event.type === "close" && event.form !== "section") open.pop();
    if (event.type === "damage")
      values.set([...open, "DAMAGED"].join("/"), `at ${event.offset}: ${event.problem}`);
    if (event.type === "open") addShape(event, open, values);
    if (event.type === "leaf" && event.form !== "key" && event.form !== "unused")
      values.set([...open, segmentOf(event.segment)].join("/"), leafText(index, event));
  }
  return values;
}

/** A long key stands in the path of every value under it: cut, with its hash, so that two of them stay two. */
function segmentOf(segment: string): string {
  if (segment.length <= 255) return segment;
  return `${segment.slice(0, 200)}… (SHA-256 ${hexOf(sha256(new TextEncoder().encode(segment))).slice(0, 16)})`;
}

/** That something is there although it holds nothing. */
function addShape(
  { form, variant, count, head, number }: Extract<InspectEvent, { type: "open" }>,
  open: readonly string[],
  values: Map<string, string>,
): void {
  const path = open.join("/");
  if (variant !== undefined) values.set(`${path}/${variant[0]}`, variant[1]);
  if (count !== undefined && count === 0) values.set(path, "empty");
  if (form === "subsection" && head !== undefined) values.set(path, `version ${head.versionId}`);
  if (form === "reference") values.set(path, `object ${number}`);
}

function leafText(index: StreamIndex, leaf: Extract<InspectEvent, { type: "leaf" }>): string {
  if (leaf.form === "reference") return `object ${String(leaf.value)}`;
  if (leaf.form !== "bytes" && leaf.form !== "raw") return valueText(leaf.value);
  const { offset, size } = contentOf(leaf);
  const limit = 64 * 1024;
  if (size <= limit) return hexOf(index.source.read(offset, size));
  const hash = sha256.create();
  for (let at = 0; at < size; at += chunkSize)
    hash.update(index.source.read(offset + at, Math.min(chunkSize, size - at)));
  return `${size} bytes, SHA-256 ${hexOf(hash.digest())}`;
}
