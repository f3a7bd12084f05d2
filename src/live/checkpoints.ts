import { isKstateError, KstateError } from "../error/index.ts";
import { CHECKPOINT, type Folio, type PhysicalMemory } from "../memory/index.ts";
import type { SaveOptions } from "../registry/index.ts";
import type { Parts } from "./freeze.ts";
import { allocRoom, saveInto } from "./save-into.ts";
import type { StartContext } from "./starters.ts";
import type { FoundState } from "./state-directory.ts";
import { freeUnclaimedFolios } from "./unclaimed-folios.ts";

export interface CheckpointOptions {
  /** From one checkpoint to the next, ms. */
  readonly everyMs: number;
}

/** For how long the state of a hand-over stays as a checkpoint when the program makes none of its own, ms. */
const PROBATION_MS = 10_000;
/** The longest delay of a timer of Node, ms. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * Checkpoints of a program that serves: the stream `checkpoint` in its memory, from which it is started again after a
 * crash. Saving happens between two turns of the event loop, when nothing of the program is half-way through a
 * synchronous change.
 */
export class Checkpoints {
  readonly #parts: Parts;
  readonly #memory: () => PhysicalMemory;
  readonly #options: CheckpointOptions | undefined;
  readonly #saved: () => void;
  /** Freed since the last checkpoint, which has them: they go with the next one. */
  readonly #freed = new Set<Folio>();
  #timer: NodeJS.Timeout | undefined;
  /** Nothing is saved while the program is brought to rest for an update. */
  held = false;

  /** `saved` is told of every checkpoint in the memory. */
  constructor(
    parts: Parts,
    memory: () => PhysicalMemory,
    options: CheckpointOptions | undefined,
    saved: () => void = () => {},
  ) {
    const everyMs = options?.everyMs ?? 1;
    if (!Number.isInteger(everyMs) || everyMs < 1 || everyMs > MAX_DELAY_MS) {
      throw new RangeError(`checkpoint.everyMs has to be a number of milliseconds from 1, not ${everyMs}`);
    }
    this.#parts = parts;
    this.#memory = memory;
    this.#options = options;
    this.#saved = saved;
  }

  get enabled(): boolean {
    return this.#options !== undefined;
  }

  /** Saves now, and again and again; without options the checkpoint that is there is dropped after a while. */
  begin(): void {
    clearTimeout(this.#timer);
    if (this.#options === undefined) {
      this.#timer = setTimeout(() => this.#memory().dropStream(CHECKPOINT), PROBATION_MS);
    } else {
      this.#timer = setInterval(() => this.#try(), this.#options.everyMs);
      this.#try();
    }
    this.#timer.unref();
  }

  /** Nothing is saved any more until the next {@link begin}. */
  end(): void {
    clearTimeout(this.#timer);
  }

  /** A checkpoint that cannot be made leaves the one before; the program serves on and says so. */
  #try(): void {
    if (this.held) return;
    try {
      this.save();
      this.#saved();
    } catch (error) {
      if (isKstateError(error, "BLOCKED")) return; // the program asked for it; the next one will do
      const { message } = error as Error;
      process.emitWarning(`no checkpoint was made: ${message}`, "KstateWarning", "CHECKPOINT_FAILED");
    }
  }

  /** Makes a checkpoint in the memory; with `onRefused` of all that can be saved. */
  save(onRefused?: SaveOptions["onRefused"]): void {
    const memory = this.#memory();
    const { generation } = memory.superblock();
    saveInto(memory, this.#parts.registry, allocRoom(memory), {
      name: CHECKPOINT,
      state: "RUNNING",
      generation,
      dataChecksum: true,
      onRefused,
    });
    const freed = [...this.#freed];
    this.#freed.clear();
    if (freed.length > 0) memory.free(...freed);
  }

  /** Frees a folio; one that the last checkpoint has stays until there is another, or it could not be loaded. */
  free(folio: Folio): void {
    const address = Number(folio.address);
    if (this.#freed.has(folio)) {
      throw new KstateError("FOLIO_INVALID", `cannot free the ${folio}: it was freed already`, { address });
    }
    const memory = this.#memory();
    const mayBeNeeded = this.enabled && memory.isOwned && memory.isPreserved(address);
    if (mayBeNeeded && memory.stream(CHECKPOINT) !== undefined) this.#freed.add(folio);
    else memory.free(folio);
  }
}

/**
 * Loads the checkpoint of a program that has ended, into objects that are registered; false when there is none. The
 * process is the undo. Connections that it had are gone; folios that only it had are freed. `partial` loads one
 * that was saved with `onRefused`.
 */
export function loadCheckpoint(
  { registry, httpRecords, httpPending, moving }: Parts,
  memory: PhysicalMemory,
  { partial = false }: { readonly partial?: boolean } = {},
): boolean {
  const stream = memory.stream(CHECKPOINT);
  if (stream === undefined) return false;
  registry.load(stream.bytes, { undo: false, partial });
  httpRecords.listeners = [];
  httpPending.pending = [];
  for (const connections of moving) connections.forget();
  freeUnclaimedFolios(memory, registry);
  return true;
}

/** Loads what a directory had; gives how the program begins. */
export function loadFound(
  parts: Parts,
  memory: PhysicalMemory,
  kind: FoundState["kind"],
): StartContext["from"] {
  const partial = kind === "partial" || kind === "stale"; // a stale one may have been partial
  if (!loadCheckpoint(parts, memory, { partial })) return "boot";
  return kind === "state" ? "restore" : "recover";
}
