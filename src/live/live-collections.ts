import { performance } from "node:perf_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import { isKstateError, KstateError } from "../error/index.ts";
import {
  assertOpenable,
  type CollectionRecord,
  type PhysicalMemory,
  type RoomRequest,
} from "../memory/index.ts";

/** What {@link LiveCollections} needs of an array or a map. */
export interface Collection {
  readonly name: string;
  readonly record: CollectionRecord;
  readonly isOpen: boolean;
  readonly isMigrating: boolean;
  roomIn(memory: PhysicalMemory): RoomRequest[];
  openIn(memory: PhysicalMemory): void;
  migrateStep(maxRows: number): boolean;
}

/** The longest that a serving program is kept from its clients at a time, ms, and the pause after that. */
const SLICE_MS = 1;
const PAUSE_MS = 4;
/** When there was no memory for rows in the new layout. */
const RETRY_MS = 1000;
const ROWS_AT_A_TIME = 64;

/**
 * The in-place collections that a program has named. A successor names them before it has the memory: the old program
 * compares them with what is there before anybody waits, and they are opened right after the commit. Rows of an earlier
 * layout are migrated between requests.
 */
export class LiveCollections {
  readonly #named = new Map<string, Collection>();
  #timer: NodeJS.Timeout | undefined;
  #migrated: (() => void)[] = [];

  /** Opens a collection, at once if the memory is the program's. Errors: those of `openArray` and `openMap`. */
  add<T extends Collection>(collection: T, memory: PhysicalMemory): T {
    const { name } = collection;
    if (this.#named.has(name)) throw namedTwice(name);
    if (memory.isOwned) collection.openIn(memory);
    this.#named.set(name, collection);
    this.#schedule(0);
    return collection;
  }

  /** What the old program compares with its memory. */
  records(): CollectionRecord[] {
    return [...this.#named.values()].map(({ record }) => record);
  }

  /** What {@link openAll} will allocate: it comes after the verdict, when nothing may fail any more. */
  room(memory: PhysicalMemory): RoomRequest[] {
    const named = [...this.#named.values()].filter(({ isOpen }) => !isOpen);
    return named.flatMap((collection) => collection.roomIn(memory));
  }

  /** Opens what was named before the memory was the program's. */
  openAll(memory: PhysicalMemory): void {
    for (const collection of this.#named.values()) if (!collection.isOpen) collection.openIn(memory);
    this.#schedule(0);
  }

  /**
   * Refuses what a successor could not open. A migration under way is finished if the successor would begin another
   * one: in slices, while this program serves.
   */
  async prepareFor(records: readonly CollectionRecord[], memory: PhysicalMemory): Promise<void> {
    for (const name of assertOpenable(memory, records)) {
      const collection = this.#named.get(name);
      while (collection?.isMigrating === true) {
        migrateSlice(collection);
        await nextTurn();
      }
    }
  }

  /** Resolves when every row of every open collection is in its present layout. */
  migrated(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#migrating() === undefined) resolve();
      else this.#migrated.push(resolve);
    });
  }

  /** The memory is another program's from now on. */
  leave(): void {
    clearTimeout(this.#timer);
    this.#named.clear();
  }

  #migrating(): Collection | undefined {
    for (const collection of this.#named.values())
      if (collection.isOpen && collection.isMigrating) return collection;
    return undefined;
  }

  #schedule(delayMs: number): void {
    if (this.#timer !== undefined || this.#migrating() === undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const nextMs = this.#migrateSome();
      if (this.#migrating() !== undefined) return this.#schedule(nextMs);
      for (const resolve of this.#migrated.splice(0)) resolve();
    }, delayMs).unref();
  }

  /** One slice; returns how long to wait for the next one. Without memory rows stay as they are, and are served so. */
  #migrateSome(): number {
    try {
      migrateSlice(this.#migrating()!);
      return PAUSE_MS;
    } catch (error) {
      if (isKstateError(error, "MEMORY_FULL")) return RETRY_MS;
      throw error;
    }
  }
}

function migrateSlice(collection: Collection): void {
  const start = performance.now();
  while (collection.migrateStep(ROWS_AT_A_TIME) && performance.now() - start < SLICE_MS);
}

function namedTwice(name: string): KstateError {
  const problem = "it is open already; open it once and hand it around";
  return new KstateError("COLLECTION_MISMATCH", `cannot open the collection ${name}: ${problem}`, {
    collection: name,
    problem,
  });
}
