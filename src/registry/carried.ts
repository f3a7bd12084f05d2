/**
 * What a load could not read because this program does not know its description is not lost: it is kept as bytes
 * and written again by the next save. So an update, a rollback and another update lose nothing.
 *
 * - A section of an unknown description is carried whole, with its subsections, until it is registered.
 * - An unknown subsection directly under a known section is carried with its instance, unless it holds references,
 *   whose numbers mean something only beside the section's own bytes.
 * - The writer's lock record of what is carried is carried with it.
 */

import {
  addClosure,
  type DescriptionRecord,
  idReused,
  namesWithReferences,
  reusedId,
} from "../description/index.ts";
import { KstateError } from "../error/index.ts";
import type { EntryHeader, EntryNote, SectionHeaders } from "../stream/index.ts";
import { entryHeaderSize } from "../stream/index.ts";
import type { InstanceId } from "./instance.ts";
import type { Source } from "./source.ts";

/** An entry as bytes. */
export interface CarriedEntry {
  readonly id: number;
  readonly versionId: number;
  readonly data: Uint8Array;
  readonly name: string;
  /** How many saves wrote it unread before. */
  readonly generations: number;
}

/** A section and its subsections. */
export interface CarriedSection extends CarriedEntry {
  readonly wireId: number;
  readonly key: string | undefined;
  readonly subsections: readonly CarriedEntry[];
}

/** The subsections of an instance, and the object that they belong to: they end with it. */
interface CarriedParts {
  readonly entries: CarriedEntry[];
  owner: WeakRef<object> | undefined;
}

/** Everything that a registry carries. */
export class Carried {
  readonly #sections = new Map<string, CarriedSection>();
  /** By description's id and instance, as all of these. */
  readonly #subsections = new Map<string, CarriedParts>();
  readonly records = new Map<string, DescriptionRecord>();
  /** Of the records; undefined until it is asked for. */
  #withReferences: ReadonlySet<string> | undefined;

  get isEmpty(): boolean {
    return this.#sections.size === 0 && this.#subsections.size === 0;
  }

  sections(): IterableIterator<CarriedSection> {
    return this.#sections.values();
  }

