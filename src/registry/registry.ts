import { crc32 as zlibCrc32 } from "node:zlib";
import {
  type Description,
  type LockRecord,
  reachable,
  type StateOf,
  type VersionIds,
} from "../description/index.ts";
import { isKstateError, KstateError, withSuppressed } from "../error/index.ts";
import {
  ByteWriter,
  Claims,
  type CodecChoice,
  type CodecUse,
  type Crc32,
  generateCode,
  newCodecUse,
  Snapshot,
} from "../stream/index.ts";
import { Carried } from "./carried.ts";
import { claimCarried, type Filling } from "./claim.ts";
import type { Collection, InstanceId } from "./instance.ts";
import { instanceText, ownObject } from "./instance.ts";
import { Instances } from "./instances.ts";
import { assertDescription, assertMap } from "./invalid-instance.ts";
import { applySections, type FolioAt, SectionReader, type Target } from "./load.ts";
import { fillWhole, readWhole, tryWhole } from "./load-whole.ts";
import { type OwnLock, ownLock, withCarried } from "./own-lock.ts";
import { Phases } from "./phases.ts";
import { announce } from "./register-channel.ts";
import { type LoadReport, ReportBuilder } from "./report.ts";
import { type BlockReason, blockReasons, type SaveInput, type SaveOptions, saveStream } from "./save.ts";
import { sharedFolios } from "./shared-folios.ts";
import { Source, type SourceOptions } from "./source.ts";
import { keyId } from "./wire-ids.ts";

const crc32: Crc32 = (bytes, before = 0) => zlibCrc32(bytes, before);

/** A larger buffer is not kept. */
const scratchLimit = 64 * 1024 * 1024;

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
  /**
   * Whether values of `bytes` and `blob` are views of the stream instead of copies. The stream's memory then belongs to
   * what was loaded: nobody may write to it or load it again, and it stays as long as one of the values does. For a
   * buffer that is read from a file for this load, and values that come and go together. False unless given.
   */
  readonly zeroCopy?: boolean;
  /**
   * Whether the stream may be without registered instances that its writer knew: it was saved with `onRefused`. They keep
   * what they have, and the report lists them as missing. False unless given.
   */
  readonly partial?: boolean;
}

export interface RegistryOptions {
  /**
   * Gives the folio of an address that is loaded; throws when there is none. Unless given, a folio has only its
   * address, as in a stream of another machine.
   */
  readonly folioAt?: FolioAt;
  /** Which codec serves; only the speed differs. `auto` unless given. */
  readonly codec?: CodecChoice;
}

/** The objects of a program whose state is preserved: what the kernel's `kstate_register` fills. */
export class Registry {
  /** How many entries went through generated code, and how many through the reference interpreter. */
  readonly codecUse: CodecUse = newCodecUse();
  readonly #codec: CodecChoice;
  readonly #instances = new Instances(crc32);
  readonly #folioAt: FolioAt;
  /** A buffer that is kept from save to save, since a new one each time costs more than the save. */
  #scratch: ByteWriter | undefined;
  readonly #blocks = new Map<symbol, string>();
  #carried = new Carried();
  #lock: OwnLock | undefined;
  #lockWithCarried: OwnLock | undefined;
  readonly #phases = new Phases();
  /** The load whose hooks may be running. */
  #filling: Filling | undefined;
  /** Names that `versionIds` may have although nothing of them is registered any more. */
  readonly #everKnown = new Set<string>();

  constructor({ folioAt = (address) => ({ address }), codec = "auto" }: RegistryOptions = {}) {
    this.#folioAt = folioAt;
    this.#codec = codec;
  }

  /** How many instances are registered. */
  get size(): number {
    return this.#instances.size;
  }

