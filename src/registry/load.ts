/**
 * Loading in two passes. The first reads and checks everything and changes nothing; the second puts the values
 * into the registered objects, in the order that `after` asks for, then calls `postLoad`. If anything throws in the
 * second, the objects are put back as they were, to the end: what throws then is added to the first error.
 */

import { type Description, type Folio, picture } from "../description/index.ts";
import { isKstateError, KstateError, reasonText, withSuppressed } from "../error/index.ts";
import {
  Applier,
  type Claims,
  type Decoded,
  Decoder,
  type DueCall,
  type EntryHeader,
  type SectionHeaders,
  type Snapshot,
} from "../stream/index.ts";
import { type Collection, type InstanceId, instanceText } from "./instance.ts";
import { loadRanks } from "./order.ts";
import type { ReportBuilder } from "./report.ts";
import type { SectionSource } from "./source.ts";

/** Where a section goes. */
export interface Target {
  readonly description: Description;
  readonly instanceId: InstanceId;
  /** The object that is there; undefined if it has to be made. */
  readonly object: object | undefined;
  /** The collection that it belongs to. */
  readonly collection?: Collection | undefined;
}

/** A section that was read and checked. */
export interface ReadSection {
  readonly target: Target;
  readonly decoded: Decoded;
}

/** Reads sections of one stream. */
export class SectionReader {
  readonly #source: SectionSource;
  readonly #decoder: Decoder;

  constructor(source: SectionSource, report: ReportBuilder) {
    this.#source = source;
    this.#decoder = new Decoder(source.bytes, {
      isForeign: source.isForeign,
      onVersion: (description, versionId) => source.assertLayout(description, versionId),
      onUnknownSubsection: (parent, id) => report.ignored(parent.name, id),
      holdsReferences: (description) => source.holdsReferences(description),
      isZeroCopy: source.isZeroCopy,
      choice: source.codec,
      use: source.codecUse,
    });
  }

  /** Reads a section with the subsections that are known; the others are given to `onUnknown`. */
  read(
    { section, subsections }: SectionHeaders,
    target: Target,
    onUnknown: (subsection: EntryHeader) => void,
  ): ReadSection {
    const { description } = target;
    const decoder = this.#decoder;
    decoder.trace.start(instanceText(description.name, target.instanceId));
    const decoded = decoder.readSection(description, section.offset);
    decoded.carried = this.#source.noteOf(section)?.carried ?? 0;
    if (description.subsections.length > 0)
      decoded.subsections = description.subsections.map(() => undefined);
    for (const header of subsections) {
      const index = description.subsections.findIndex(({ id }) => id === header.id);
      if (index < 0) {
        onUnknown(header);
        continue;
      }
      const part = decoder.readSubsection(description.subsections[index]!, header.offset);
      part.carried = this.#source.noteOf(header)?.carried ?? 0;
      decoded.subsections![index] = part;
    }
    decoder.finishSection();
    return { target, decoded };
  }
}

export interface CollectionLoad {
  readonly collection: Collection;
  /** Whether instances that the stream does not have stay: their description may leave them out. */
  readonly keepsOthers: boolean;
}

/** Gives the folio of an address; throws when there is none to give. */
export type FolioAt = (address: bigint) => Folio;

export interface ApplyOptions {
  /** Remembers objects before they are changed, to put them back if something throws; nothing is put back without. */
  readonly snapshot?: Snapshot | undefined;
  readonly folioAt: FolioAt;
  /** Only to have done it: no hooks are called, and what is made are plain objects. False unless given. */
  readonly isTrial?: boolean;
  /** Whether values of `bytes` and `blob` are views of the stream. False unless given. */
  readonly isZeroCopy?: boolean;
  /** Collections that the stream has something to say about. */
  readonly collections?: readonly CollectionLoad[];
  /** What the load has filled; of its own unless given. Registered objects that are known beforehand are in it. */
  readonly claims?: Claims | undefined;
}

/** The second pass. */
export function applySections(
  sections: readonly ReadSection[],
  report: ReportBuilder,
  { snapshot, folioAt, isTrial = false, isZeroCopy = false, collections = [], claims }: ApplyOptions,
): void {
  const applier = new Applier({ folioAt, isTrial, isZeroCopy, claims });
  const progress: Progress = { target: undefined, due: undefined };
  applier.claims.roots(objectsOf(sections));
  try {
    for (const { target } of sections) {
      progress.target = target;
      if (target.object !== undefined) snapshot?.add(target.description, target.object);
    }
    for (const { collection } of collections) snapshot?.addMap(collection.objects);
    for (const { target, decoded } of inOrder(sections)) applyOne(applier, target, decoded, progress);
    for (const load of collections) fillCollection(load, sections);
    if (!isTrial) for (progress.due of applier.due) progress.due.call();
  } catch (error) {
    const first = isKstateError(error) ? error : applyFailed(progress, error);
    throw withSuppressed(first, snapshot?.restore() ?? []);
  }
  for (const { target } of sections) report.restored(target);
  report.kept(applier.kept);
}

function objectsOf(sections: readonly ReadSection[]): object[] {
  return sections.flatMap(({ target: { object } }) => (object === undefined ? [] : [object]));
}

interface Progress {
  target: Target | undefined;
  due: DueCall | undefined;
}

function applyOne(applier: Applier, target: Target, decoded: Decoded, progress: Progress): void {
  progress.target = target;
  if (target.object !== undefined) applier.applySection(decoded, target.object);
  else if (target.collection === undefined) applier.applyNew(decoded);
  else applier.applyNew(decoded, target.collection.create(target.instanceId));
}

/** The stream's instances, in its order; others are removed. */
function fillCollection({ collection, keepsOthers }: CollectionLoad, sections: readonly ReadSection[]): void {
  const { objects } = collection;
  if (!keepsOthers) objects.clear();
  for (const { target, decoded } of sections) {
    if (target.collection === collection) objects.set(target.instanceId, decoded.object!);
  }
}

function inOrder(sections: readonly ReadSection[]): readonly ReadSection[] {
  const ranks = loadRanks(new Set(sections.map(({ target }) => target.description)));
  const rankOf = ({ target }: ReadSection) => ranks.get(target.description)!;
  return sections.some(({ target }) => target.description.after.length > 0)
    ? sections.toSorted((a, b) => rankOf(a) - rankOf(b))
    : sections;
}

function applyFailed({ target, due }: Progress, cause: unknown): KstateError {
  const reason = `${picture(cause)}: ${reasonText(cause)}`;
  if (due !== undefined) {
    const { hook, description } = due;
    return new KstateError(
      "HOOK_FAILED",
      `cannot load: ${hook} of ${description.name} threw ${reason}`,
      { hook, description: description.name, path: description.name },
      { cause },
    );
  }
  const { description, instanceId } = target ?? { description: { name: "" }, instanceId: 0 };
  const path = instanceText(description.name, instanceId);
  return new KstateError(
    "APPLY_FAILED",
    `cannot load ${path}: the object did not take the values: ${reason}`,
    { description: description.name, path },
    { cause },
  );
}
