import { isKstateError, KstateError } from "../../error/index.ts";
import type { Folio } from "../folio.ts";
import { COLLECTION_OWNER, PAGE_SIZE, WINDOW_BYTES } from "../layout.ts";
import type { PhysicalMemory } from "../physical-memory.ts";
import { assertSameKind } from "./collection-header.ts";
import type { ColumnConstructor } from "./column-type.ts";
import { damaged } from "./damaged.ts";
import { Journal } from "./journal.ts";
import {
  COLLECTION_KINDS,
  COLLECTION_MAGIC,
  COLLECTION_VERSIONS,
  type CollectionKind,
  HEADER,
  PAGE_BITS,
} from "./layout.ts";
import { assertSoundHeader, isFinished } from "./sound-header.ts";

const MAX_WINDOWS = 16;
/** Collections live below this address. */
export const MAX_COLLECTION_BYTES = MAX_WINDOWS * WINDOW_BYTES;
/** What follows the name in the owner of every folio but the header; no name has it. */
export const PARTS = "#";

/**
 * The folios of one collection: all have its name as their owner, so that they are found again, and the header refers
 * to each.
 */
export class CollectionMemory {
  readonly name: string;
  readonly header: Folio;
  /** The header's words. */
  readonly words: Int32Array;
  /** Windows of physical memory as words and as bytes, by number; those that the collection has folios in. */
  readonly windows: Int32Array[] = [];
  readonly windowBytes: Buffer[] = [];
  readonly journal: Journal;
  /** Whether it was just made, so that nothing is in the header but magic, version and kind. */
  readonly isNew: boolean;
  readonly #memory: PhysicalMemory;
  /** All folios but the header, by their number in the header's way. */
  readonly #folios = new Map<number, Folio>();
  readonly #headerWindow: number;
  readonly #headerWord: number;

  /**
   * Finds the collection `name`, or makes one. `NOT_ALLOWED_NOW` before the memory is owned, `COLLECTION_MISMATCH` when
   * the name is that of another kind of collection or of a newer layout, `MEMORY_INVALID` when it is damaged.
   */
  constructor(memory: PhysicalMemory, name: string, kind: CollectionKind, headerBytes: number) {
    this.name = name;
    this.#memory = memory;
    assertUsable(memory, name, kind);
    const [header, ...others] = this.#claim(this.#owner);
    const parts = [...others, ...this.#claim(this.#owner + PARTS)];
    const found = header === undefined ? undefined : { header, parts };
    this.isNew = found === undefined || !this.#opens(found, () => isFinished(name, wordsOf(found.header)));
    if (this.isNew) memory.free(...(header === undefined ? [] : [header]), ...parts); // it died while it was made
    this.header = this.isNew ? memory.alloc(headerBytes, this.#owner) : header!;
    this.#add(this.header);
    this.#folios.clear();
    if (!this.isNew) this.#opens(found!, () => this.#adopt(found!, kind));
    this.words = this.viewOf(this.header, Int32Array);
    this.#headerWindow = windowOf(this.header);
    this.#headerWord = wordOf(this.header);
    this.journal = new Journal(this.windows, this.words, HEADER.journal);
    if (this.isNew) {
      this.words[HEADER.magic] = COLLECTION_MAGIC;
      this.words[HEADER.version] = COLLECTION_VERSIONS[kind].at(-1)!;
      this.words[HEADER.kind] = COLLECTION_KINDS[kind];
    } else this.journal.recover();
  }

  /** Takes a collection that is there, if everything that its header says can be. */
  #adopt({ header, parts }: Found, kind: CollectionKind): void {
    const { name } = this;
    const words = wordsOf(header);
    assertSameKind({ name, kind, versions: COLLECTION_VERSIONS[kind] }, words);
    for (const folio of parts) this.#add(folio);
    const folios = {
      header: this.numberOf(header),
      has: (number: number): boolean => this.#folios.has(number),
    };
    assertSoundHeader(name, kind, folios, words);
  }

  /** The version of its layout. */
  get version(): number {
    return this.words[HEADER.version]!;
  }

  /** Bytes of the memory that it is in. */
  get capacityBytes(): number {
    return this.#memory.superblock().capacity;
  }

  get #owner(): string {
    return COLLECTION_OWNER + this.name;
  }

  /** Says that a new collection is complete: from now on it is found again. */
  finish(): void {
    Atomics.store(this.words, HEADER.whole, 1);
  }

