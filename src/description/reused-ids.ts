import { type DescriptionRecord, hasReferences, recordClosure } from "./lock-record.ts";

type Records = ReadonlyMap<string, DescriptionRecord>;

/** Two descriptions that one program would have side by side, with one id and two names, or one name and two ids. */
export interface ReusedId {
  /** What a stream has. */
  readonly writer: Identity;
  /** What its reader has. */
  readonly reader: Identity;
}

/** What tells a description from others. */
export interface Identity {
  readonly name: string;
  readonly id: number;
}

/** The first of some records that has the id or the name of another description here. */
export function reusedId(
  records: Iterable<DescriptionRecord>,
  here: { named(name: string): Identity | undefined; numbered(id: number): Identity | undefined },
): ReusedId | undefined {
  for (const writer of records) {
    for (const reader of [here.named(writer.name), here.numbered(writer.id)]) {
      if (reader === undefined || (reader.id === writer.id && reader.name === writer.name)) continue;
      return { writer, reader };
    }
  }
  return undefined;
}

/**
 * What a reader must not have another description of: what it carries of all that a writer may send, that is sections that
 * it has not registered, and subsections that it does not know of sections that it has, unless they hold references, with
 * all that is inside them; and subsections that have the id of one that it knows in their place.
 */
export function* carriedRecords(writers: Records, readers: Records): Generator<DescriptionRecord> {
  for (const writer of writers.values()) {
    const reader = readers.get(writer.name);
    const isSection = writer.section === true;
    if (isSection && reader?.section !== true) yield* recordClosure(writer.name, writers);
    else if (reader !== undefined) yield* unknownSubsections(writer, reader, writers, readers, isSection);
  }
}

function* unknownSubsections(
  writer: DescriptionRecord,
  reader: DescriptionRecord,
  writers: Records,
  readers: Records,
  isSection: boolean,
): Generator<DescriptionRecord> {
  const ids = new Set(reader.subsections.map((name) => readers.get(name)?.id));
  for (const name of writer.subsections) {
    if (reader.subsections.includes(name)) continue;
    const closure = recordClosure(name, writers);
    const [own] = closure;
    if (own !== undefined && ids.has(own.id)) yield own;
    else if (isSection && !hasReferences(closure)) yield* closure;
  }
}

/** The first description that a reader would carry beside another one of its id or its name. */
export function reusedByCarried(writers: Records, readers: Records): ReusedId | undefined {
  const byId = new Map(Array.from(readers.values(), (record) => [record.id, record]));
  return reusedId(carriedRecords(writers, readers), {
    named: (name) => readers.get(name),
    numbered: (id) => byId.get(id),
  });
}
