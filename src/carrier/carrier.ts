import type { PhysicalMemory } from "../memory/index.ts";
import type { ImageRecord } from "./format.ts";
import type { ImageFacts } from "./image.ts";

/**
 * Where a suspended service waits for its next program. One contract suite (`test/carrier/carriers.test.ts`) runs on
 * all of them.
 *
 * ```
 * suspend   store       undo: discard         a store that fails leaves nothing, and what was there before
 * resume    find, restore, then finish        until `finish` it can be restored again, by another program too
 * ```
 */
export interface Carrier {
  /** As it is written on the command line: `file:/var/lib/chat.kstate`. */
  readonly name: string;
  /**
   * Keeps a memory that is CLEAN and that nobody writes to. Resolves when it would outlast what the carrier is for. In
   * steps that take a moment each, so that this process goes on with other things; rejects with the reason of `signal`
   * when that aborts.
   */
  store(memory: PhysicalMemory, facts: ImageFacts, options?: StoreOptions): Promise<Stored>;
  /** The same in one turn of the event loop: for a program that keeps its own memory, which it must not change. */
  storeNow(memory: PhysicalMemory, facts: ImageFacts): Stored;
  /** What waits there; undefined when nothing does. `STALE` when it has been resumed before, unless that is `staleOk`. */
  find(options?: FindOptions): Waiting | undefined;
}

/** Told how much of an image has been kept, bytes. */
export type StoreProgress = (doneBytes: number, totalBytes: number) => void;

export interface StoreOptions {
  readonly progress?: StoreProgress;
  readonly signal?: AbortSignal;
}

export interface FindOptions {
  /** Takes a state that was resumed before: what happened since is lost. False unless given. */
  readonly staleOk?: boolean;
}

/** A state that was kept. */
export interface Stored {
  /** Where: as {@link Carrier.name}. */
  readonly name: string;
  readonly record: ImageRecord;
  /** Whether it is there only as long as this process lives and does not call `discard`. */
  readonly isHeld: boolean;
  /** Takes it back: nothing is there any more. */
  discard(): void;
}

/** A state that waits for a program. */
export interface Waiting {
  /** Where: as {@link Carrier.name}. */
  readonly name: string;
  readonly record: ImageRecord;
  /** Whether it is lost when this process ends before `finish`. */
  readonly isHeld: boolean;
  /** The memory, CLEAN and owned by nobody; everything has been checked. It can be asked for again until `finish`. */
  restore(): PhysicalMemory;
  /** A program has loaded the state and serves: nobody shall have it a second time. */
  finish(): void;
}
