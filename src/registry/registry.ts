import { crc32 as zlibCrc32 } from "node:zlib";
import type { Description, LockRecord, StateOf } from "../description/index.ts";
import { KstateError } from "../error/index.ts";
import { ByteWriter, type Crc32, type SectionHeaders } from "../stream/index.ts";
import { type Instance, type InstanceId, instanceText } from "./instance.ts";
import { Instances } from "./instances.ts";
import { applySections, type ReadSection, SectionReader, type Target } from "./load.ts";
import { type OwnLock, ownLock } from "./own-lock.ts";
import { type LoadReport, ReportBuilder } from "./report.ts";
import { blockReasons, type SaveOptions, saveStream } from "./save.ts";
import { Source, type SourceOptions } from "./source.ts";

const crc32: Crc32 = (bytes, before = 0) => zlibCrc32(bytes, before);

export interface RegisterOptions {
  /** Whether a stream may be without the instance though its writer knew the description. False unless given. */
  readonly optional?: boolean;
}

export interface LoadOptions extends SourceOptions {
  /**
   * Whether all objects are put back as they were if a hook throws or an object does not take a value. True unless
   * given; false where the process itself is the undo, as in a live update.
   */
  readonly undo?: boolean;
}

/** The objects of a program whose state is preserved: what the kernel's `kstate_register` fills. */
export class Registry {
  readonly #instances = new Instances(crc32);
  readonly #scratch = new ByteWriter();
  #lock: OwnLock | undefined;

  /** How many instances are registered. */
  get size(): number {
    return this.#instances.size;
  }

  /**
   * Registers an object under a description. `instanceId` tells several objects of one description apart: an int32,
   * or a string key. Throws `INSTANCE_EXISTS` and `DESCRIPTION_CONFLICT`.
   */
  register<D extends Description>(
    description: D,
    object: StateOf<D> & object,
    instanceId: InstanceId = 0,
    { optional = false }: RegisterOptions = {},
  ): void {
    if (this.#instances.add(description, object, instanceId, optional)) this.#lock = undefined;
  }

  /** Forgets an object. Throws `NOT_REGISTERED`. */
  unregister(description: Description, instanceId: InstanceId = 0): void {
    if (this.#instances.remove(description, instanceId)) this.#lock = undefined;
  }

  /**
   * Registers an object and, if the stream has it, restores it at once: the kernel's `kstate_register_restore`.
   * Gives whether the stream had it. If the restore fails, the object is not registered.
   */
  registerRestore<D extends Description>(
    description: D,
    object: StateOf<D> & object,
    instanceId: InstanceId,
    stream: Uint8Array,
    options: LoadOptions & RegisterOptions = {},
  ): boolean {
    this.register(description, object, instanceId, options);
    try {
      this.restore(description, object, instanceId, stream, options);
      return true;
    } catch (error) {
      if (error instanceof KstateError && error.code === "INSTANCE_NOT_FOUND") return false;
      this.unregister(description, instanceId);
      throw error;
    }
  }

  /** Saves all registered objects, in the order of registration. The result is a stream of its own. */
  save(options: SaveOptions = {}): Uint8Array {
    return saveStream(this.#instances, this.#ownLock(), this.#scratch, crc32, options);
  }

  /** Why registered objects cannot be saved just now; empty if they can. */
  blocked(): readonly { readonly description: string; readonly reason: string }[] {
    return blockReasons(this.#instances);
  }

  /**
   * Loads a stream into the registered objects, all or nothing: everything is read and checked before anything is
   * changed.
   */
  load(stream: Uint8Array, options: LoadOptions = {}): LoadReport {
    const source = new Source(stream, this.#ownLock(), crc32, options);
    const report = new ReportBuilder();
    const reader = new SectionReader(source, report);
    const found = new Set<Instance>();
    const unclaimed: string[] = [];
    const sections: ReadSection[] = [];
    for (const headers of source.body.sections) {
      const instance = this.#match(source, headers);
      if (instance !== undefined) {
        found.add(instance);
        sections.push(
          reader.read(headers, instance, ({ id }) => report.ignored(instance.description.name, id)),
        );
      } else if (this.#instances.descriptionOf(headers.section.id) === undefined) {
        report.ignored(null, headers.section.id);
      } else unclaimed.push(this.#unclaimedText(source, headers));
    }
    if (unclaimed.length > 0) throw unclaimedInstances(unclaimed);
    this.#accountForOthers(source, found, report);
    return applySections(sections, report, { undo: options.undo ?? true });
  }

  /** Restores one instance, registered or not: the kernel's `kstate_restore`. Throws `INSTANCE_NOT_FOUND`. */
  restore<D extends Description>(
    description: D,
    object: StateOf<D> & object,
    instanceId: InstanceId,
    stream: Uint8Array,
    options: LoadOptions = {},
  ): LoadReport {
    const source = new Source(stream, ownLock([description]), crc32, options);
    const headers = source.body.sections.find((candidate) =>
      isOf(source, candidate, description, instanceId),
    );
    if (headers === undefined) throw notFound(description, instanceId);
    const report = new ReportBuilder();
    const target: Target = { description, object, instanceId };
    const section = new SectionReader(source, report).read(headers, target, ({ id }) =>
      report.ignored(description.name, id),
    );
    return applySections([section], report, { undo: options.undo ?? true });
  }

  /** All registered descriptions as plain JSON, those inside them included. Prepared once. */
  lockRecord(): LockRecord {
    return this.#ownLock().record;
  }

  #ownLock(): OwnLock {
    this.#lock ??= ownLock(this.#instances.descriptions());
    return this.#lock;
  }

  #match(source: Source, { section }: SectionHeaders): Instance | undefined {
    const key = source.noteOf(section)?.key;
    return this.#instances.match(section.id, section.instanceId, key, source.isForeign);
  }

  #unclaimedText(source: Source, { section }: SectionHeaders): string {
    const { name } = this.#instances.descriptionOf(section.id)!;
    return instanceText(name, source.noteOf(section)?.key ?? section.instanceId);
  }

  /** Registered instances that the stream does not have. */
  #accountForOthers(source: Source, found: ReadonlySet<Instance>, report: ReportBuilder): void {
    const missing: string[] = [];
    for (const instance of this.#instances) {
      if (found.has(instance)) continue;
      const writer = source.writerOf(instance.description);
      if (source.isForeign || writer?.needed === true || (writer !== undefined && instance.isOptional)) {
        report.missing(instance);
      } else if (writer === undefined) report.new(instance);
      else missing.push(instanceText(instance.description.name, instance.instanceId));
    }
    if (missing.length > 0) throw instancesMissing(missing);
  }
}

function isOf(
  source: Source,
  { section }: SectionHeaders,
  description: Description,
  instanceId: InstanceId,
): boolean {
  if (section.id !== description.id) return false;
  const key = source.noteOf(section)?.key;
  if (typeof instanceId === "number") return key === undefined && section.instanceId === instanceId;
  if (!source.isForeign) return key === instanceId;
  return section.instanceId === (crc32(new TextEncoder().encode(instanceId)) | 0);
}

function notFound(description: Description, instanceId: InstanceId): KstateError {
  return new KstateError(
    "INSTANCE_NOT_FOUND",
    `cannot restore ${instanceText(description.name, instanceId)}: the stream does not have it`,
    { description: description.name, instanceId: String(instanceId) },
  );
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
