import type { EntryHeader } from "../stream/index.ts";
import { ByteWriter, entryHeaderSize, sectionType, subsectionType } from "../stream/index.ts";
import type { Carried, CarriedEntry, CarriedSection } from "./carried.ts";
import { applySections, type FolioAt, SectionReader, type Target } from "./load.ts";
import { ownLock } from "./own-lock.ts";
import { ReportBuilder } from "./report.ts";
import { assertLayout } from "./source.ts";

/**
 * Fills an instance that has just been registered from the section that was carried for it; gives whether there was
 * one. Its unknown subsections are
 * carried on. If it throws, nothing has changed and the section is still carried.
 */
export function claimCarried(carried: Carried, target: Target, folioAt: FolioAt): boolean {
  const section = carried.find(target.description.id, target.instanceId);
  if (section === undefined) return false;
  const { bytes, headers } = laidOut(section);
  const own = ownLock([target.description]);
  const source = {
    bytes,
    isForeign: false,
    noteOf: ({ index }: { readonly index: number }) => {
      const entry = index === 0 ? section : section.subsections[index - 1]!;
      return { name: entry.name, key: section.key, carried: entry.generations };
    },
    assertLayout: (description: Target["description"], versionId: number) =>
      assertLayout(
        description,
        versionId,
        carried.records.get(description.name),
        own.byName.get(description.name)!,
      ),
  };
  const report = new ReportBuilder();
  const unknown: CarriedEntry[] = [];
  const [first, ...rest] = headers as [EntryHeader, ...EntryHeader[]];
  const read = new SectionReader(source, report).read(
    { section: first, subsections: rest },
    target,
    ({ index }) => unknown.push(section.subsections[index - 1]!),
  );
  applySections([read], report, { undo: true, folioAt });
  target.collection?.objects.set(target.instanceId, read.decoded.object!);
  carried.drop(section);
  for (const entry of unknown) carried.keepSubsection(section.id, target.instanceId, entry);
  carried.own(section.id, target.instanceId, read.decoded.object!);
  return true;
}

/** The section and its subsections as they stand in a stream. */
function laidOut(section: CarriedSection): {
  readonly bytes: Uint8Array;
  readonly headers: readonly EntryHeader[];
} {
  const out = new ByteWriter();
  const headers = [section, ...section.subsections].map((entry, index) => {
    const type = index === 0 ? sectionType : subsectionType;
    return append(out, entry, { index, type, instanceId: section.wireId });
  });
  return { bytes: out.written, headers };
}

function append(
  out: ByteWriter,
  { id, versionId, data }: CarriedEntry,
  { index, type, instanceId }: { readonly index: number; readonly type: number; readonly instanceId: number },
): EntryHeader {
  const offset = out.offset;
  out.reserve(entryHeaderSize);
  for (const value of [type, id, versionId, instanceId, data.length]) out.i32(value);
  out.bytes(data);
  return { index, type, id, versionId, instanceId, offset, size: data.length };
}
