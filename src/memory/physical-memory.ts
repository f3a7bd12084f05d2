import { KstateError } from "../error/index.ts";
import type { BackEnd } from "./back-end.ts";
import type { Folio } from "./folio.ts";
import {
  COLLECTION_OWNER,
  HANDOVER,
  HEADER_BYTES,
  MAX_ORDER,
  type MemoryState,
  PAGE_SIZE,
  WINDOW_BYTES,
} from "./layout.ts";
import { MappedMemory, type Run } from "./mapped-memory.ts";
import { dropStream, keepStream, readKept, settleStreams } from "./named-streams.ts";
import { OwnedMemory, type RoomRequest, runOf } from "./owned-memory.ts";
import { invalid, PreservedTable, type Snapshot } from "./preserved-table.ts";
import { readSuperblock, type Superblock } from "./superblock.ts";
import type { FolioRecord, Table } from "./table.ts";
import type { VerdictTable } from "./verdict.ts";

/** Of the superblock that new memory begins with. */
const FIRST_SEQUENCE = 1;

export interface KeepOptions {
  /** RUNNING unless given. */
  readonly state?: MemoryState;
  /** False unless given. */
  readonly preserveInUse?: boolean;
}

/**
 * The one memory object of a service, in which everything lives that outlasts a program: folios, named streams, and
 * the table of what is preserved. One program at a time owns it; its layout and the order of all writes are the
 * contract in `layout.ts`.
 */
export class PhysicalMemory {
  readonly #memory: MappedMemory;
  readonly #preserved: PreservedTable;
  /** Undefined while another program owns the memory. */
  #owner: OwnedMemory | undefined;
  /** Whether the memory is another program's for good: its pages must not be given back from here. */
  #isFenced = false;
  /** Folios that are in use here, by address. */
  readonly #folios = new Map<number, Folio>();

  private constructor(memory: MappedMemory) {
    this.#memory = memory;
    this.#preserved = new PreservedTable(memory);
  }

  /** Makes new, empty memory of a back end, owned by this program. */
  static create(backEnd: BackEnd): PhysicalMemory {
    const { capacity } = backEnd;
    if (capacity % PAGE_SIZE !== 0 || capacity <= HEADER_BYTES) {
      throw new RangeError(
        `the capacity has to be a multiple of ${PAGE_SIZE} above ${HEADER_BYTES}, not ${capacity}`,
      );
    }
    backEnd.allocate(0, HEADER_BYTES);
    const mapped = new MappedMemory(backEnd, "write");
    const empty = { generation: 0, tableCrc: 0, tableAddress: 0, tableLength: 0 };
    mapped.writeSuperblock({ state: "RUNNING", capacity, sequence: FIRST_SEQUENCE, ...empty });
    const memory = new PhysicalMemory(mapped);
    memory.own({ sweep: false });
    return memory;
  }

  /**
   * Maps memory that another program made. Folios can be read, and nothing can be stored, until `own`.
   * `MEMORY_INVALID` when it is not ours.
   */
  static attach(backEnd: BackEnd): PhysicalMemory {
    const memory = new PhysicalMemory(new MappedMemory(backEnd, "read"));
    const { capacity } = memory.superblock();
    if (capacity === backEnd.capacity) return memory;
    throw invalid(`it says that it has ${capacity} bytes and has ${backEnd.capacity}`);
  }

  /**
   * Maps a back end in which nothing is yet and fills it with the memory that somebody carried here, which may have been
   * smaller: `fill` is given the bytes of every range that it asks for, in any order, the superblocks' too. Everything
   * preserved has its pages then; until all of it is there, the memory is as new. Nobody owns it until `own`.
   * `MEMORY_INVALID` when what came is not ours.
   */
  static restore(
    backEnd: BackEnd,
    fill: (place: (address: number, lengthBytes: number) => Uint8Array) => void,
  ): PhysicalMemory {
    const { capacity } = backEnd;
    if (capacity <= HEADER_BYTES) throw invalid(`a memory of ${capacity} bytes has no room for its header`);
    backEnd.allocate(0, HEADER_BYTES);
    const mapped = new MappedMemory(backEnd, "write");
    const header = new Uint8Array(HEADER_BYTES);
    fill((address, lengthBytes) => {
      if (address + lengthBytes <= HEADER_BYTES) return header.subarray(address, address + lengthBytes);
      backEnd.allocate(address, lengthBytes);
      return mapped.bytesAt(address, lengthBytes);
    });
    const carried = readSuperblock(new DataView(header.buffer));
    if (carried.capacity > capacity) {
      throw invalid(`it was made for ${carried.capacity} bytes, and here are ${capacity}`);
    }
    const superblock = { ...carried, capacity };
    const pages = { superblock: () => superblock, bytesAt: mapped.bytesAt.bind(mapped), sequence: 0 };
    for (const { address, lengthBytes } of new PreservedTable(pages).ranges())
      backEnd.allocate(address, lengthBytes);
    mapped.writeSuperblock({ ...superblock, sequence: Math.max(carried.sequence, mapped.sequence) + 1 });
    return new PhysicalMemory(mapped);
  }

