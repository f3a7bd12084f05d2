import type { Description } from "../description/index.ts";
import {
  type ArrayOptions,
  dropCollection,
  type Folio,
  FolioArray,
  FolioMap,
  type MapOptions,
  type PhysicalMemory,
} from "../memory/index.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { LiveCollections } from "./live-collections.ts";

/**
 * Memory that outlasts the program: what is in it stays where it is when the next version takes over. In a successor
 * it can be used when the commit is made, in `start` functions and after `ready()`, and is refused with `NOT_ALLOWED_NOW`
 * before.
 */
export class LiveMemory {
  readonly #memory: () => PhysicalMemory;
  readonly #collections: LiveCollections;
  readonly #checkpoints: Checkpoints;

  /** @internal */
  constructor(memory: () => PhysicalMemory, collections: LiveCollections, checkpoints: Checkpoints) {
    this.#memory = memory;
    this.#collections = collections;
    this.#checkpoints = checkpoints;
  }

  /** A folio of at least `bytes`, all zeros. `MEMORY_FULL` says which limit is in the way. */
  alloc(bytes: number): Folio {
    return this.#memory().alloc(bytes);
  }

  /** Gives a folio's pages back, after the next checkpoint if the last one has it. `FOLIO_INVALID` when it is not in use. */
  free(folio: Folio): void {
    this.#checkpoints.free(folio);
  }

  /** Bytes that can still be allocated, if no limit is in the way. */
  get freeBytes(): number {
    return this.#memory().freeBytes;
  }

  /**
   * The array of that name, found again with all its rows or made anew. Call it once, and before `ready()`: an update is
   * then refused before anybody waits if the rows that are there cannot become those of the description, and before it is
   * decided (`MEMORY_FULL`) if there is no room for what is new. Rows of
   * an earlier version are migrated between requests. Errors: those of `openArray`: a description that is not of fixed
   * size, or not what the array was made with and cannot become.
   */
  array<State>(name: string, description: Description<State>, options?: ArrayOptions): FolioArray<State> {
    return this.#collections.add(new FolioArray<State>(name, description, options), this.#memory());
  }

  /** The map of that name, found again with all its entries or made anew; the same goes for it as for `array`. */
  map<K, V>(name: string, options: MapOptions<K, V>): FolioMap<K, V> {
    return this.#collections.add(new FolioMap<K, V>(name, options), this.#memory());
  }

  /**
   * Frees the array or map of that name with all that is in it; false when there is none. For one that no version needs any
   * more, and one that `array` or `map` refused as damaged (`MEMORY_INVALID`) and that can be made anew. `FOLIO_INVALID`
   * when it is open, `NOT_ALLOWED_NOW` until the memory is the program's.
   */
  drop(name: string): boolean {
    return dropCollection(this.#memory(), name);
  }

  /** Resolves when every row of the open collections is in the layout of its description. */
  migrated(): Promise<void> {
    return this.#collections.migrated();
  }
}
