import type { Description } from "../description/index.ts";
import {
  type ArrayOptions,
  type Folio,
  type FolioArray,
  type FolioMap,
  type MapOptions,
  openArray,
  openMap,
  type PhysicalMemory,
} from "../memory/index.ts";

/**
 * Memory that outlasts the program: what is in it stays where it is when the next version takes over. In a successor
 * everything here is refused with `NOT_ALLOWED_NOW` until `ready()` has resolved.
 */
export class LiveMemory {
  readonly #memory: () => PhysicalMemory;

  /** @internal */
  constructor(memory: () => PhysicalMemory) {
    this.#memory = memory;
  }

  /** A folio of at least `bytes`, all zeros. `MEMORY_FULL` says which limit is in the way. */
  alloc(bytes: number): Folio {
    return this.#memory().alloc(bytes);
  }

  /** Gives a folio's pages back. `FOLIO_INVALID` when it is not in use. */
  free(folio: Folio): void {
    this.#memory().free(folio);
  }

  /** Bytes that can still be allocated, if no limit is in the way. */
  get freeBytes(): number {
    return this.#memory().freeBytes;
  }

  /**
   * The array of that name, found again with all its rows or made anew. Call it once, after `ready()`. Errors: those
   * of `openArray`: a description that is not of fixed size, or not what the array was made with and cannot become.
   */
  array<State>(name: string, description: Description<State>, options?: ArrayOptions): FolioArray<State> {
    return openArray(this.#memory(), name, description, options);
  }

  /** The map of that name, found again with all its entries or made anew. Call it once, after `ready()`. */
  map<K, V>(name: string, options: MapOptions<K, V>): FolioMap<K, V> {
    return openMap(this.#memory(), name, options);
  }
}
