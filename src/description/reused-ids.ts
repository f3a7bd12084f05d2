import { addClosure, type DescriptionRecord, namesWithReferences } from "./lock-record.ts";

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
export function carriedRecords(writers: Records, readers: Records): Iterable<DescriptionRecord> {
  const whole = new Map<string, DescriptionRecord>();
  const alone = new Set<DescriptionRecord>();
  const withReferences = namesWithReferences(writers.values());
  for (const writer of writers.values()) {
    const reader = readers.get(writer.name);
    const isSection = writer.section === true;
    if (isSection && reader?.section !== true) addClosure(writer.name, writers, whole);
    if (reader === undefined || (isSection && reader.section !== true)) continue;
    for (const [own, isKnownId] of unknownSubsections(writer, reader, writers, readers)) {
      if (isKnownId) alone.add(own);
      else if (isSection && !withReferences.has(own.name)) addClosure(own.name, writers, whole);
    }
  }
  return new Set([...whole.values(), ...alone]);
}

/** Those of a reader's description that it does not have by that name, and whether it has one of that id. */
function* unknownSubsections(
  writer: DescriptionRecord,
  reader: DescriptionRecord,
  writers: Records,
  readers: Records,
): Generator<readonly [own: DescriptionRecord, isKnownId: boolean]> {
  const names = new Set(reader.subsections);
  const ids = new Set(reader.subsections.map((name) => readers.get(name)?.id));
  for (const name of writer.subsections) {
    const own = names.has(name) ? undefined : writers.get(name);
    if (own !== undefined) yield [own, ids.has(own.id)];
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
