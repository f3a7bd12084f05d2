import { type Description, reachable } from "../description/index.ts";
import { KstateError } from "../error/index.ts";
import type { Crc32 } from "../stream/index.ts";
import { type Collection, type Instance, type InstanceId, instanceText } from "./instance.ts";
import { assertInstance, assertInstanceId } from "./invalid-instance.ts";
import { addRank } from "./order.ts";
import { WireIds } from "./wire-ids.ts";

/** The instances of one description: registered one by one, or all of a map. */
interface Group {
  readonly description: Description;
  readonly byWireId: Map<number, Instance>;
  readonly byKey: Map<string, Instance>;
  /** As what each object is registered: two sections of one description cannot fill the same. */
  readonly ids: Map<object, InstanceId>;
  readonly keyIds: WireIds;
  readonly collection: Collection | undefined;
}

interface State {
  readonly groups: Map<number, Group>;
  readonly order: Set<Instance | Collection>;
}

/** What is registered, in the order of registration. */
export class Instances {
  readonly #crc32: Crc32;
  #groups = new Map<number, Group>();
  #order = new Set<Instance | Collection>();
  /** Every description that is registered or part of one that is, by id and by name. */
  #byId = new Map<number, Description>();
  #byName = new Map<string, Description>();
  /** Descriptions whose `after` is known to form no circle. */
  readonly #ranks = new Map<Description, number>();
  /** What there was at a mark, once something has changed since. */
  #before: State | "unchanged" | undefined;

  constructor(crc32: Crc32) {
    this.#crc32 = crc32;
  }

  /**
   * Runs what may change what is registered. If it throws, everything is registered as before. A copy is made only when
   * something changes.
   */
  attempt<Result>(run: () => Result): Result {
    this.#before = "unchanged";
    try {
      return run();
    } catch (error) {
      this.#putBack();
      throw error;
    } finally {
      this.#before = undefined;
    }
  }

  #putBack(): void {
    if (typeof this.#before !== "object") return;
    this.#groups = this.#before.groups;
    this.#order = this.#before.order;
    this.#indexAll();
  }

