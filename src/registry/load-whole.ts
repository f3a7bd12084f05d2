import type { Description, DescriptionRecord } from "../description/index.ts";
import { KstateError } from "../error/index.ts";
import type { Crc32, EntryHeader, SectionHeaders } from "../stream/index.ts";
import { Carried } from "./carried.ts";
import { ForeignIds } from "./foreign-ids.ts";
import { type Collection, type Instance, instanceText, ownObject } from "./instance.ts";
import type { Instances } from "./instances.ts";
import {
  type ApplyOptions,
  applySections,
  type CollectionLoad,
  type ReadSection,
  SectionReader,
  type Target,
} from "./load.ts";
import { ReportBuilder } from "./report.ts";
import type { Source } from "./source.ts";

/**
 * The first pass alone: throws what a load would throw before it changes anything; gives what it has read. A partial stream
 * may be without instances that its writer knew.
 */
export function readWhole(source: Source, instances: Instances, crc32: Crc32, isPartial = false): WholeRead {
  const pass = new FirstPass(source, instances, crc32);
  for (const headers of source.body.sections) pass.section(headers);
  pass.accountForOthers(isPartial);
  return pass;
}

/** What the first pass comes to. */
export type WholeRead = Pick<FirstPass, "report" | "carried" | "sections" | "collections">;

/** The second pass: puts what was read into what is registered. */
export function fillWhole(
  read: WholeRead,
  options: Pick<ApplyOptions, "snapshot" | "claims" | "folioAt" | "isZeroCopy">,
): void {
  const { report, carried, sections } = read;
  applySections(sections, report, { ...options, collections: read.collections() });
  for (const { target, decoded } of sections) {
    carried.own(target.description.id, target.instanceId, decoded.object!);
  }
}

/** Loads into plain objects that are thrown away, without a hook of the program's. */
export function tryWhole(source: Source, instances: Instances, crc32: Crc32): void {
  const sections = readWhole(source, instances, crc32).sections.map(
    ({ target: { description, instanceId }, decoded }) => ({
      target: { description, instanceId, object: {} },
      decoded,
    }),
  );
  const folioAt = (address: bigint) => ({ address });
  applySections(sections, new ReportBuilder(), { folioAt, isTrial: true });
}

/** Reads every section, and decides what becomes of each. Changes nothing. */
class FirstPass {
  readonly report = new ReportBuilder();
  readonly carried = new Carried();
  readonly sections: ReadSection[] = [];
  readonly #source: Source;
  readonly #instances: Instances;
  readonly #reader: SectionReader;
  readonly #found = new Set<Instance>();
  readonly #collected = new Set<object>();
  readonly #unclaimed: string[] = [];
  readonly #foreignIds: ForeignIds;

  constructor(source: Source, instances: Instances, crc32: Crc32) {
    this.#source = source;
    this.#instances = instances;
    this.#reader = new SectionReader(source, this.report);
    this.#foreignIds = new ForeignIds(instances, crc32);
  }

