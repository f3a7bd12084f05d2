import { type Description, unwritableField, type VersionIds } from "../description/index.ts";
import { isKstateError, KstateError } from "../error/index.ts";
import {
  type ByteWriter,
  type CodecChoice,
  type CodecUse,
  type Crc32,
  Encoder,
  type EntryNote,
  endMark,
  entryHeaderSize,
  type Root,
  sectionType,
  streamMagic,
  subsectionType,
  writeTrailer,
} from "../stream/index.ts";
import { type Carried, type CarriedEntry, noteOfCarried } from "./carried.ts";
import { assertKeysApart } from "./foreign-ids.ts";
import { type Collection, type Instance, instanceText } from "./instance.ts";
import { assertKernelCanRead, KernelPlaces } from "./kernel.ts";
import type { OwnLock } from "./own-lock.ts";
import { WireIds } from "./wire-ids.ts";

export interface SaveOptions {
  /**
   * Whether the trailer follows the end mark. True unless given; false is for a kernel that reads the stream. What is
   * carried is then left out.
   */
  readonly trailer?: boolean;
  /** Versions to write, by name of description, as `negotiate` gives them. The newest unless given. */
  readonly versionIds?: VersionIds;
  /** Whether the trailer has a CRC-32 of the data. True unless given; a handover between processes needs none. */
  readonly dataChecksum?: boolean;
  /** A buffer to write into; the result is a part of it. A new one unless given. Throws `STREAM_FULL`. */
  readonly into?: Uint8Array;
  /** Whether `STREAM_FULL` may come although the stream would just have fitted; it comes sooner then. False unless given. */
  readonly fullEarly?: boolean;
  /**
   * Told of each instance that cannot be saved, and why; the stream is then without it, and with all the others. Unless
   * given, one that cannot be saved fails the save. What this makes is loaded with `{ partial: true }`.
   */
  readonly onRefused?: (instance: string, error: unknown) => void;
}

/** What there is to save. */
export interface SaveInput {
  readonly instances: readonly Instance[];
  /** Maps whose instances are among them. */
  readonly collections: readonly Collection[];
  readonly carried: Carried;
  /** With the records of what is carried. */
  readonly lock: OwnLock;
  /** Names of descriptions that were registered before. */
  readonly everKnown: ReadonlySet<string>;
  /** Reasons that were given to the registry itself. */
  readonly blocks: Iterable<string>;
  readonly codec: CodecChoice;
  readonly codecUse: CodecUse;
  /** The most elements of a list, set or map; all unless given. */
  readonly most?: number;
}

interface WrittenEntry {
  readonly offset: number;
  readonly size: number;
  readonly note: EntryNote;
}

/** Writes a whole stream to `out`. */
export function saveStream(out: ByteWriter, input: SaveInput, crc32: Crc32, options: SaveOptions): void {
  const { trailer = true, versionIds = {}, dataChecksum = true } = options;
  const { lock, carried } = input;
  assertNamesKnown(versionIds, input);
  const versionOf = versionChoice(versionIds, lock);
  const counts = input.collections.map(({ objects }) => objects.size);
  const instances = input.instances.filter(
    ({ description, object }) => description.hooks.needed?.(object) !== false,
  );
  if (options.onRefused === undefined) assertNotBlocked(instances, input.blocks);
  if (!trailer) {
    for (const description of distinct(instances)) assertKernelCanRead(description, versionOf);
    assertKeysApart(instances, crc32);
  }
  out.offset = 0;
  out.u32(streamMagic);
  const entries = writeInstances(out, input, instances, versionOf, options);
  if (options.onRefused === undefined) assertSameMaps(input, counts);
  if (trailer) entries.push(...writeCarriedSections(out, instances, carried, crc32));
  out.i32(endMark);
  if (trailer) writeTrailer(out, entries, lock.text, { dataChecksum, crc32 });
}