  /** Before anything is changed. */
  #change(): void {
    if (this.#before !== "unchanged") return;
    const groups = new Map<number, Group>();
    for (const [id, group] of this.#groups)
      groups.set(id, {
        ...group,
        byWireId: new Map(group.byWireId),
        byKey: new Map(group.byKey),
        ids: new Map(group.ids),
        keyIds: new WireIds(this.#crc32),
      });
    this.#before = { groups, order: new Set(this.#order) };
  }

  /** Instances that were registered one by one. */
  *single(): IterableIterator<Instance> {
    for (const item of this.#order) if ("object" in item) yield item;
  }

  collections(): Collection[] {
    return [...this.#order].filter((item) => "objects" in item);
  }

  /** All instances, those of collections included; `isCarried` says which ids are not free. */
  *all(isCarried: (id: number, wireId: number) => boolean = () => false): IterableIterator<Instance> {
    for (const item of this.#order) {
      if ("object" in item) yield item;
      else yield* this.#expand(item, isCarried);
    }
  }

  get size(): number {
    let size = 0;
    for (const item of this.#order) size += "object" in item ? 1 : item.objects.size;
    return size;
  }

  /** All registered objects, those of collections included. */
  *objects(): IterableIterator<object> {
    for (const item of this.#order) {
      if ("object" in item) yield item.object;
      else yield* item.objects.values();
    }
  }

  /** Registered descriptions, without those inside them. */
  descriptions(): Description[] {
    return [...this.#groups.values()].map(({ description }) => description);
  }

  /** All that are registered or part of one that is. */
  known(): Iterable<Description> {
    return this.#byName.values();
  }

  /** The registered description with that id. */
  descriptionOf(id: number): Description | undefined {
    return this.#groups.get(id)?.description;
  }

  /** The description of that name, registered or part of one that is. */
  named(name: string): Description | undefined {
    return this.#byName.get(name);
  }

  /** The description of that id, registered or part of one that is. */
  numbered(id: number): Description | undefined {
    return this.#byId.get(id);
  }

  collectionOf(id: number): Collection | undefined {
    return this.#groups.get(id)?.collection;
  }

  find(description: Description, instanceId: InstanceId): Instance | undefined {
    const group = this.#groups.get(description.id);
    if (group === undefined || group.description !== description) return undefined;
    if (typeof instanceId === "string") return group.byKey.get(instanceId);
    const instance = group.byWireId.get(instanceId);
    return instance?.instanceId === instanceId ? instance : undefined;
  }

  /** Whether `remove` would find something. */
  has(description: Description, instanceId: InstanceId): boolean {
    const group = this.#groups.get(description.id);
    const isCollection = group?.collection !== undefined && group.description === description;
    return isCollection || this.find(description, instanceId) !== undefined;
  }

  /** The instance that a section of ours belongs to. A key decides; without one, the number in the stream. */
  match(id: number, wireId: number, key: string | undefined): Instance | undefined {
    const group = this.#groups.get(id);
    if (key !== undefined) return group?.byKey.get(key);
    const instance = group?.byWireId.get(wireId);
    return typeof instance?.instanceId === "number" ? instance : undefined;
  }

  /** The instances that were registered one by one under a description, or under its map. */
  *ofDescription(id: number): IterableIterator<Pick<Instance, "instanceId">> {
    const group = this.#groups.get(id);
    if (group?.collection === undefined) yield* group?.byWireId.values() ?? [];
    else for (const instanceId of group.collection.objects.keys()) yield { instanceId };
  }

  /** Whether the description is the first of its kind, so that the lock record changes. */
  add(
    description: Description,
    object: object,
    instanceId: InstanceId,
    isOptional: boolean,
    isCarried: (wireId: number) => boolean,
  ): boolean {
    assertInstance(description, object, instanceId);
    this.#change();
    const known = this.#groups.get(description.id);
    const group = this.#groupFor(description, undefined);
    if (group.collection !== undefined) throw exists(description, instanceId);
    const taken =
      typeof instanceId === "string" ? group.byKey.get(instanceId) : group.byWireId.get(instanceId);
    if (taken !== undefined && taken.instanceId === instanceId) throw exists(description, instanceId);
    const other = group.ids.get(object);
    if (other !== undefined) throw registeredAs(description, instanceId, other);
    const wireId = typeof instanceId === "string" ? this.#freeId(instanceId, group, isCarried) : instanceId;
    if (taken !== undefined) this.#move(taken, group, isCarried);
    const instance: Instance = { description, object, instanceId, wireId, isOptional };
    group.byWireId.set(wireId, instance);
    if (typeof instanceId === "string") group.byKey.set(instanceId, instance);
    group.ids.set(object, instanceId);
    this.#order.add(instance);
    return known === undefined;
  }

  addCollection(collection: Collection): void {
    this.#change();
    const { description } = collection;
    if (this.#groups.get(description.id)?.description === description) throw exists(description, "*");
    this.#groupFor(description, collection);
    this.#order.add(collection);
  }

  /** Whether that was the last one of its description. */
  remove(description: Description, instanceId: InstanceId): boolean {
    this.#change();
    const group = this.#groups.get(description.id);
    if (group?.collection !== undefined && group.description === description) {
      this.#order.delete(group.collection);
    } else {
      const instance = this.find(description, instanceId);
      if (group === undefined || instance === undefined) throw notRegistered(description, instanceId);
      group.byWireId.delete(instance.wireId);
      group.keyIds.forget();
      group.ids.delete(instance.object);
      if (typeof instanceId === "string") group.byKey.delete(instanceId);
      this.#order.delete(instance);
      if (group.byWireId.size > 0) return false;
    }
    this.#groups.delete(description.id);
    this.#indexAll();
    return true;
  }

  #indexAll(): void {
    this.#byId = new Map();
    this.#byName = new Map();
    this.#ranks.clear();
    for (const { description } of this.#groups.values()) this.#index(description);
  }

  *#expand(
    { description, objects }: Collection,
    isCarried: (id: number, wireId: number) => boolean,
  ): IterableIterator<Instance> {
    const taken = new Set<number>();
    const keyIds = new WireIds(this.#crc32);
    for (const instanceId of objects.keys()) {
      assertInstanceId("save", description, instanceId);
      if (typeof instanceId === "number") taken.add(instanceId);
    }
    for (const [instanceId, object] of objects) {
      const isTaken = (wireId: number) => taken.has(wireId) || isCarried(description.id, wireId);
      const wireId = typeof instanceId === "number" ? instanceId : keyIds.idOf(instanceId, isTaken);
      taken.add(wireId);
      yield { description, object, instanceId, wireId, isOptional: true };
    }
  }

  #groupFor(description: Description, collection: Collection | undefined): Group {
    const known = this.#groups.get(description.id);
    if (known?.description === description) return known;
    this.#assertNoConflict(description);
    addRank(description, this.#ranks);
    const group: Group = {
      description,
      byWireId: new Map(),
      byKey: new Map(),
      ids: new Map(),
      keyIds: new WireIds(this.#crc32),
      collection,
    };
    this.#groups.set(description.id, group);
    this.#index(description);
    return group;
  }

  #freeId(key: string, group: Group, isCarried: (wireId: number) => boolean): number {
    return group.keyIds.idOf(key, (wireId) => group.byWireId.has(wireId) || isCarried(wireId));
  }

  /** A key gives way to a number that was asked for by name. */
  #move(instance: Instance, group: Group, isCarried: (wireId: number) => boolean): void {
    const key = String(instance.instanceId);
    const moved = { ...instance, wireId: this.#freeId(key, group, isCarried) };
    group.byWireId.set(moved.wireId, moved);
    group.byKey.set(key, moved);
    this.#order = new Set([...this.#order].map((item) => (item === instance ? moved : item)));
  }

  #assertNoConflict(description: Description): void {
    const seen = new Map<number | string, Description>();
    for (const own of reachable([description])) {
      const others = [
        this.#byId.get(own.id),
        this.#byName.get(own.name),
        seen.get(own.id),
        seen.get(own.name),
      ];
      const other = others.find((candidate) => candidate !== undefined && candidate !== own);
      if (other !== undefined) throw conflict(own, other);
      seen.set(own.id, own).set(own.name, own);
    }
  }

  #index(description: Description): void {
    for (const own of reachable([description])) {
      this.#byId.set(own.id, own);
      this.#byName.set(own.name, own);
    }
  }
}

function exists(description: Description, instanceId: InstanceId): KstateError {
  const text = instanceId === "*" ? description.name : instanceText(description.name, instanceId);
  return new KstateError(
    "INSTANCE_EXISTS",
    `register: ${text} is registered already; unregister it first or choose another instance id`,
    { description: description.name, instanceId: String(instanceId) },
  );
}

function registeredAs(description: Description, instanceId: InstanceId, other: InstanceId): KstateError {
  const [own, known] = [instanceId, other].map((id) => instanceText(description.name, id));
  return new KstateError(
    "INSTANCE_EXISTS",
    `register: the object of ${own} is registered already as ${known}; each instance needs an object of its own`,
    { description: description.name, instanceId: String(other) },
  );
}

function notRegistered(description: Description, instanceId: InstanceId): KstateError {
  return new KstateError(
    "NOT_REGISTERED",
    `unregister: ${instanceText(description.name, instanceId)} is not registered`,
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