  /** Adds a store to a word of the header to the journal. */
  store(word: number, value: number): void {
    this.journal.store(this.#headerWindow, this.#headerWord + word, value);
  }

  alloc(bytes: number): Folio {
    const folio = this.#memory.alloc(bytes, this.#owner + PARTS);
    try {
      this.#add(folio);
    } catch (error) {
      this.#memory.free(folio);
      throw error;
    }
    return folio;
  }

  free(...folios: readonly Folio[]): void {
    for (const folio of folios) this.#folios.delete(this.numberOf(folio));
    this.#memory.free(...folios);
  }

  /** A folio as a word of the header. */
  numberOf({ address, order }: Folio): number {
    return (Number(address) / PAGE_SIZE) | (order << PAGE_BITS);
  }

  /** The folio that a word of the header refers to. */
  folioOf(number: number): Folio {
    const folio = this.#folios.get(number);
    if (folio !== undefined) return folio;
    throw damaged(this.name, `it has no folio 0x${number.toString(16)}`);
  }

  /** A folio of the collection as a typed array, in the same buffer as {@link windows}. */
  viewOf<T>(folio: Folio, type: ColumnConstructor<T>): T {
    const { buffer } = this.windowBytes[windowOf(folio)]!;
    return new type(buffer, wordOf(folio) * 4, folio.size / type.BYTES_PER_ELEMENT);
  }

  /** Frees every folio that is not among those that the header refers to. */
  freeOthers(referred: Iterable<number>): void {
    const wanted = new Set(referred);
    const lost = [...this.#folios].filter(([number]) => !wanted.has(number)).map(([, folio]) => folio);
    if (lost.length > 0) this.free(...lost);
  }

  /**
   * Does what may fail; the collection is closed then, and can be opened again. What was there and makes code stumble over
   * it is damaged, also where nobody thought of looking: `MEMORY_INVALID`, with the error as its cause.
   */
  opening<T>(step: () => T): T {
    return this.#opens({ header: this.header, parts: this.#folios.values() }, step);
  }

  #opens<T>({ header, parts }: Found, step: () => T): T {
    try {
      return step();
    } catch (error) {
      for (const folio of [header, ...parts]) this.#memory.unclaim(folio);
      if (this.isNew === true || isKstateError(error)) throw error;
      throw damaged(this.name, error instanceof Error ? error.message : String(error), error);
    }
  }

  #claim(wanted: string): Folio[] {
    const records = this.#memory.preserved().folios.filter(({ owner }) => owner === wanted);
    try {
      return records.map(({ address }) => this.#memory.claim(address));
    } catch (cause) {
      const problem = "it is open already; open it once and hand it around";
      const message = `cannot open the collection ${this.name}: ${problem}`;
      throw new KstateError("COLLECTION_MISMATCH", message, { collection: this.name, problem }, { cause });
    }
  }

  #add(folio: Folio): void {
    const window = windowOf(folio);
    if (window >= MAX_WINDOWS) {
      throw new KstateError(
        "MEMORY_FULL",
        `cannot grow the collection ${this.name}: collections live in the first 64 GiB of the memory`,
        { bytes: folio.size, limit: "64 GiB" },
      );
    }
    const buffer = this.#memory.window(window);
    this.windows[window] ??= new Int32Array(buffer, 0, Math.floor(buffer.byteLength / 4));
    this.windowBytes[window] ??= Buffer.from(buffer);
    this.#folios.set(this.numberOf(folio), folio);
  }
}

/**
 * Frees a collection that no version needs any more, and all that is in it; false when there is none of that name. Not
 * one that is open: its owner would go on with pages that are not its own; `FOLIO_INVALID` says so.
 */
export function dropCollection(memory: PhysicalMemory, name: string): boolean {
  const owners = [COLLECTION_OWNER + name, COLLECTION_OWNER + name + PARTS];
  const records = memory.preserved().folios.filter(({ owner }) => owners.includes(owner));
  const folios = records.map(({ address }) => memory.claim(address));
  if (folios.length > 0) memory.free(...folios);
  return folios.length > 0;
}

/**
 * Frees collections of memory that nobody has opened, before a program takes it: one that is damaged keeps it from
 * starting. `COLLECTION_MISMATCH` when there is none of a name, and none is freed.
 */
export function dropCollections(memory: PhysicalMemory, names: readonly string[]): void {
  const found = new Set(memory.preserved().folios.map(({ owner }) => owner));
  for (const name of names) {
    if (found.has(COLLECTION_OWNER + name)) continue;
    const there = [...found].filter((owner) => owner.startsWith(COLLECTION_OWNER) && !owner.endsWith(PARTS));
    const list = there.map((owner) => owner.slice(COLLECTION_OWNER.length)).join(", ");
    const problem = `there is none of that name; there is ${list || "no collection"}`;
    throw new KstateError("COLLECTION_MISMATCH", `cannot drop the collection ${name}: ${problem}`, {
      collection: name,
      problem,
    });
  }
  memory.asOwner(() => {
    for (const name of names) dropCollection(memory, name);
  });
}

interface Found {
  readonly header: Folio;
  /** All others. */
  readonly parts: Iterable<Folio>;
}

function wordsOf(header: Folio): Int32Array {
  return header.view(Int32Array);
}

/** The number of the window that a folio is in. */
export function windowOf({ address }: Folio): number {
  return Math.floor(Number(address) / WINDOW_BYTES);
}

/** Where a folio begins in its window, in words. */
export function wordOf({ address }: Folio): number {
  return (Number(address) % WINDOW_BYTES) / 4;
}

function assertUsable(memory: PhysicalMemory, name: string, kind: CollectionKind): void {
  if (!memory.isOwned) {
    throw new KstateError(
      "NOT_ALLOWED_NOW",
      `cannot open the ${kind} ${name}: another program owns the memory until the commit; open it after ready()`,
      { call: kind, phase: "waiting" },
    );
  }
  assertName(kind, name);
}

/** `COLLECTION_MISMATCH` for what is no name of a collection. */
export function assertName(kind: CollectionKind, name: string): void {
  if (/^[\w./-]{1,200}$/.test(name)) return;
  const problem = "a name has 1 to 200 letters, digits and _ . / -";
  throw new KstateError(
    "COLLECTION_MISMATCH",
    `cannot open the ${kind} ${JSON.stringify(name)}: ${problem}`,
    {
      collection: name,
      problem,
    },
  );
}