/** Writes every instance, or with `onRefused` every one that can be. */
function writeInstances(
  out: ByteWriter,
  { carried, codec: choice, codecUse: use, most }: SaveInput,
  instances: readonly Instance[],
  versionOf: (description: Description) => number,
  { trailer = true, fullEarly, onRefused }: SaveOptions,
): WrittenEntry[] {
  const entries: WrittenEntry[] = [];
  const places = trailer ? undefined : new KernelPlaces();
  const newEncoder = (): Encoder =>
    new Encoder(out, versionOf, { choice, use, fullEarly, most, roots: () => rootsOf(instances) });
  let encoder = newEncoder();
  for (const instance of instances) {
    const before = { offset: out.offset, entries: entries.length };
    try {
      if (onRefused !== undefined) assertNotBlocked([instance], []);
      writeInstance(encoder, instance, entries, places);
      if (trailer) writeCarriedSubsections(out, instance, carried, entries);
    } catch (error) {
      if (onRefused === undefined || isKstateError(error, "STREAM_FULL")) throw error;
      onRefused(instanceText(instance.description.name, instance.instanceId), error);
      out.offset = before.offset;
      entries.length = before.entries;
      encoder = newEncoder(); // the one before has stopped in the middle of the instance
    }
  }
  return entries;
}

function* rootsOf(instances: readonly Instance[]): Iterable<Root> {
  for (const { description, object, instanceId } of instances)
    yield { description, object, text: instanceText(description.name, instanceId) };
}

/** An instance that a hook or a getter put into a map meanwhile would be missing, and nobody would know. */
function assertSameMaps({ collections, instances }: SaveInput, counts: readonly number[]): void {
  const hooked = new Map<Description, Collection>();
  for (const [i, collection] of collections.entries()) {
    const { description, objects } = collection;
    if (objects.size !== counts[i]) throw mapChanged(description, counts[i]!, String(objects.size));
    const { preSave, postSave, needed, block } = description.hooks;
    if ((preSave ?? postSave ?? needed ?? block) !== undefined) hooked.set(description, collection);
  }
  if (hooked.size === 0) return;
  for (const { description, instanceId, object } of instances) {
    const objects = hooked.get(description)?.objects;
    if (objects !== undefined && objects.get(instanceId) !== object)
      throw mapChanged(description, objects.size, "others");
  }
}

function mapChanged({ name, versionId }: Description, count: number, found: string): KstateError {
  const expected = `the ${count} ${count === 1 ? "instance" : "instances"} that its map had when the save began`;
  return new KstateError(
    "VALUE_INVALID",
    `cannot save ${name}: expected ${expected}, found ${found}; change it before the save or afterwards`,
    { path: name, description: `${name}@${versionId}`, offset: -1, expected, found },
  );
}

function writeInstance(
  encoder: Encoder,
  { description, object, instanceId, wireId }: Instance,
  entries: WrittenEntry[],
  places: KernelPlaces | undefined,
): void {
  const key = typeof instanceId === "string" ? instanceId : undefined;
  encoder.trace.start(instanceText(description.name, instanceId));
  encoder.writeSection(description, wireId, object, (own, offset, size) => {
    const { name } = own;
    places?.add(own, description, instanceId, wireId);
    entries.push({ offset, size, note: { name, key, carried: 0 } });
  });
}

function writeCarriedSubsections(
  out: ByteWriter,
  { description, object, instanceId, wireId }: Instance,
  carried: Carried,
  entries: WrittenEntry[],
): void {
  const key = typeof instanceId === "string" ? instanceId : undefined;
  for (const entry of carried.subsectionsOf(description.id, instanceId, object)) {
    entries.push(writeCarried(out, subsectionType, entry, wireId, key));
  }
}

function* writeCarriedSections(
  out: ByteWriter,
  instances: readonly Instance[],
  carried: Carried,
  crc32: Crc32,
): Generator<WrittenEntry> {
  const taken = new Set(
    carried.isEmpty ? [] : instances.map(({ description, wireId }) => `${description.id} ${wireId}`),
  );
  const keyIds = new Map<number, WireIds>();
  for (const section of carried.sections()) {
    const isTaken = (wireId: number) => taken.has(`${section.id} ${wireId}`);
    const ids = keyIds.get(section.id) ?? new WireIds(crc32);
    keyIds.set(section.id, ids);
    const wireId = section.key === undefined ? section.wireId : ids.idOf(section.key, isTaken);
    taken.add(`${section.id} ${wireId}`);
    yield writeCarried(out, sectionType, section, wireId, section.key);
    for (const entry of section.subsections)
      yield writeCarried(out, subsectionType, entry, wireId, section.key);
  }
}

