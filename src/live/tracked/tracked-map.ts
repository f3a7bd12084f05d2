import { crc32 } from "node:zlib";
import {
  type AnyField,
  bool,
  type Description,
  defineState,
  list,
  map,
  reachable,
  someKind,
  u32,
  type ValueOf,
} from "../../description/index.ts";
import { KstateError } from "../../error/index.ts";
import { Changes } from "./changes.ts";

export interface TrackedMapOptions<K extends AnyField, V extends AnyField> {
  /** Kind of the keys: scalars, strings, enumerations. */
  readonly key: K;
  /** Kind of the values: `struct(description)`, or any other without `ref` and `folio`. */
  readonly value: V;
  /** The most entries that are saved and loaded. */
  readonly max: number;
}

/** What of a map is in one stream: everything, or what brings a copy up to date. */
export interface TrackedRecord<K, V> {
  /** 0 for everything; else the pre-copy that this continues. */
  base: number;
  cleared: boolean;
  removed: K[];
  entries: Map<K, V>;
}

/**
 * A `Map` that the next version has nearly all of before this one freezes: it records what changes. During an update its
 * entries are sent in slices while the program serves, then what has changed meanwhile, until little is left; the freeze
 * sends only that. Hand it to `live.track`.
 *
 * `set`, `delete` and `clear` are noticed. **A change inside a value is not: say `touch(key)` after it**, or set the
 * value again. What is not declared is lost with the next update.
 */
export class TrackedMap<K, V> implements ReadonlyMap<K, V> {
  readonly name: string;
  /** @internal What is registered; shared by slices and the freeze. */
  readonly description: Description<TrackedRecord<K, V>>;
  /** @internal */
  readonly record: TrackedRecord<K, V>;
  #map = new Map<K, V>();
  #changes: Changes<K> | undefined;
  /** The pre-copy that arrived here, until the state has been loaded. */
  #arrived = 0;

  /** @internal Made by {@link trackedMap}. */
  constructor(name: string, key: AnyField, value: AnyField, max: number) {
    this.name = name;
    const description = `kstate.tracked_map.${name}`;
    this.description = defineState({
      name: description,
      id: crc32(description) >>> 1, // ids are not negative
      fields: [
        ["base", u32],
        ["cleared", bool],
        ["removed", list(key, { max: 2 * max })],
        ["entries", map(key, value, { max })],
      ],
      postLoad: (record) => this.#loaded(record as TrackedRecord<K, V>),
    }) as unknown as Description<TrackedRecord<K, V>>;
    assertDivisible(name, this.description);
    this.record = { base: 0, cleared: false, removed: [], entries: this.#map };
  }

  get size(): number {
    return this.#map.size;
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  has(key: K): boolean {
    return this.#map.has(key);
  }

  set(key: K, value: V): this {
    this.#changes?.noteSet(key, !this.#map.has(key));
    this.#map.set(key, value);
    return this;
  }

  /** Says that the value of a key was changed in itself; gives it. */
  touch(key: K): V | undefined {
    const value = this.#map.get(key);
    if (this.#changes !== undefined && this.#map.has(key)) this.#changes.noteSet(key, false);
    return value;
  }

  delete(key: K): boolean {
    if (!this.#map.delete(key)) return false;
    this.#changes?.noteDelete(key);
    return true;
  }

  clear(): void {
    this.#changes?.noteClear();
    this.#map.clear();
  }

  keys(): MapIterator<K> {
    return this.#map.keys();
  }

  values(): MapIterator<V> {
    return this.#map.values();
  }

  entries(): MapIterator<[K, V]> {
    return this.#map.entries();
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.#map.entries();
  }

  forEach(callback: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this.#map) callback(value, key, this);
  }

  /** @internal Begins a round: what has changed until now, with new notes from now on; undefined in the first. */
  nextRound(): Changes<K> | undefined {
    const before = this.#changes;
    this.#changes = new Changes();
    return before;
  }

  /** @internal How much has changed since the last round began. */
  get changed(): number {
    return this.#changes?.size ?? 0;
  }

  /** @internal For the freeze: the record has what has changed since the pre-copy `base`. */
  presentChanges(base: number): void {
    const changes = this.#changes!;
    this.record.base = base;
    this.record.cleared = changes.cleared;
    this.record.removed = [...changes.removed];
    this.record.entries = new Map();
    for (const key of changes.set) this.record.entries.set(key, this.#map.get(key)!);
  }

  /** @internal Nothing is noted any more, and the record has everything. */
  endRounds(): void {
    this.#changes = undefined;
    this.presentAll();
  }

  /** @internal The record has everything again. */
  presentAll(): void {
    this.record.base = 0;
    this.record.cleared = false;
    this.record.removed = [];
    this.record.entries = this.#map;
  }

  /** @internal Takes a slice of the pre-copy `base`, in a successor. */
  takeSlice(slice: TrackedRecord<K, V>, base: number): void {
    if (this.#arrived !== base) {
      this.#map = new Map(); // the first slice, perhaps after a pre-copy that was given up
      this.#arrived = base;
    }
    this.#apply(slice);
    this.record.entries = new Map(); // the freeze brings changes, or everything: neither goes into this copy
  }

  /** The state has been loaded: from the freeze, a file, or a checkpoint. */
  #loaded(record: TrackedRecord<K, V>): void {
    if (record !== this.record) return; // a slice
    if (record.base === 0) this.#map = record.entries;
    else if (record.base === this.#arrived) this.#apply(record);
    else throw new Error(`changes of ${this.name} came without the entries that they belong to`);
    this.#arrived = 0;
    this.endRounds();
  }

  #apply({ cleared, removed, entries }: TrackedRecord<K, V>): void {
    if (cleared) this.#map.clear();
    for (const key of removed) this.#map.delete(key);
    for (const [key, value] of entries) this.#map.set(key, value);
  }
}

/**
 * Makes a tracked map; `name` is its name in all versions. Throws `DESCRIPTION_INVALID` for kinds that cannot be sent
 * in parts.
 */
export function trackedMap<K extends AnyField, V extends AnyField>(
  name: string,
  { key, value, max }: TrackedMapOptions<K, V>,
): TrackedMap<ValueOf<K>, ValueOf<V>> {
  return new TrackedMap(name, key, value, max);
}

/** Parts of a map are streams of their own: what several values share would be there several times. */
function assertDivisible(name: string, description: Description): void {
  for (const { name: inside, fields } of reachable([description])) {
    for (const field of fields) {
      if (!someKind(field.kind, ({ kind }) => kind === "ref" || kind === "folio")) continue;
      const problem = "a ref or a folio, which entries that are sent one by one cannot have";
      throw new KstateError(
        "DESCRIPTION_INVALID",
        `cannot define the tracked map ${name}: ${inside}.${field.name} is ${problem}; use a Map in a registered state`,
        { description: name, field: `${inside}.${field.name}`, problem },
      );
    }
  }
}
