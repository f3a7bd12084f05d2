import { crc32 } from "node:zlib";
import { KstateError } from "../error/index.ts";
import type { BackEnd, Mapping } from "./back-end.ts";
import { Buddy, orderFor } from "./buddy.ts";
import { Folio } from "./folio.ts";
import {
  COLLECTION_OWNER,
  HANDOVER,
  HEADER_BYTES,
  HEADER_PAGES,
  MAX_ORDER,
  type MemoryState,
  PAGE_SIZE,
  SUPERBLOCK_COPIES,
  VERDICT_ADDRESS,
  VERDICT_COUNT,
  WINDOW_BYTES,
} from "./layout.ts";
import { highestSequence, readSuperblock, type Superblock, writeSuperblock } from "./superblock.ts";
import {
  decodeTable,
  EMPTY_TABLE,
  encodeTable,
  type FolioRecord,
  type StreamRecord,
  type Table,
} from "./table.ts";
import { VerdictTable } from "./verdict.ts";

interface ReadTable {
  /** Of the superblock that named it. */
  readonly sequence: number;
  readonly table: Table;
  /** The preserved folio of an address. */
  readonly folioAt: (address: number) => FolioRecord | undefined;
}

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
  readonly verdicts: VerdictTable;
  readonly #backEnd: BackEnd;
  readonly #header: DataView;
  readonly #windows: Mapping[];
  /** Which pages are free; undefined while another program owns the memory. */
  #buddy: Buddy | undefined;
  /** Whether the memory is another program's for good: its pages must not be given back from here. */
  #isFenced = false;
  #table: Table = EMPTY_TABLE;
  #tableFolio: Folio | undefined;
  /** What was last read of another program's table, and of which superblock. */
  #read: ReadTable | undefined;
  /** Folios that are in use here, by address. */
  readonly #folios = new Map<number, Folio>();

  private constructor(backEnd: BackEnd, header: ArrayBuffer, windows: Mapping[]) {
    this.#backEnd = backEnd;
    this.#header = new DataView(header);
    this.#windows = windows;
    this.verdicts = new VerdictTable(new Int32Array(header, VERDICT_ADDRESS, VERDICT_COUNT));
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
    const memory = mapped(
      backEnd,
      "write",
      (header, windows) => new PhysicalMemory(backEnd, header, windows),
    );
    const empty = {
      state: "RUNNING",
      capacity,
      generation: 0,
      tableCrc: 0,
      tableAddress: 0,
      tableLength: 0,
    } as const;
    writeSuperblock(memory.#header, { ...empty, sequence: 1 });
    backEnd.persist(0, HEADER_BYTES);
    memory.own({ sweep: false });
    return memory;
  }

  /**
   * Maps memory that another program made. Folios can be read, and nothing can be stored, until `own`.
   * `MEMORY_INVALID` when it is not ours.
   */
  static attach(backEnd: BackEnd): PhysicalMemory {
    const memory = mapped(backEnd, "read", (header, windows) => new PhysicalMemory(backEnd, header, windows));
    const { capacity } = memory.superblock();
    if (capacity !== backEnd.capacity) {
      throw invalid(`it says that it has ${capacity} bytes and has ${backEnd.capacity}`);
    }
    return memory;
  }

  /**
   * Maps a new back end and fills it with the memory that somebody carried here: `fill` is given the bytes of every
   * range that it asks for, in any order, the superblocks' too. Everything preserved has its pages then. Nobody owns
   * the memory until `own`. `MEMORY_INVALID` when what came is not ours.
   */
  static restore(
    backEnd: BackEnd,
    fill: (place: (address: number, lengthBytes: number) => Uint8Array) => void,
  ): PhysicalMemory {
    const { capacity } = backEnd;
    const memory = mapped(
      backEnd,
      "write",
      (header, windows) => new PhysicalMemory(backEnd, header, windows),
    );
    fill((address, lengthBytes) => {
      backEnd.allocate(address, lengthBytes);
      return memory.bytesAt(address, lengthBytes);
    });
    if (memory.superblock().capacity !== capacity) throw invalid("it was made for another capacity");
    for (const { address, lengthBytes } of memory.preservedRanges()) backEnd.allocate(address, lengthBytes);
    backEnd.persist(0, capacity);
    return memory;
  }

  /** All that a copy of the memory needs, in rising order and without overlap; lengths are whole pages. */
  preservedRanges(): { readonly address: number; readonly lengthBytes: number }[] {
    const { capacity, tableAddress, tableLength } = this.superblock();
    const { streams, folios } = this.preserved();
    const ranges = [
      { address: 0, lengthBytes: SUPERBLOCK_COPIES * PAGE_SIZE },
      ...streams.map(({ address, length }) => ({ address, lengthBytes: pagesOf(length) })),
      ...folios.map(({ address, order }) => ({ address, lengthBytes: PAGE_SIZE * 2 ** order })),
      ...(tableLength > 0 ? [{ address: tableAddress, lengthBytes: pagesOf(tableLength) }] : []),
    ].sort((a, b) => a.address - b.address);
    for (const [index, { address, lengthBytes }] of ranges.entries()) {
      const limit = ranges[index + 1]?.address ?? capacity;
      if (address % PAGE_SIZE !== 0 || address + lengthBytes > limit) {
        throw invalid(`what is preserved at 0x${address.toString(16)} reaches into something else`);
      }
    }
    return ranges;
  }

  /** The bytes of a range that no window's border (4 GiB) divides. */
  bytesAt(address: number, lengthBytes: number): Uint8Array {
    const { buffer } = this.#windows[Math.floor(address / WINDOW_BYTES)]!;
    return new Uint8Array(buffer, address % WINDOW_BYTES, lengthBytes);
  }

  get descriptor(): number {
    return this.#backEnd.descriptor;
  }

  /** Whether this program owns the memory, so that it can allocate and store. */
  get isOwned(): boolean {
    return this.#buddy !== undefined && !this.#isFenced;
  }

  /** The newest valid superblock. */
  superblock(): Superblock {
    return readSuperblock(this.#header);
  }

  /** Whether the folio at an address is preserved already. */
  isPreserved(address: number): boolean {
    return this.#readTable().folioAt(address) !== undefined;
  }

  /** Bytes that can still be allocated, if no limit is in the way. */
  get freeBytes(): number {
    return this.#owned().freePages * PAGE_SIZE;
  }

  /** Everything that the newest superblock says is preserved. */
  preserved(): Table {
    return this.#readTable().table;
  }

  #readTable(): ReadTable {
    if (this.#read?.sequence === highestSequence(this.#header)) return this.#read;
    const { sequence, tableAddress, tableLength, tableCrc, capacity } = this.superblock();
    if (this.#read?.sequence === sequence) return this.#read;
    if (tableLength > 0 && (tableAddress < HEADER_BYTES || tableAddress + tableLength > capacity)) {
      throw invalid("its table is outside of it");
    }
    const bytes = this.bytesAt(tableAddress, tableLength);
    if (tableLength > 0 && crc32(bytes) !== tableCrc) throw invalid("its table is damaged");
    const table = tableLength === 0 ? EMPTY_TABLE : decodeTable(bytes);
    this.#read = readTableOf(sequence, table);
    return this.#read;
  }

  /**
   * Takes the memory over: it can be written, and everything that is not preserved is free. After a commit, or in
   * the first program. `MEMORY_INVALID` when the table contradicts itself. A program that died can have freed pages without
   * giving them back, which `sweep` does; in a hand-over there are none, and it would take time.
   */
  own({ sweep = true }: { readonly sweep?: boolean } = {}): void {
    const { capacity, tableAddress, tableLength } = this.superblock();
    const table = this.preserved();
    const buddy = new Buddy(HEADER_PAGES, capacity / PAGE_SIZE);
    for (const { address, order } of [...table.streams, ...table.folios]) takeExactly(buddy, address, order);
    if (tableLength > 0) {
      const order = orderFor(Math.ceil(tableLength / PAGE_SIZE));
      takeExactly(buddy, tableAddress, order);
      this.#tableFolio = this.#folio(tableAddress, order);
    }
    for (const window of this.#windows) window.allowWrites();
    if (sweep) this.#sweep(buddy);
    this.#buddy = buddy;
    this.#table = table;
  }

  /** Takes the pages of all free blocks away: what is allocated has to be zeros. */
  #sweep(buddy: Buddy): void {
    for (const { page, order } of buddy.freeBlocks())
      this.#backEnd.release(page * PAGE_SIZE, PAGE_SIZE * 2 ** order);
  }

  /** Cuts this program off: what it stores from now on, in any view and any thread, nobody else sees. */
  fence(): void {
    this.#isFenced = true;
    for (const window of this.#windows) window.fence();
  }

  /** Undoes {@link fence}. */
  unfence(): void {
    this.#isFenced = false;
    for (const window of this.#windows) window.unfence();
  }

  /**
   * A folio of at least `bytes`, all zeros. With an `owner` it is preserved from now on, also over a crash. `MEMORY_FULL`
   * says which limit is in the way.
   */
  alloc(bytes: number, owner?: string): Folio {
    const folio = this.#take(bytes);
    if (owner === undefined) return folio;
    const record = { address: Number(folio.address), order: folio.order, owner };
    try {
      this.#commit({ ...this.#table, folios: [...this.#table.folios, record] }, this.superblock());
    } catch (error) {
      this.#folios.delete(record.address);
      this.#release(record);
      throw error;
    }
    return folio;
  }

  #take(bytes: number): Folio {
    const order = orderFor(Math.ceil(bytes / PAGE_SIZE));
    const page = bytes >= 0 && order <= MAX_ORDER ? this.#owned().alloc(order) : undefined;
    if (page === undefined) throw this.#full(bytes);
    const address = page * PAGE_SIZE;
    try {
      this.#backEnd.allocate(address, PAGE_SIZE * 2 ** order);
    } catch (error) {
      this.#owned().free(page, order);
      throw error;
    }
    const folio = this.#folio(address, order);
    this.#folios.set(address, folio);
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
    this.#owned();
    const kept = this.#table.folios.filter(({ address }) => !addresses.has(address));
    if (kept.length < this.#table.folios.length)
      this.#commit({ ...this.#table, folios: kept }, this.superblock());
    for (const { address, order } of folios) {
      this.#folios.delete(Number(address));
      this.#release({ address: Number(address), order });
    }
  }

  /**
   * The preserved folio of an address, once: it belongs to the caller then. `FOLIO_INVALID` when nothing is preserved
   * there or it has been claimed.
   */
  claim(address: number): Folio {
    const order = this.#readTable().folioAt(address)?.order;
    if (order === undefined || this.#folios.has(address)) {
      const problem = order === undefined ? "nothing is preserved there" : "it was restored already";
      const where = `0x${address.toString(16)}`;
      throw new KstateError("FOLIO_INVALID", `cannot restore the folio at ${where}: ${problem}`, { address });
    }
    const folio = this.#folio(address, order);
    this.#folios.set(address, folio);
    return folio;
  }

  /** A preserved folio to look into, without claiming it. */
  peek({ address, order }: Pick<FolioRecord, "address" | "order">): Folio {
    const { capacity } = this.superblock();
    if (address >= HEADER_BYTES && order <= MAX_ORDER && address + PAGE_SIZE * 2 ** order <= capacity)
      return this.#folio(address, order);
    throw invalid(`a folio at 0x${address.toString(16)} is outside of it`);
  }

  /** Refuses with `MEMORY_FULL` what `alloc` has no free run for. */
  assertRoom(bytes: number): void {
    const order = orderFor(Math.ceil(bytes / PAGE_SIZE));
    const page = order <= MAX_ORDER ? this.#owned().alloc(order) : undefined;
    if (page === undefined) throw this.#full(bytes);
    this.#owned().free(page, order);
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
    const unclaimed = this.#table.folios.filter(
      (record) => !isCollection(record) && !this.#folios.has(record.address) && !keep(record),
    );
    if (unclaimed.length === 0) return [];
    const folios = this.#table.folios.filter((record) => !unclaimed.includes(record));
    this.#commit({ ...this.#table, folios }, this.superblock());
    for (const { address, order } of unclaimed) {
      this.#backEnd.release(address, PAGE_SIZE * 2 ** order);
      this.#owned().free(address / PAGE_SIZE, order);
    }
    return unclaimed;
  }

  /**
   * Says which folios are preserved from now on; all of them, so those left out are no longer, except that collections
   * keep theirs.
   */
  preserve(folios: readonly { readonly folio: Folio; readonly owner: string }[]): void {
    const records = new Map(
      this.#table.folios.filter(isCollection).map((record) => [record.address, record]),
    );
    for (const { folio, owner } of folios) {
      const address = Number(folio.address);
      if (!records.has(address)) records.set(address, { address, order: folio.order, owner });
    }
    this.#commit({ ...this.#table, folios: [...records.values()] }, this.superblock());
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
    const record: StreamRecord = {
      name,
      address: Number(folio.address),
      order: folio.order,
      length,
      generation,
    };
    this.#folios.delete(record.address);
    const before = this.#table.streams.find((stream) => stream.name === name);
    const streams = [...this.#table.streams.filter((stream) => stream !== before), record];
    const folios = preserveInUse ? this.#foliosInUse() : this.#table.folios;
    const others = folios.filter(({ address }) => address !== record.address);
    try {
      this.#commit({ streams, folios: others }, { state, generation });
    } catch (error) {
      this.#folios.set(record.address, folio);
      throw error;
    }
    if (before !== undefined) this.#release(before);
  }

  /** Preserves every folio that is in use, beside those of the program before that nobody has claimed or freed. */
  preserveInUse(): void {
    this.#commit({ ...this.#table, folios: this.#foliosInUse() }, this.superblock());
  }

  #foliosInUse(): FolioRecord[] {
    const records = new Map(this.#table.folios.map((record) => [record.address, record]));
    for (const [address, { order }] of this.#folios) {
      if (!records.has(address)) records.set(address, { address, order, owner: "" });
    }
    return [...records.values()];
  }

  /** The bytes of a stream; undefined when there is none of that name. They are valid until it is dropped. */
  stream(name: string): { readonly bytes: Uint8Array; readonly generation: number } | undefined {
    const record = this.preserved().streams.find((stream) => stream.name === name);
    if (record === undefined) return undefined;
    return { bytes: this.bytesAt(record.address, record.length), generation: record.generation };
  }

  /** Forgets a stream and gives its pages back. */
  dropStream(name: string): void {
    const record = this.#table.streams.find((stream) => stream.name === name);
    if (record === undefined) return;
    const streams = this.#table.streams.filter((stream) => stream !== record);
    this.#commit({ ...this.#table, streams }, this.superblock());
    this.#release(record);
  }

  /**
   * After a commit or a cancel: RUNNING, and no stream that could be taken for a new one. After a commit the bytes of
   * the handover can stay, as the stream `keepAs`.
   */
  settle(keepAs?: string): void {
    const { state, generation } = this.superblock();
    const handover = this.#table.streams.find(({ name }) => name === HANDOVER);
    if (state === "RUNNING" && handover === undefined) return;
    const isKept = keepAs !== undefined && handover !== undefined;
    const left = (stream: StreamRecord): boolean => stream === handover || (isKept && stream.name === keepAs);
    const streams = this.#table.streams.filter((stream) => !left(stream));
    if (isKept) streams.push({ ...handover, name: keepAs });
    const gone = this.#table.streams.filter((stream) => left(stream) && !(isKept && stream === handover));
    this.#commit({ ...this.#table, streams }, { state: "RUNNING", generation });
    for (const stream of gone) this.#release(stream);
  }

  /** Data first, then the new table, then the superblock that names it; the old table's pages only after that. */
  #commit(table: Table, { state, generation }: Pick<Superblock, "state" | "generation">): void {
    const bytes = encodeTable(table);
    const isEmpty = table.streams.length === 0 && table.folios.length === 0;
    const folio = isEmpty ? undefined : this.#take(bytes.length);
    if (folio !== undefined) {
      this.#folios.delete(Number(folio.address));
      folio.bytes.set(bytes);
    }
    const { capacity, sequence } = this.superblock();
    this.#backEnd.persist(HEADER_BYTES, capacity - HEADER_BYTES); // data is stored through views, so anywhere
    writeSuperblock(this.#header, {
      state,
      generation,
      capacity,
      sequence: sequence + 1,
      tableCrc: isEmpty ? 0 : crc32(bytes),
      tableAddress: folio === undefined ? 0 : Number(folio.address),
      tableLength: isEmpty ? 0 : bytes.length,
    });
    this.#backEnd.persist(0, HEADER_BYTES);
    const before = this.#tableFolio;
    this.#table = table;
    this.#tableFolio = folio;
    this.#read = readTableOf(sequence + 1, table);
    if (before !== undefined) this.#release({ address: Number(before.address), order: before.order });
  }

  #release({ address, order }: { readonly address: number; readonly order: number }): void {
    this.#backEnd.release(address, PAGE_SIZE * 2 ** order);
    this.#owned().free(address / PAGE_SIZE, order);
  }

  #owned(): Buddy {
    if (this.#buddy !== undefined && !this.#isFenced) return this.#buddy;
    throw new KstateError(
      "NOT_ALLOWED_NOW",
      "cannot change the memory: another program owns it until the commit",
      {
        call: "alloc",
        phase: "waiting",
      },
    );
  }

  #folio(address: number, order: number): Folio {
    return new Folio(
      address,
      order,
      this.#windows[Math.floor(address / WINDOW_BYTES)]!.buffer,
      address % WINDOW_BYTES,
    );
  }

  #full(bytes: number): KstateError {
    const limit = `the capacity of ${this.superblock().capacity} bytes`;
    return new KstateError(
      "MEMORY_FULL",
      `cannot allocate ${bytes} bytes: ${limit} has no free run of that size; free some, or give the service more memory`,
      { bytes, limit },
    );
  }
}