  // ---- what is there ----

  get descriptor(): number {
    return this.#memory.backEnd.descriptor;
  }

  get verdicts(): VerdictTable {
    return this.#memory.verdicts;
  }

  /** The newest valid superblock. */
  superblock(): Superblock {
    return this.#memory.superblock();
  }

  /** Whether nothing has been kept in it since it was made. */
  get isNew(): boolean {
    return this.superblock().sequence === FIRST_SEQUENCE;
  }

  /** Everything that the newest superblock says is preserved. */
  preserved(): Table {
    return this.#preserved.read();
  }

  /** Superblock and table that belong together, for whoever reads while another program owns the memory. */
  snapshot(): Snapshot {
    return this.#preserved.snapshot();
  }

  /** All that a copy of the memory needs, in rising order and without overlap; lengths are whole pages. */
  preservedRanges(): { readonly address: number; readonly lengthBytes: number }[] {
    return this.#preserved.ranges();
  }

  /** Whether the folio at an address is preserved already. */
  isPreserved(address: number): boolean {
    return this.#preserved.folioAt(address) !== undefined;
  }

  /** The bytes of a range of at most 4 GiB. */
  bytesAt(address: number, lengthBytes: number): Uint8Array {
    return this.#memory.bytesAt(address, lengthBytes);
  }

  /**
   * The bytes of window `number` of 4 GiB, for whoever looks up words anywhere in it; made when it is first asked for.
   * They are in a shared buffer, which V8 doesn't count: views of gigabytes make it collect garbage.
   */
  window(number: number): ArrayBufferLike {
    return this.#memory.window(number);
  }

  /** The bytes of a stream; undefined when there is none of that name. They are valid until it is dropped. */
  stream(name: string): { readonly bytes: Uint8Array; readonly generation: number } | undefined {
    const record = this.preserved().streams.find((stream) => stream.name === name);
    if (record === undefined) return undefined;
    return { bytes: this.bytesAt(record.address, record.length), generation: record.generation };
  }

  /**
   * What `read` makes of a stream that another program may be replacing: it is called again if the stream was another one
   * before it was done, and what it threw then does not count. Undefined when there is none of that name. `MEMORY_BUSY` when
   * there is another one every time.
   */
  readStream<T>(
    name: string,
    read: (stream: { readonly bytes: Uint8Array; readonly generation: number }) => T,
  ): T | undefined {
    return readKept(this.#preserved, name, ({ address, length, generation }) =>
      read({ bytes: this.bytesAt(address, length), generation }),
    );
  }

  /** A preserved folio to look into, without claiming it. */
  peek({ address, order }: Run): Folio {
    const { capacity } = this.superblock();
    if (address >= HEADER_BYTES && order <= MAX_ORDER && address + PAGE_SIZE * 2 ** order <= capacity)
      return this.#memory.folio({ address, order });
    throw invalid(`a folio at 0x${address.toString(16)} is outside of it`);
  }

  /**
   * Makes the views and windows of all that is preserved now, so that whoever takes the memory over makes none while
   * others wait.
   */
  prepareViews(): void {
    for (const { address, order, owner } of this.preserved().folios) {
      if (owner.startsWith(COLLECTION_OWNER)) this.window(Math.floor(address / WINDOW_BYTES));
      else this.#memory.prepare({ address, order });
    }
  }

  // ---- whose it is ----

  /** Whether this program owns the memory, so that it can allocate and store. */
  get isOwned(): boolean {
    return this.#owner !== undefined && !this.#isFenced;
  }

