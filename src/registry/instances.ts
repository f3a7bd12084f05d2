import { type Description, picture, reachable } from "../description/index.ts";
import { KstateError } from "../error/index.ts";
import type { Crc32 } from "../stream/index.ts";
import { type Instance, type InstanceId, instanceText } from "./instance.ts";

/** The instances of one description. */
interface Group {
  readonly description: Description;
  readonly byWireId: Map<number, Instance>;
  readonly byKey: Map<string, Instance>;
}

/** What is registered, in the order of registration. */
export class Instances {
  readonly #crc32: Crc32;
  readonly #groups = new Map<number, Group>();
  readonly #all = new Set<Instance>();
  /** Every description that is registered or part of one that is, by id and by name. */
  #byId = new Map<number, Description>();
  #byName = new Map<string, Description>();

  constructor(crc32: Crc32) {
    this.#crc32 = crc32;
  }

  [Symbol.iterator](): IterableIterator<Instance> {
    return this.#all.values();
  }

  get size(): number {
    return this.#all.size;
  }

  /** Registered descriptions, without those inside them. */
  descriptions(): Description[] {
    return [...this.#groups.values()].map(({ description }) => description);
  }

  /** The registered description with that id. */
  descriptionOf(id: number): Description | undefined {
    return this.#groups.get(id)?.description;
  }

  find(description: Description, instanceId: InstanceId): Instance | undefined {
    const group = this.#groups.get(description.id);
    if (group === undefined || group.description !== description) return undefined;
    if (typeof instanceId === "string") return group.byKey.get(instanceId);
    const instance = group.byWireId.get(instanceId);
    return instance?.instanceId === instanceId ? instance : undefined;
  }

  /** The instance that a section of a stream belongs to. A key decides; without one, the id in the stream. */
  match(id: number, wireId: number, key: string | undefined, isForeign: boolean): Instance | undefined {
    const group = this.#groups.get(id);
    if (key !== undefined) return group?.byKey.get(key);
    const instance = group?.byWireId.get(wireId);
    return isForeign || typeof instance?.instanceId === "number" ? instance : undefined;
  }

  /** Whether the description is the first of its kind, so that the lock record changes. */
  add(description: Description, object: object, instanceId: InstanceId, isOptional: boolean): boolean {
    if (typeof object !== "object" || object === null) {
      throw new TypeError(`register(${description.name}): expected an object, got ${picture(object)}`);
    }
    assertInstanceId(description, instanceId);
    const known = this.#groups.get(description.id);
    if (known?.description !== description) this.#assertNoConflict(description);
    const group = known ?? { description, byWireId: new Map(), byKey: new Map() };
    const taken =
      typeof instanceId === "string" ? group.byKey.get(instanceId) : group.byWireId.get(instanceId);
    if (taken !== undefined && taken.instanceId === instanceId) throw exists(description, instanceId);
    const wireId = typeof instanceId === "string" ? this.#wireIdOf(instanceId, group) : instanceId;
    if (taken !== undefined) this.#move(taken, group);
    const instance = { description, object, instanceId, wireId, isOptional };
    group.byWireId.set(wireId, instance);
    if (typeof instanceId === "string") group.byKey.set(instanceId, instance);
    this.#all.add(instance);
    if (known !== undefined) return false;
    this.#groups.set(description.id, group);
    this.#index(description);
    return true;
  }

  /** Whether that was the last one of its description. */
  remove(description: Description, instanceId: InstanceId): boolean {
    const instance = this.find(description, instanceId);
    if (instance === undefined) {
      throw new KstateError(
        "NOT_REGISTERED",
        `unregister: ${instanceText(description.name, instanceId)} is not registered`,
        { description: description.name, instanceId: String(instanceId) },
      );
    }
    const group = this.#groups.get(description.id)!;
    group.byWireId.delete(instance.wireId);
    if (typeof instanceId === "string") group.byKey.delete(instanceId);
    this.#all.delete(instance);
    if (group.byWireId.size > 0) return false;
    this.#groups.delete(description.id);
    this.#byId = new Map();
    this.#byName = new Map();
    for (const other of this.#groups.values()) this.#index(other.description);
    return true;
  }

  /** CRC-32 of the key as int32, as the kernel's own users do; the next free one if that is taken. */
  #wireIdOf(key: string, group: Group): number {
    let wireId = this.#crc32(new TextEncoder().encode(key)) | 0;
    while (group.byWireId.has(wireId)) wireId = (wireId + 1) | 0;
    return wireId;
  }

  /** A key gives way to a number that was asked for by name. */
  #move(instance: Instance, group: Group): void {
    const moved = { ...instance, wireId: this.#wireIdOf(String(instance.instanceId), group) };
    group.byWireId.set(moved.wireId, moved);
    group.byKey.set(String(instance.instanceId), moved);
    const order = [...this.#all];
    this.#all.clear();
    for (const other of order) this.#all.add(other === instance ? moved : other);
  }

  #assertNoConflict(description: Description): void {
    for (const own of reachable([description])) {
      const other = [this.#byId.get(own.id), this.#byName.get(own.name)].find(
        (candidate) => candidate !== undefined && candidate !== own,
      );
      if (other !== undefined) throw conflict(own, other);
    }
    const seen = new Map<number | string, Description>();
    for (const own of reachable([description])) {
      for (const mark of [own.id, own.name]) {
        const other = seen.get(mark);
        if (other !== undefined) throw conflict(own, other);
        seen.set(mark, own);
      }
    }
  }

  #index(description: Description): void {
    for (const own of reachable([description])) {
      this.#byId.set(own.id, own);
      this.#byName.set(own.name, own);
    }
  }
}

function assertInstanceId(description: Description, instanceId: InstanceId): void {
  const isKey = typeof instanceId === "string" && instanceId !== "" && instanceId.length <= 4096;
  const isNumber = typeof instanceId === "number" && (instanceId | 0) === instanceId;
  if (isKey || isNumber) return;
  throw new TypeError(
    `register(${description.name}): an instance id is an int32 or a string of 1 to 4096 characters, got ${picture(instanceId)}`,
  );
}

function exists(description: Description, instanceId: InstanceId): KstateError {
  const text = instanceText(description.name, instanceId);
  return new KstateError(
    "INSTANCE_EXISTS",
    `register: ${text} is registered already; unregister it first or choose another instance id`,
    { description: description.name, instanceId: String(instanceId) },
  );
}

function conflict(own: Description, other: Description): KstateError {
  const same = own.id === other.id ? `id ${own.id}` : `name ${own.name}`;
  return new KstateError(
    "DESCRIPTION_CONFLICT",
    `register: two different descriptions, ${own} and ${other}, have the ${same}; give one of them another`,
    { name: own.name, id: own.id, other: other.name },
  );
}