function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
}

function takeExactly(buddy: Buddy, address: number, order: number): void {
  if (address % PAGE_SIZE !== 0 || order > MAX_ORDER || !buddy.take(address / PAGE_SIZE, order)) {
    throw invalid(`two things are preserved at 0x${address.toString(16)}`);
  }
}

function isCollection({ owner }: FolioRecord): boolean {
  return owner.startsWith(COLLECTION_OWNER);
}

/** The index of addresses is made when it is first asked for: a program that only allocates never needs it. */
function readTableOf(sequence: number, table: Table): ReadTable {
  let byAddress: Map<number, FolioRecord> | undefined;
  return {
    sequence,
    table,
    folioAt: (address) => {
      byAddress ??= new Map(table.folios.map((record) => [record.address, record]));
      return byAddress.get(address);
    },
  };
}

/** Maps header and windows of a back end; a heap is one mapping. */
function mapped(
  backEnd: BackEnd,
  access: "read" | "write",
  make: (header: ArrayBuffer, windows: Mapping[]) => PhysicalMemory,
): PhysicalMemory {
  const { capacity } = backEnd;
  const windows: Mapping[] = [];
  for (let at = 0; at < capacity; at += WINDOW_BYTES) {
    windows.push(backEnd.map(at, Math.min(WINDOW_BYTES, capacity - at), access));
  }
  const isHeap = backEnd.descriptor === -1;
  return make(isHeap ? windows[0]!.buffer : backEnd.map(0, HEADER_BYTES, "write").buffer, windows);
}

function invalid(problem: string): KstateError {
  return new KstateError("MEMORY_INVALID", `cannot use this memory: ${problem}`, {});
}