  /**
   * Takes the memory over: it can be written, and everything that is not preserved is free. After a commit, or in
   * the first program. `MEMORY_INVALID` when the table contradicts itself. A program that died can have freed pages without
   * giving them back, which `sweep` does; in a hand-over there are none, and it would take time. `room` is allocated at once,
   * for what will be taken before {@link endReserve}: `MEMORY_FULL`.
   */
  own({
    sweep = true,
    room = [],
  }: {
    readonly sweep?: boolean;
    readonly room?: readonly RoomRequest[];
  } = {}): void {
    const { owner, take } = this.#owning(room);
    if (sweep) for (const _ of owner.sweep());
    take();
  }

  /**
   * Does what can fail in {@link own}, before it is known whether the memory will be this program's: `take` makes it so, and
   * `giveUp` undoes it, except that the pages of `room` stay allocated, and zeros: only the owner can give them back
   * (`sweep`). Errors: those of `own`.
   */
  prepareToOwn(room: readonly RoomRequest[] = []): { take(): void; giveUp(): void } {
    const { take } = this.#owning(room);
    return { take, giveUp: () => this.#memory.forbidWrites() };
  }

  /** What was taken as room and is not needed is free again. */
  endReserve(): void {
    this.#owner?.endReserve();
  }

  /** Gives back the pages of what is free, step by step: somebody who did not become the owner may have allocated them. */
  sweep(): Generator<void> {
    return this.#owned().sweep();
  }

  #owning(room: readonly RoomRequest[]): { readonly owner: OwnedMemory; take(): void } {
    const owner = new OwnedMemory(this.#memory, this.#preserved);
    owner.reserve(room);
    this.#memory.allowWrites();
    return {
      owner,
      take: () => {
        this.#owner = owner;
      },
    };
  }

  /** Does something as the owner of memory that nobody owns, and leaves it so. */
  asOwner<T>(step: () => T): T {
    if (this.isOwned) return step();
    this.own({ sweep: false });
    try {
      return step();
    } finally {
      this.#owner = undefined;
    }
  }

  /** Cuts this program off: what it stores from now on, in any view and any thread, nobody else sees. */
  fence(): void {
    this.#isFenced = true;
    this.#memory.fence();
  }

  /** Undoes {@link fence}. */
  unfence(): void {
    this.#isFenced = false;
    this.#memory.unfence();
  }

  #owned(): OwnedMemory {
    if (this.#owner !== undefined && !this.#isFenced) return this.#owner;
    const message = "cannot change the memory: another program owns it until the commit";
    throw new KstateError("NOT_ALLOWED_NOW", message, { call: "alloc", phase: "waiting" });
  }

  // ---- folios ----

  /** Bytes that can still be allocated, if no limit is in the way. */
  get freeBytes(): number {
    return this.#owned().freeBytes;
  }

  /** Refuses with `MEMORY_FULL` what `alloc` has no free run for. */
  assertRoom(bytes: number): void {
    this.#owned().assertRoom(bytes);
  }

  /**
   * A folio of at least `bytes`, all zeros. With an `owner` it is preserved from now on, also over a crash. `MEMORY_FULL`
   * says which limit is in the way.
   */
  alloc(bytes: number, owner?: string): Folio {
    const owned = this.#owned();
    const folio = owned.take(bytes);
    if (owner !== undefined) {
      const { streams, folios } = owned.table;
      try {
        owned.commit({ streams, folios: [...folios, { ...runOf(folio), owner }] });
      } catch (error) {
        owned.release(runOf(folio));
        throw error;
      }
    }
    this.#folios.set(Number(folio.address), folio);
    return folio;
  }

  /** Gives folios' pages back. A view of them that somebody kept reads zeros, or what comes there next. */
  free(...folios: readonly Folio[]): void {
    const addresses = new Set(folios.map((folio) => Number(folio.address)));
    for (const folio of folios) {
      const address = Number(folio.address);
      if (this.#folios.get(address) === folio) continue;
      throw new KstateError("FOLIO_INVALID", `cannot free the ${folio}: it is not in use`, { address });
    }
    const owned = this.#owned();
    const kept = owned.table.folios.filter(({ address }) => !addresses.has(address));
    if (kept.length < owned.table.folios.length) owned.commit({ ...owned.table, folios: kept });
    for (const folio of folios) {
      this.#folios.delete(Number(folio.address));
      owned.release(runOf(folio));
    }
  }

  /**
   * The preserved folio of an address, once: it belongs to the caller then. `FOLIO_INVALID` when nothing is preserved
   * there or it has been claimed.
   */
  claim(address: number): Folio {
    const order = this.#preserved.folioAt(address)?.order;
    if (order === undefined || this.#folios.has(address)) {
      const problem = order === undefined ? "nothing is preserved there" : "it was restored already";
      const where = `0x${address.toString(16)}`;
      throw new KstateError("FOLIO_INVALID", `cannot restore the folio at ${where}: ${problem}`, { address });
    }
    const folio = this.#memory.folio({ address, order });
    this.#folios.set(address, folio);
    return folio;
  }

  /** Gives a claimed folio back without freeing it: it can be claimed again. */
  unclaim(folio: Folio): void {
    this.#folios.delete(Number(folio.address));
  }

  /**
   * Frees every preserved folio that nobody claimed and `keep` does not want, and returns their records. Those of
   * collections stay: a version that does not open one hands it on.
   */
  freeUnclaimed(keep: (record: FolioRecord) => boolean = () => false): FolioRecord[] {
    const folios = this.#owner?.table.folios ?? [];
    const unclaimed = folios.filter(
      (record) => !isCollection(record) && !this.#folios.has(record.address) && !keep(record),
    );
    if (unclaimed.length === 0) return [];
    const owned = this.#owned();
    owned.commit({ ...owned.table, folios: folios.filter((record) => !unclaimed.includes(record)) });
    for (const run of unclaimed) owned.release(run);
    return unclaimed;
  }

  // ---- what is preserved ----

  /**
   * Says which folios are preserved from now on; all of them, so those left out are no longer, except that collections
   * keep theirs.
   */
  preserve(folios: readonly { readonly folio: Folio; readonly owner: string }[]): void {
    const owned = this.#owned();
    const records = new Map(
      owned.table.folios.filter(isCollection).map((record) => [record.address, record]),
    );
    for (const { folio, owner } of folios) {
      const run = runOf(folio);
      if (!records.has(run.address)) records.set(run.address, { ...run, owner });
    }
    owned.commit({ ...owned.table, folios: [...records.values()] });
  }

  /** Preserves every folio that is in use, beside those of the program before that nobody has claimed or freed. */
  preserveInUse(): void {
    const owned = this.#owned();
    owned.commit({ ...owned.table, folios: this.#foliosInUse(owned) });
  }

  /**
   * Makes the first `length` bytes of a folio the stream `name`, in the place of an earlier one of that name. The
   * folio belongs to the stream then. `preserveInUse` also preserves, in the same step, every folio that is in use,
   * beside those of the program before that nobody has claimed or freed; all keep their owners.
   */
  keepStream(
    name: string,
    folio: Folio,
    length: number,
    generation: number,
    { state = "RUNNING", preserveInUse = false }: KeepOptions = {},
  ): void {
    const owned = this.#owned();
    const folios = preserveInUse ? this.#foliosInUse(owned) : owned.table.folios;
    keepStream(owned, folio, { name, length, generation, state }, folios);
    this.#folios.delete(Number(folio.address));
  }

  /** Forgets a stream, if there is one of that name and the memory is this program's, and gives its pages back. */
  dropStream(name: string): void {
    if (this.#owner?.table.streams.some((stream) => stream.name === name)) dropStream(this.#owned(), name);
  }

  /**
   * After a commit or a cancel: RUNNING, and no stream that could be taken for a new one. After a commit the bytes of
   * the handover can stay, as the stream `keepAs`.
   */
  settle(keepAs?: string): void {
    const isRunning = this.superblock().state === "RUNNING";
    if (isRunning && !this.#owner?.table.streams.some(({ name }) => name === HANDOVER)) return;
    settleStreams(this.#owned(), keepAs);
  }

  #foliosInUse(owned: OwnedMemory): FolioRecord[] {
    const records = new Map(owned.table.folios.map((record) => [record.address, record]));
    for (const [address, { order }] of this.#folios) {
      if (!records.has(address)) records.set(address, { address, order, owner: "" });
    }
    return [...records.values()];
  }
}

function isCollection({ owner }: FolioRecord): boolean {
  return owner.startsWith(COLLECTION_OWNER);
}