  section(headers: SectionHeaders): void {
    const { section } = headers;
    const target = this.#targetOf(section);
    if (target !== undefined) {
      const onUnknown = (subsection: EntryHeader) => this.#carrySubsection(target, subsection);
      this.sections.push(this.#reader.read(headers, target, onUnknown));
      return;
    }
    const description = this.#instances.descriptionOf(section.id);
    if (description !== undefined) {
      const instanceId = this.#source.noteOf(section)?.key ?? section.instanceId;
      this.#unclaimed.push(instanceText(description.name, instanceId));
    } else this.#carrySection(headers);
  }

  /** Registered instances that the stream does not have, and instances that nobody registered. */
  accountForOthers(isPartial: boolean): void {
    this.carried.assertNoneReused("cannot load", this.#instances);
    if (this.#unclaimed.length > 0) throw unclaimedInstances(this.#unclaimed);
    const missing: string[] = [];
    for (const instance of this.#instances.single()) {
      if (this.#found.has(instance)) continue;
      const writer = this.#sectionOf(instance.description);
      const mayBeMissing =
        isPartial || this.#source.isForeign || instance.isOptional || writer?.needed === true;
      if (writer === undefined && !this.#source.isForeign) this.report.new(instance);
      else if (mayBeMissing) this.report.missing(instance);
      else missing.push(instanceText(instance.description.name, instance.instanceId));
    }
    if (missing.length > 0) throw instancesMissing(missing);
  }

  /** Collections that the writer had registered, or that a foreign stream has instances of. */
  collections(): readonly CollectionLoad[] {
    const isForeign = this.#source.isForeign;
    return this.#instances.collections().flatMap((collection) => {
      const writer = this.#sectionOf(collection.description);
      const isThere = this.sections.some(({ target }) => target.collection === collection);
      if (writer === undefined && !(isForeign && isThere)) return [];
      return [{ collection, keepsOthers: writer?.needed === true }];
    });
  }

  /** The writer's record of a description that it had registered. */
  #sectionOf(description: Description): DescriptionRecord | undefined {
    const record = this.#source.writerOf(description);
    return record?.section === true ? record : undefined;
  }

  #targetOf(section: EntryHeader): Target | undefined {
    const key = this.#source.noteOf(section)?.key;
    const collection = this.#instances.collectionOf(section.id);
    if (this.#source.isForeign) return this.#foreignTarget(section, collection);
    if (collection !== undefined) {
      const instanceId = key ?? section.instanceId;
      const { description } = collection;
      return {
        description,
        instanceId,
        object: ownObject(collection, instanceId, this.#collected),
        collection,
      };
    }
    const instance = this.#instances.match(section.id, section.instanceId, key);
    if (instance !== undefined) this.#found.add(instance);
    return instance;
  }

  /** A number that is no key of a map of keys is nobody's: what key it stands for cannot be known. */
  #foreignTarget(
    { id, instanceId: wireId }: EntryHeader,
    collection: Collection | undefined,
  ): Target | undefined {
    const description = this.#instances.descriptionOf(id);
    if (description === undefined) return undefined;
    const instanceId = this.#foreignIds.find(description, wireId);
    if (collection !== undefined) {
      if (instanceId === undefined && this.#foreignIds.hasKeysOnly(description)) return undefined;
      const own = instanceId ?? wireId;
      return {
        description,
        instanceId: own,
        object: ownObject(collection, own, this.#collected),
        collection,
      };
    }
    const instance = instanceId === undefined ? undefined : this.#instances.find(description, instanceId);
    if (instance !== undefined) this.#found.add(instance);
    return instance;
  }

  #carrySection(headers: SectionHeaders): void {
    const { section } = headers;
    const note = this.#source.noteOf(section);
    if (note === undefined) {
      this.report.ignored(null, section.id);
      return;
    }
    const { name: description, generations } = this.carried.addSection(this.#source, headers);
    const instanceId = note.key ?? section.instanceId;
    this.report.carried({ description, instanceId, parent: null, generations });
  }

  #carrySubsection({ description, instanceId }: Target, subsection: EntryHeader): void {
    const entry = this.#source.isForeign
      ? undefined
      : this.carried.addSubsection(this.#source, description.id, instanceId, subsection);
    if (entry === undefined) {
      this.report.ignored(description.name, subsection.id);
      return;
    }
    const { name, generations } = entry;
    this.report.carried({ description: name, instanceId, parent: description.name, generations });
  }
}

function instancesMissing(instances: readonly string[]): KstateError {
  return new KstateError(
    "INSTANCE_MISSING",
    `cannot load: the stream does not have ${listed(instances)}, which its writer knew; register with { optional: true } what may be missing`,
    { instances },
  );
}

function unclaimedInstances(instances: readonly string[]): KstateError {
  return new KstateError(
    "UNCLAIMED_INSTANCE",
    `cannot load: nobody registered ${listed(instances)} of the stream; register them, or use registerAll`,
    { instances },
  );
}

function listed(instances: readonly string[]): string {
  const shown = instances.slice(0, 10).join(", ");
  return instances.length > 10 ? `${shown} and ${instances.length - 10} more` : shown;
}
