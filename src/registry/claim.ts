import type { EntryHeader } from "../stream/index.ts";
import {
  ByteWriter,
  type Claims,
  entryHeaderSize,
  Snapshot,
  sectionType,
  subsectionType,
} from "../stream/index.ts";
import type { Carried, CarriedEntry, CarriedSection } from "./carried.ts";
import { applySections, type FolioAt, type ReadSection, SectionReader, type Target } from "./load.ts";
import { type OwnLock, ownLock } from "./own-lock.ts";
import { ReportBuilder } from "./report.ts";
import { assertLayout, mayHoldReferences } from "./source.ts";

/** The load that is filling objects while its hooks register others. */
export interface Filling {
  /** Undefined where nothing is put back. */
  readonly snapshot: Snapshot | undefined;
  readonly claims: Claims;
  readonly folioAt: FolioAt;
  readonly report: ReportBuilder;
}

interface ReadClaim {
  readonly section: CarriedSection;
  readonly read: ReadSection;
  readonly unknown: readonly CarriedEntry[];
}

/**
 * Fills instances that have just been registered, all of one description, from the sections that were carried for them;
 * gives whether there were any. Their unknown subsections are carried on. If it throws, nothing has changed and the
 * sections are still carried.
 */
export function claimCarried(
  carried: Carried,
  targets: Iterable<Target>,
  { folioAt, filling }: { readonly folioAt: FolioAt; readonly filling: Filling | undefined },
): boolean {
  const claims: ReadClaim[] = [];
  let own: OwnLock | undefined;
  for (const target of targets) {
    const section = carried.find(target.description.id, target.instanceId);
    if (section === undefined) continue;
    own ??= ownLock([target.description]);
    claims.push(readClaim(carried, section, target, own));
  }
  if (claims.length === 0) return false;
  const sections = claims.map(({ read }) => read);
  for (const { target } of sections)
    if (target.object !== undefined) filling?.snapshot?.add(target.description, target.object);
  const collections = [...new Set(sections.map(({ target }) => target.collection))].flatMap((collection) =>
    collection === undefined ? [] : [{ collection, keepsOthers: true }],
  );
  applySections(sections, new ReportBuilder(), {
    snapshot: new Snapshot(),
    claims: filling?.claims,
    folioAt,
    collections,
  });
  for (const claim of claims) settle(carried, claim, filling?.report);
  return true;
}

function readClaim(carried: Carried, section: CarriedSection, target: Target, own: OwnLock): ReadClaim {
  const { bytes, headers } = laidOut(section);
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
    holdsReferences: ({ name }: Target["description"]) => mayHoldReferences(name, carried.records),
  };
  const unknown: CarriedEntry[] = [];
  const [first, ...rest] = headers as [EntryHeader, ...EntryHeader[]];
  const read = new SectionReader(source, new ReportBuilder()).read(
    { section: first, subsections: rest },
    target,
    ({ index }) => unknown.push(section.subsections[index - 1]!),
  );
  return { section, read, unknown };
}

/** The object has what was carried for it: it is not carried any more. */
function settle(
  carried: Carried,
  { section, read, unknown }: ReadClaim,
  report: ReportBuilder | undefined,
): void {
  const { target, decoded } = read;
  carried.drop(section);
  report?.claimed(target);
  for (const entry of unknown) {
    if (!carried.keepSubsection(section.id, target.instanceId, entry)) continue;
    const { name: description, generations } = entry;
    const { instanceId } = target;
    report?.carried({ description, instanceId, parent: target.description.name, generations });
  }
  carried.own(section.id, target.instanceId, decoded.object!);
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
