import { KstateError } from "../error/index.ts";
import { ByteReader } from "./byte-reader.ts";
import { endMark, entryHeaderSize, sectionType, streamMagic, subsectionType } from "./format.ts";
import { Trace } from "./trace.ts";

/** The header of an entry of the stream itself. */
export interface EntryHeader {
  /** Its position among all entries. */
  readonly index: number;
  readonly type: number;
  readonly id: number;
  readonly versionId: number;
  readonly instanceId: number;
  /** Offset of the header. */
  readonly offset: number;
  /** Size of the data after it. */
  readonly size: number;
}

/** A section and its subsections. */
export interface SectionHeaders {
  readonly section: EntryHeader;
  readonly subsections: readonly EntryHeader[];
}

/** The body of a stream: its sections, and where it ends. */
export interface StreamBody {
  readonly sections: readonly SectionHeaders[];
  /** All entries in the stream's order. */
  readonly entries: readonly EntryHeader[];
  /** Offset after the end mark. */
  readonly end: number;
}

/**
 * Walks over the headers from the magic number to the end mark, not looking into data. Sections of the ids that `isRead`
 * names, all unless given, and their subsections must be there once.
 */
export function readBody(bytes: Uint8Array, isRead: (id: number) => boolean = () => true): StreamBody {
  const trace = new Trace("load");
  trace.start("stream");
  const input = new ByteReader(bytes, trace);
  assertMagic(bytes, input);
  const entries: EntryHeader[] = [];
  const sections: { section: EntryHeader; subsections: EntryHeader[] }[] = [];
  /** Ids of the subsections of the last section. */
  const met = new Set<number>();
  for (let header = readHeader(input, 0); header !== undefined; header = readHeader(input, entries.length)) {
    entries.push(header);
    if (header.type === sectionType) {
      sections.push({ section: header, subsections: [] });
      met.clear();
    } else addSubsection(sections.at(-1), header, met, input, isRead);
  }
  assertOnce(sections, input, isRead);
  return { sections, entries, end: input.offset };
}

function assertMagic(bytes: Uint8Array, input: ByteReader): void {
  const magic = bytes.length < 4 ? undefined : input.u32();
  if (magic === streamMagic) return;
  const found = magic === undefined ? `${bytes.length} bytes` : `0x${magic.toString(16).padStart(8, "0")}`;
  throw new KstateError(
    "NOT_A_STREAM",
    `cannot load: a stream begins with 0x${streamMagic.toString(16)}, this begins with ${found}`,
    { found },
  );
}

function readHeader(input: ByteReader, index: number): EntryHeader | undefined {
  const offset = input.offset;
  const type = input.i32();
  if (type === endMark) return undefined;
  if (type !== sectionType && type !== subsectionType) {
    throw input.corrupt(offset, "a section (2), a subsection (1) or the end (-1)", String(type));
  }
  if (input.left < entryHeaderSize - 4) throw input.truncated(entryHeaderSize - 4);
  const [id, versionId, instanceId, size] = [input.i32(), input.i32(), input.i32(), input.i32()];
  if (size < 0) throw input.corrupt(offset + 16, "a size", String(size));
  input.take(size);
  return { index, type, id, versionId, instanceId, offset, size };
}

function addSubsection(
  parent: { section: EntryHeader; subsections: EntryHeader[] } | undefined,
  header: EntryHeader,
  met: Set<number>,
  input: ByteReader,
  isRead: (id: number) => boolean,
): void {
  if (parent === undefined) throw input.corrupt(header.offset, "a section", "a subsection without one");
  const { instanceId } = parent.section;
  if (header.instanceId !== instanceId) {
    throw input.corrupt(
      header.offset + 12,
      `the section's instance ${instanceId}`,
      String(header.instanceId),
    );
  }
  if (met.has(header.id) && isRead(parent.section.id)) {
    throw input.corrupt(header.offset, "each subsection once", `id ${header.id} again`);
  }
  met.add(header.id);
  parent.subsections.push(header);
}

function assertOnce(
  sections: readonly { readonly section: EntryHeader }[],
  input: ByteReader,
  isRead: (id: number) => boolean,
): void {
  const seen = new Map<number, Set<number>>();
  for (const { section } of sections) {
    if (!isRead(section.id)) continue;
    const instances = seen.get(section.id) ?? new Set();
    seen.set(section.id, instances);
    if (instances.has(section.instanceId)) {
      const found = `id ${section.id}, instance ${section.instanceId} again`;
      throw input.corrupt(section.offset, "each instance once", found);
    }
    instances.add(section.instanceId);
  }
}
