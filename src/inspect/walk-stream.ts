import type { DescriptionRecord } from "../description/index.ts";
import { type EntryHeader, entryHeaderSize, sectionType } from "../stream/index.ts";
import { ByteWindow, Damage, Opaque } from "./byte-window.ts";
import type { EntryHead, InspectEvent } from "./events.ts";
import type { StreamIndex } from "./stream-index.ts";
import { ValueWalker } from "./walk-values.ts";
import { Work } from "./work.ts";

/** The head of an entry, with what the trailer or a lock file says about it. */
export function headOf(index: StreamIndex, entry: EntryHeader): EntryHead {
  const note = index.notes?.[entry.index];
  const name = note?.name ?? index.byId.get(entry.id)?.name ?? null;
  const { id, versionId, instanceId, offset, size } = entry;
  return { name, id, versionId, instanceId, key: note?.key, offset, size, carried: note?.carried ?? 0 };
}

/** How an instance is called in a path: its key or its number. */
export function instanceSegment({ key, instanceId }: EntryHead): string {
  return key ?? String(instanceId);
}

/** What reads the values of one stream, section by section. */
export interface ValueReader {
  readonly input: ByteWindow;
  readonly work: Work;
  readonly walker: ValueWalker;
}

export function valueReader(index: StreamIndex): ValueReader {
  const input = new ByteWindow(index.source);
  const work = new Work(index.source.size);
  return { input, work, walker: new ValueWalker(input, work, index) };
}

/** Everything in a stream, section by section. Of a damaged section what stands before the damage. */
export function* walkStream(
  index: StreamIndex,
  isWanted: (head: EntryHead) => boolean = () => true,
  reader: ValueReader = valueReader(index),
): Generator<InspectEvent> {
  yield { type: "mark", what: "magic number of a stream", offset: 0, size: 4 };
  const { entries } = index;
  for (let at = 0; at < entries.length; ) {
    let next = at + 1;
    while (next < entries.length && entries[next]!.type !== sectionType) next++;
    if (isWanted(headOf(index, entries[at]!))) yield* walkSection(index, entries.slice(at, next), reader);
    at = next;
  }
  if (index.isComplete) yield { type: "mark", what: "end mark", offset: index.end - 4, size: 4 };
  const trailing = index.source.size - index.end;
  if (index.isComplete && trailing > 0)
    yield {
      type: "mark",
      what: index.isForeign ? "bytes after the end" : "trailer",
      offset: index.end,
      size: trailing,
    };
  for (const { offset, problem } of index.damages) yield { type: "damage", offset, problem };
}

/** A section and its subsections. */
export function* walkSection(
  index: StreamIndex,
  entries: readonly EntryHeader[],
  { input, walker }: ValueReader,
): Generator<InspectEvent> {
  const [section, ...subsections] = entries as readonly [EntryHeader, ...EntryHeader[]];
  yield* opened(index, section);
  yield* walkEntry(index, walker, input, section);
  for (const subsection of subsections) {
    yield* opened(index, subsection);
    yield* walkEntry(index, walker, input, subsection);
    yield {
      type: "close",
      form: "subsection",
      offset: subsection.offset + entryHeaderSize + subsection.size,
    };
  }
  const last = entries.at(-1)!;
  yield { type: "close", form: "section", offset: last.offset + entryHeaderSize + last.size };
}

function* opened(index: StreamIndex, entry: EntryHeader): Generator<InspectEvent> {
  const head = headOf(index, entry);
  const form = entry.type === sectionType ? "section" : "subsection";
  const segment =
    form === "section" ? `${head.name ?? head.id}/${instanceSegment(head)}` : `${head.name ?? head.id}`;
  yield { type: "open", form, segment, kind: form, offset: entry.offset, head };
  const what = `${head.name ?? "?"}@${head.versionId}: type, id, version, instance, size`;
  yield { type: "mark", what, offset: entry.offset, size: entryHeaderSize };
}

function* walkEntry(
  index: StreamIndex,
  walker: ValueWalker,
  input: ByteWindow,
  entry: EntryHeader,
): Generator<InspectEvent> {
  const head = headOf(index, entry);
  const record = recordOf(index, head);
  input.offset = entry.offset + entryHeaderSize;
  input.end = input.offset + entry.size;
  if (record !== undefined) {
    const open: InspectEvent[] = [];
    try {
      for (const event of walker.entry(record, entry.versionId, entry.type)) {
        if (event.type === "open") open.push(event);
        if (event.type === "close") open.pop();
        yield event;
      }
      return;
    } catch (error) {
      if (error instanceof Damage) yield { type: "damage", offset: error.offset, problem: error.problem };
      else if (!(error instanceof Opaque)) throw error;
      for (const event of open.toReversed())
        if (event.type === "open") yield { type: "close", form: event.form, offset: error.offset };
      input.offset = error.offset;
      input.end = entry.offset + entryHeaderSize + entry.size;
      if (error instanceof Opaque) return yield* rest(input, error.segment, `${error.kind} and what follows`);
    }
  }
  yield* rest(input, "bytes", "bytes that nobody can read");
}

function recordOf({ records, byId }: StreamIndex, { name, id }: EntryHead): DescriptionRecord | undefined {
  return name === null ? byId.get(id) : records.get(name);
}

/** What is not read. */
function* rest(input: ByteWindow, segment: string, kind: string): Generator<InspectEvent> {
  const { offset } = input;
  const size = Math.max(0, input.left);
  if (size > 0) yield { type: "leaf", form: "raw", segment, kind, value: null, offset, size };
}