  /** Whether the address of a folio is anywhere in what is carried, whose fields nobody here knows. */
  mentions(address: number): boolean {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(address));
    const has = ({ data }: CarriedEntry): boolean => {
      const { buffer, byteOffset, length } = data;
      return Buffer.from(buffer as ArrayBuffer, byteOffset, length).includes(bytes);
    };
    for (const section of this.#sections.values())
      if (has(section) || section.subsections.some(has)) return true;
    for (const { entries } of this.#subsections.values()) if (entries.some(has)) return true;
    return false;
  }

  /** The records of what is carried just now, each once: what was claimed has none any more. */
  recordsInUse(): Iterable<DescriptionRecord> {
    const names = new Set<string>();
    for (const { name, subsections } of this.#sections.values())
      for (const own of [name, ...subsections.map((entry) => entry.name)]) names.add(own);
    for (const { entries } of this.#subsections.values()) for (const { name } of entries) names.add(name);
    const found = new Map<string, DescriptionRecord>();
    for (const name of names) addClosure(name, this.records, found);
    return found.values();
  }

  /** Throws `DESCRIPTION_MISMATCH` if what is carried has the id or the name of another description here. */
  assertNoneReused(call: string, here: Parameters<typeof reusedId>[1]): void {
    const reused = this.isEmpty ? undefined : reusedId(this.recordsInUse(), here);
    if (reused !== undefined) throw idReused(call, reused);
  }

  /** Whether a carried section uses that id in the stream. */
  isTaken(id: number, wireId: number): boolean {
    return this.#sections.has(placeOf(id, wireId));
  }

  addSection(source: Source, { section, subsections }: SectionHeaders): CarriedSection {
    const entry = entryOf(source, section);
    const parts = subsections.map((header) => entryOf(source, header));
    const carried: CarriedSection = {
      ...entry,
      wireId: section.instanceId,
      key: source.noteOf(section)?.key,
      subsections: parts,
    };
    this.#sections.set(placeOfSection(carried), carried);
    this.#addRecords(source, [entry, ...carried.subsections]);
    return carried;
  }

  /** Undefined if the subsection holds references and cannot be carried. */
  addSubsection(
    source: Source,
    id: number,
    instanceId: InstanceId,
    header: EntryHeader,
  ): CarriedEntry | undefined {
    const entry = entryOf(source, header);
    if (source.withReferences().has(entry.name)) return undefined;
    this.#append(placeOf(id, instanceId), entry);
    this.#addRecords(source, [entry]);
    return entry;
  }

  /** A subsection of a section that was carried and is known now; gives whether it can be carried on. */
  keepSubsection(id: number, instanceId: InstanceId, entry: CarriedEntry): boolean {
    this.#withReferences ??= namesWithReferences(this.records.values());
    if (this.#withReferences.has(entry.name)) return false;
    this.#append(placeOf(id, instanceId), entry);
    return true;
  }

  /** Says whose the subsections of an instance are, once its object is known. */
  own(id: number, instanceId: InstanceId, object: object): void {
    const parts = this.#subsections.get(placeOf(id, instanceId));
    if (parts !== undefined) parts.owner = new WeakRef(object);
  }

  /** None if the instance is another object by now. */
  subsectionsOf(id: number, instanceId: InstanceId, object: object): readonly CarriedEntry[] {
    if (this.#subsections.size === 0) return [];
    const place = placeOf(id, instanceId);
    const parts = this.#subsections.get(place);
    if (parts === undefined || parts.owner?.deref() === object) return parts?.entries ?? [];
    this.#subsections.delete(place);
    return [];
  }

  /** The section that belongs to an instance. */
  find(id: number, instanceId: InstanceId): CarriedSection | undefined {
    return this.#sections.get(placeOf(id, instanceId));
  }

  drop(section: CarriedSection): void {
    this.#sections.delete(placeOfSection(section));
  }

  /** Undoes `drop` and what came of the section's subsections since. */
  restore(section: CarriedSection): void {
    const place = placeOfSection(section);
    this.#subsections.delete(place);
    this.#sections.set(place, section);
  }

  #append(place: string, entry: CarriedEntry): void {
    const parts = this.#subsections.get(place) ?? { entries: [], owner: undefined };
    parts.entries.push(entry);
    this.#subsections.set(place, parts);
  }

  #addRecords(source: Source, entries: readonly CarriedEntry[]): void {
    this.#withReferences = undefined;
    for (const { name } of entries) addClosure(name, source.writers(), this.records);
  }
}

/** What the trailer says about a carried entry when it is written again. */
export function noteOfCarried(entry: CarriedEntry, key: string | undefined): EntryNote {
  return { name: entry.name, key, carried: entry.generations + 1 };
}

function entryOf(source: Source, { id, versionId, offset, size, index }: EntryHeader): CarriedEntry {
  const start = offset + entryHeaderSize;
  const { name, carried } = source.noteOf({ index }) ?? { name: "", carried: 0 };
  const record = source.writers().get(name);
  if (record?.id !== id) {
    const [expected, found] = [
      `the writer's record of id ${id}`,
      record === undefined ? "none" : `that of ${record.id}`,
    ];
    throw new KstateError(
      "STREAM_CORRUPT",
      `cannot load ${name} at offset ${offset}: expected ${expected}, found ${found}`,
      { path: name, description: name, offset, expected, found },
    );
  }
  return { id, versionId, data: source.bytes.slice(start, start + size), name, generations: carried };
}

function placeOfSection({ id, key, wireId }: CarriedSection): string {
  return placeOf(id, key ?? wireId);
}

function placeOf(id: number, instanceId: InstanceId): string {
  return `${id} ${JSON.stringify(instanceId)}`;
}
