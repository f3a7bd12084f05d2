import { type Description, unwritableField, type VersionIds } from "../description/index.ts";
import { KstateError } from "../error/index.ts";
import {
  ByteWriter,
  type Crc32,
  Encoder,
  type EntryNote,
  endMark,
  streamMagic,
  writeTrailer,
} from "../stream/index.ts";
import { type Instance, instanceText } from "./instance.ts";
import { assertKernelCanRead } from "./kernel.ts";
import type { OwnLock } from "./own-lock.ts";

export interface SaveOptions {
  /** Whether the trailer follows the end mark. True unless given; false is for a kernel that reads the stream. */
  readonly trailer?: boolean;
  /** Versions to write, by name of description, as `negotiate` gives them. The newest unless given. */
  readonly versionIds?: VersionIds;
  /** Whether the trailer has a CRC-32 of the data. True unless given; a handover between processes needs none. */
  readonly dataChecksum?: boolean;
  /** A buffer to write into; the result is a part of it. A new one unless given. */
  readonly into?: Uint8Array;
}

interface WrittenEntry {
  readonly offset: number;
  readonly size: number;
  readonly note: EntryNote;
}

/** Writes a whole stream. `scratch` is a buffer that is kept from save to save. */
export function saveStream(
  instances: Iterable<Instance>,
  lock: OwnLock,
  scratch: ByteWriter,
  crc32: Crc32,
  options: SaveOptions,
): Uint8Array {
  const { trailer = true, versionIds = {}, dataChecksum = true, into } = options;
  const out = into === undefined ? scratch : new ByteWriter(into);
  const versionOf = versionChoice(versionIds, lock);
  const all = [...instances].filter(
    ({ description, object }) => description.hooks.needed?.(object) !== false,
  );
  assertNotBlocked(all);
  if (!trailer) for (const description of distinct(all)) assertKernelCanRead(description, versionOf);
  out.offset = 0;
  out.u32(streamMagic);
  const entries: WrittenEntry[] = [];
  const encoder = new Encoder(out, versionOf);
  for (const { description, object, instanceId, wireId } of all) {
    const key = typeof instanceId === "string" ? instanceId : undefined;
    encoder.trace.start(instanceText(description.name, instanceId));
    encoder.writeSection(description, wireId, object, ({ name }, offset, size) => {
      entries.push({ offset, size, note: { name, key, carried: 0 } });
    });
  }
  out.i32(endMark);
  if (trailer) writeTrailer(out, entries, lock.text, { dataChecksum, crc32 });
  return into === undefined ? out.written.slice() : out.written;
}

function distinct(instances: readonly Instance[]): Set<Description> {
  return new Set(instances.map(({ description }) => description));
}

function assertNotBlocked(instances: readonly Instance[]): void {
  const reasons = blockReasons(instances);
  if (reasons.length === 0) return;
  const texts = reasons.map(({ description, reason }) => `${description}: ${reason}`);
  throw new KstateError("BLOCKED", `cannot save now: ${texts.join("; ")}`, { reasons });
}

/** Why objects cannot be saved just now. */
export function blockReasons(instances: Iterable<Instance>): { description: string; reason: string }[] {
  const reasons: { description: string; reason: string }[] = [];
  for (const { description, object, instanceId } of instances) {
    const reason = description.hooks.block?.(object);
    if (typeof reason === "string")
      reasons.push({ description: instanceText(description.name, instanceId), reason });
  }
  return reasons;
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
