import type { Description } from "../description/index.ts";
import { KstateError } from "../error/index.ts";
import type { Crc32 } from "../stream/index.ts";
import { type Instance, type InstanceId, instanceText } from "./instance.ts";
import type { Instances } from "./instances.ts";
import { keyId } from "./wire-ids.ts";

/** Which instance a number in a stream without a trailer stands for: itself, or the key whose CRC-32 it is. */
export class ForeignIds {
  readonly #instances: Instances;
  readonly #crc32: Crc32;
  readonly #byId = new Map<number, ReadonlyMap<number, readonly InstanceId[]>>();

  constructor(instances: Instances, crc32: Crc32) {
    this.#instances = instances;
    this.#crc32 = crc32;
  }

  /** Undefined if there is none. Throws `KEYS_COLLIDE` if there are several. */
  find(description: Description, wireId: number): InstanceId | undefined {
    const found = this.#idsOf(description).get(wireId) ?? [];
    if (found.length > 1) throw keysCollide("load", description, found);
    return found[0];
  }

  /** Whether all instances of a description have keys, so that a number that is none of theirs means nothing. */
  hasKeysOnly(description: Description): boolean {
    const ids = [...this.#idsOf(description).values()].flat();
    return ids.length > 0 && ids.every((instanceId) => typeof instanceId === "string");
  }

  #idsOf(description: Description): ReadonlyMap<number, readonly InstanceId[]> {
    const known = this.#byId.get(description.id);
    if (known !== undefined) return known;
    const ids = new Map<number, InstanceId[]>();
    for (const { instanceId } of this.#instances.ofDescription(description.id)) {
      const wireId = typeof instanceId === "number" ? instanceId : keyId(instanceId, this.#crc32);
      ids.set(wireId, [...(ids.get(wireId) ?? []), instanceId]);
    }
    this.#byId.set(description.id, ids);
    return ids;
  }
}

/** Throws `KEYS_COLLIDE` unless every key's number in a stream without a trailer is its CRC-32. */
export function assertKeysApart(instances: readonly Instance[], crc32: Crc32): void {
  for (const { description, instanceId, wireId } of instances) {
    if (typeof instanceId === "number" || keyId(instanceId, crc32) === wireId) continue;
    const isOther = (other: Instance) =>
      other.description === description &&
      other.instanceId !== instanceId &&
      idOf(other, crc32) === keyId(instanceId, crc32);
    const other = instances.find(isOther);
    throw keysCollide(
      "save",
      description,
      other === undefined ? [instanceId] : [other.instanceId, instanceId],
    );
  }
}

function idOf({ instanceId }: Instance, crc32: Crc32): number {
  return typeof instanceId === "number" ? instanceId : keyId(instanceId, crc32);
}

function keysCollide(
  call: "save" | "load",
  { name }: Description,
  ids: readonly InstanceId[],
): KstateError<"KEYS_COLLIDE"> {
  const texts = ids.map((instanceId) => instanceText(name, instanceId)).join(" and ");
  const which = call === "save" ? "without a trailer" : "without a trailer (foreign)";
  return new KstateError(
    "KEYS_COLLIDE",
    `cannot ${call} ${which}: ${texts} have one number, since a string key stands as its CRC-32; give one another key or number`,
    { description: name, instanceIds: ids.map(String) },
  );
}