function writeCarried(
  out: ByteWriter,
  type: number,
  entry: CarriedEntry,
  wireId: number,
  key: string | undefined,
): WrittenEntry {
  const offset = out.offset;
  out.reserve(entryHeaderSize);
  out.i32(type);
  out.i32(entry.id);
  out.i32(entry.versionId);
  out.i32(wireId);
  out.u32(entry.data.length);
  out.bytes(entry.data);
  return { offset, size: entry.data.length, note: noteOfCarried(entry, key) };
}

function distinct(instances: readonly Instance[]): Set<Description> {
  return new Set(instances.map(({ description }) => description));
}

/** A reason why nothing can be saved now, and whose it is. */
export interface BlockReason {
  /** The instance; empty for a reason given to the registry itself. */
  readonly description: string;
  readonly reason: string;
}

function assertNotBlocked(instances: readonly Instance[], blocks: Iterable<string>): void {
  const reasons = blockReasons(instances, blocks);
  if (reasons.length === 0) return;
  const texts = reasons.map(({ description, reason }) =>
    description === "" ? reason : `${description}: ${reason}`,
  );
  throw new KstateError("BLOCKED", `cannot save now: ${texts.join("; ")}`, { reasons });
}

/** Why objects cannot be saved just now. */
export function blockReasons(instances: Iterable<Instance>, blocks: Iterable<string>): BlockReason[] {
  const reasons: BlockReason[] = Array.from(blocks, (reason) => ({ description: "", reason }));
  for (const { description, object, instanceId } of instances) {
    const reason = description.hooks.block?.(object);
    if (typeof reason === "string")
      reasons.push({ description: instanceText(description.name, instanceId), reason });
  }
  return reasons;
}

/** A misspelt name would let something be written in another version than was meant. */
function assertNamesKnown(versionIds: VersionIds, { lock, everKnown }: SaveInput): void {
  for (const name of Object.keys(versionIds)) {
    if (lock.byName.has(name) || everKnown.has(name)) continue;
    const known = [...lock.byName.keys()];
    const shown =
      known.length > 10 ? `${known.slice(0, 10).join(", ")} and ${known.length - 10} more` : known.join(", ");
    throw new KstateError(
      "DESCRIPTION_UNKNOWN",
      `cannot save: versionIds names ${name}, and nothing of that name is registered; there is ${shown || "nothing"}`,
      { name, known },
    );
  }
}

/** Which version of a description to write; asked for each object, so answered from a map. */
function versionChoice(versionIds: VersionIds, lock: OwnLock): (description: Description) => number {
  const chosen = new Map<Description, number>();
  return (description) => {
    const known = chosen.get(description);
    if (known !== undefined) return known;
    const asked = Object.hasOwn(versionIds, description.name) ? versionIds[description.name] : undefined;
    const versionId = asked ?? description.versionId;
    assertWritable(description, versionId, lock);
    chosen.set(description, versionId);
    return versionId;
  };
}

function assertWritable(description: Description, versionId: number, lock: OwnLock): void {
  const { name, minVersionId: lowest, versionId: highest } = description;
  const isInside = Number.isInteger(versionId) && lowest <= versionId && versionId <= highest;
  const field = isInside ? unwritableField(lock.byName.get(name)?.fields ?? [], versionId) : undefined;
  if (isInside && field === undefined) return;
  const problem = isInside
    ? `its field ${field} is not there any more; give it until(…, { save }) to write older versions`
    : `it can be written in ${lowest} to ${highest}`;
  throw new KstateError("VERSION_NOT_WRITABLE", `cannot save ${name} in version ${versionId}: ${problem}`, {
    description: name,
    versionId,
    lowest,
    highest,
    field: field ?? null,
  });
}