  /**
   * Registers an object under a description. `instanceId` tells several objects of one description apart: an int32,
   * or a string key. If a stream that was loaded before had a section for it, the object is filled from that at
   * once. Throws `INSTANCE_EXISTS`, `DESCRIPTION_CONFLICT`, `ORDER_CYCLE`, and what `load` throws.
   */
  register<D extends Description>(
    description: D,
    object: StateOf<D> & object,
    instanceId: InstanceId = 0,
    { optional = false }: RegisterOptions = {},
  ): void {
    assertDescription("register", description);
    announce(description);
    this.#phases.assertAllowed("register", instanceText(description.name, instanceId));
    this.#assertNoneReused(description);
    const isCarried = (wireId: number) => this.#carried.isTaken(description.id, wireId);
    if (this.#instances.add(description, object, instanceId, optional, isCarried)) this.#forgetLock();
    this.#claim(description, instanceId, [{ description, instanceId, object }]);
  }

  /**
   * Registers all objects of a map, now and later: its keys are the instance ids. A load makes the objects that the
   * map does not have with `create` (by default the description's `create`, or a plain object), and removes those that
   * the stream does not have.
   */
  registerAll<D extends Description, Id extends InstanceId>(
    description: D,
    objects: Map<Id, StateOf<D> & object>,
    create?: (instanceId: Id) => StateOf<D> & object,
  ): void {
    assertDescription("registerAll", description);
    announce(description);
    this.#phases.assertAllowed("registerAll", description.name);
    assertMap(description, objects);
    this.#assertNoneReused(description);
    const make = create ?? (() => description.hooks.create?.() ?? {});
    const collection = { description, objects, create: make } as unknown as Collection;
    this.#instances.addCollection(collection);
    this.#forgetLock();
    const targets: Target[] = [];
    const taken = new Set<object>();
    for (const section of this.#carried.sections()) {
      if (section.id !== description.id) continue;
      const instanceId = section.key ?? section.wireId;
      targets.push({ description, instanceId, object: ownObject(collection, instanceId, taken), collection });
    }
    this.#claim(description, 0, targets);
  }

  /** Throws `DESCRIPTION_MISMATCH` if what is carried has the id or the name of another description. */
  #assertNoneReused(description: Description): void {
    if (this.#carried.isEmpty || this.#instances.descriptionOf(description.id) === description) return;
    const parts = [...reachable([description])];
    this.#carried.assertNoneReused(`cannot register ${description.name}`, {
      named: (name) => parts.find((part) => part.name === name),
      numbered: (id) => parts.find((part) => part.id === id),
    });
  }

  /**
   * Throws `DESCRIPTION_MISMATCH` if another program could not carry on what is carried here. What both programs have
   * registered themselves is for `negotiate`.
   */
  assertCarriedFits(reader: LockRecord): void {
    const byName = new Map(reader.descriptions.map((record) => [record.name, record]));
    const byId = new Map(reader.descriptions.map((record) => [record.id, record]));
    this.#carried.assertNoneReused("the next version cannot take over", {
      named: (name) => byName.get(name),
      numbered: (id) => byId.get(id),
    });
  }

  /** Fills what has just been registered from what was carried for it; if it cannot, it is not registered. */
  #claim(description: Description, instanceId: InstanceId, targets: readonly Target[]): void {
    try {
      const folioAt = this.#filling?.folioAt ?? sharedFolios(this.#folioAt);
      const context = { folioAt, filling: this.#filling };
      if (this.#phases.during("loading", () => claimCarried(this.#carried, targets, context)))
        this.#lockWithCarried = undefined;
    } catch (error) {
      if (this.#instances.has(description, instanceId)) this.#forget(description, instanceId);
      throw error;
    }
  }

  /** Forgets an object, or a map of them. Throws `NOT_REGISTERED`. */
  unregister(description: Description, instanceId: InstanceId = 0): void {
    this.#phases.assertAllowed("unregister", instanceText(description.name, instanceId));
    this.#forget(description, instanceId);
  }

  #forget(description: Description, instanceId: InstanceId): void {
    if (!this.#instances.remove(description, instanceId)) return;
    for (const { name } of reachable([description])) this.#everKnown.add(name);
    this.#forgetLock();
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
    const section = this.#carried.find(description.id, instanceId);
    const before = section === undefined ? undefined : new Snapshot();
    before?.add(description, object);
    this.register(description, object, instanceId, options);
    try {
      this.restore(description, object, instanceId, stream, options);
      return true;
    } catch (error) {
      if (isKstateError(error, "INSTANCE_NOT_FOUND")) return false;
      if (this.#instances.has(description, instanceId)) this.#forget(description, instanceId);
      if (section !== undefined) this.#carried.restore(section);
      this.#lockWithCarried = undefined;
      throw isKstateError(error) ? withSuppressed(error, before?.restore() ?? []) : error;
    }
  }

  /** Saves all registered objects, in the order of registration. The result is a stream of its own. */
  save(options: SaveOptions = {}): Uint8Array {
    this.#phases.assertAllowed("save");
    return this.#phases.during("saving", () => this.#save(options));
  }

  #save(options: SaveOptions): Uint8Array {
    const input = this.#saveInput();
    if (options.into !== undefined) {
      const out = new ByteWriter(options.into);
      saveStream(out, input, crc32, options);
      return out.written;
    }
    const out = this.#takeScratch();
    saveStream(out, input, crc32, options);
    const stream = out.written.slice();
    if (out.capacity <= scratchLimit) this.#scratch = out;
    return stream;
  }

  /**
   * Saves a stream with the first `most` elements of each list, set and map, to try loading with. Throws `STREAM_FULL`
   * when that is more than `into` has room for.
   */
  sample(most: number, into: Uint8Array, versionIds: VersionIds): Uint8Array {
    const out = new ByteWriter(into);
    const input = { ...this.#saveInput(), codec: "reference" as const, most };
    this.#phases.assertAllowed("save");
    this.#phases.during("saving", () => saveStream(out, input, crc32, { versionIds, dataChecksum: false }));
    return out.written;
  }

  #saveInput(): SaveInput {
    return {
      instances: [...this.#instances.all((id, wireId) => this.#carried.isTaken(id, wireId))],
      collections: this.#instances.collections(),
      carried: this.#carried,
      lock: this.#lockForSave(),
      everKnown: this.#everKnown,
      blocks: this.#blocks.values(),
      codec: this.#codec,
      codecUse: this.codecUse,
    };
  }

  /** The buffer of the last save, unless a hook that saves is using it. */
  #takeScratch(): ByteWriter {
    const out = this.#scratch ?? new ByteWriter();
    this.#scratch = undefined;
    return out;
  }

  /**
   * Does beforehand what the first save in these versions, or the first load of a stream that was saved in them, would
   * have to do besides: a program that freezes has no time for it.
   */
  prepare(use: "save" | "load", versionIds: VersionIds = {}): void {
    if (this.#codec === "reference") return;
    const versionOf = ({ name, versionId }: Description): number =>
      Object.hasOwn(versionIds, name) ? versionIds[name]! : versionId;
    for (const description of this.#instances.descriptions()) generateCode(use, description, versionOf);
  }

  /** Refuses every save with a reason, until the function that it gives is called. */
  block(reason: string): () => void {
    const mark = Symbol(reason);
    this.#blocks.set(mark, reason);
    return () => void this.#blocks.delete(mark);
  }

  /** Why registered objects cannot be saved just now; empty if they can. */
  blocked(): readonly BlockReason[] {
    return blockReasons(this.#instances.all(), this.#blocks.values());
  }

  /**
   * Loads a stream into the registered objects, all or nothing: everything is read and checked before anything is
   * changed. What is in the stream and not known here is carried: the next save writes it again.
   */
  load(stream: Uint8Array, options: LoadOptions = {}): LoadReport {
    this.#phases.assertAllowed("load");
    const source = this.#wholeOf(stream, options);
    const read = this.#phases.during("reading", () =>
      readWhole(source, this.#instances, crc32, options.partial),
    );
    const snapshot = options.undo === false ? undefined : new Snapshot();
    const carriedBefore = this.#carried;
    // Before the objects are filled, so that what their hooks register claims what this stream has for it.
    this.#carried = read.carried;
    this.#lockWithCarried = undefined;
    const [claims, folioAt] = [new Claims(), sharedFolios(this.#folioAt)];
    claims.roots(this.#instances.objects());
    this.#filling = { snapshot, claims, folioAt, report: read.report };
    try {
      const { isZeroCopy } = source;
      const fill = () => fillWhole(read, { snapshot, claims, folioAt, isZeroCopy });
      this.#instances.attempt(() => this.#phases.during("loading", fill));
    } catch (error) {
      this.#carried = carriedBefore;
      this.#forgetLock();
      throw error;
    } finally {
      this.#filling = undefined;
    }
    this.#lockForSave();
    return read.report.done();
  }

  /**
   * Reads and checks a stream as `load` does before it changes anything, and throws what that would throw. Neither
   * objects are changed nor hooks called; `equal` fields are compared only by a load.
   */
  verify(stream: Uint8Array, options: SourceOptions = {}): void {
    const source = this.#wholeOf(stream, options);
    this.#phases.during("reading", () => readWhole(source, this.#instances, crc32));
  }

  /** Loads a stream into objects of its own and forgets them: changes nothing, and calls no hook. */
  tryLoad(stream: Uint8Array): void {
    const source = this.#wholeOf(stream, {});
    this.#phases.during("reading", () => tryWhole(source, this.#instances, crc32));
  }

  /** Whether saving calls hooks of the program's around an object. */
  get hasSaveHooks(): boolean {
    return [...this.#instances.known()].some(({ hooks }) => (hooks.preSave ?? hooks.postSave) !== undefined);
  }

  /** Restores one instance, registered or not: the kernel's `kstate_restore`. Throws `INSTANCE_NOT_FOUND`. */
  restore<D extends Description>(
    description: D,
    object: StateOf<D> & object,
    instanceId: InstanceId,
    stream: Uint8Array,
    options: LoadOptions = {},
  ): LoadReport {
    const isRead = (id: number) => id === description.id;
    const source = this.#sourceOf(stream, ownLock([description]), options, isRead);
    const headers = source.body.sections.find(({ section }) =>
      isOf(source, section, description, instanceId),
    );
    if (headers === undefined) throw notFound(description, instanceId);
    const report = new ReportBuilder();
    const target: Target = { description, object, instanceId };
    const section = new SectionReader(source, report).read(headers, target, ({ id }) =>
      report.ignored(description.name, id),
    );
    applySections([section], report, {
      snapshot: options.undo === false ? undefined : new Snapshot(),
      folioAt: sharedFolios(this.#folioAt),
      isZeroCopy: source.isZeroCopy,
    });
    return report.done();
  }

  /** Whether what is carried may have the folio of this address: its bytes are in there. */
  mayCarryFolio(address: number): boolean {
    return this.#carried.mentions(address);
  }

  /** All registered descriptions as plain JSON, those inside them included. Prepared once. */
  lockRecord(): LockRecord {
    return this.#ownLock().record;
  }

  /** Of a foreign stream what nobody registered is ignored; of ours it is carried. */
  #wholeOf(stream: Uint8Array, options: LoadOptions): Source {
    const isKnown = (id: number) => this.#instances.descriptionOf(id) !== undefined;
    return this.#sourceOf(stream, this.#ownLock(), options, options.foreign === true ? isKnown : undefined);
  }

  #sourceOf(
    stream: Uint8Array,
    own: OwnLock,
    options: LoadOptions,
    isRead?: (id: number) => boolean,
  ): Source {
    const source = new Source(stream, own, crc32, options, isRead);
    source.isZeroCopy = options.zeroCopy ?? false;
    source.codec = this.#codec;
    source.codecUse = this.codecUse;
    return source;
  }

  #ownLock(): OwnLock {
    this.#lock ??= ownLock(this.#instances.descriptions());
    return this.#lock;
  }

  #lockForSave(): OwnLock {
    if (this.#carried.isEmpty) return this.#ownLock();
    this.#lockWithCarried ??= withCarried(this.#ownLock(), this.#carried.recordsInUse());
    return this.#lockWithCarried;
  }

  #forgetLock(): void {
    this.#lock = undefined;
    this.#lockWithCarried = undefined;
  }
}

function isOf(
  source: Source,
  section: { readonly index: number; readonly id: number; readonly instanceId: number },
  description: Description,
  instanceId: InstanceId,
): boolean {
  if (section.id !== description.id) return false;
  const key = source.noteOf(section)?.key;
  if (typeof instanceId === "number") return key === undefined && section.instanceId === instanceId;
  return source.isForeign ? section.instanceId === keyId(instanceId, crc32) : key === instanceId;
}

function notFound(description: Description, instanceId: InstanceId): KstateError {
  return new KstateError(
    "INSTANCE_NOT_FOUND",
    `cannot restore ${instanceText(description.name, instanceId)}: the stream does not have it`,
    { description: description.name, instanceId: String(instanceId) },
  );
}
