import type { Carrier, Stored, Waiting } from "../carrier/index.ts";
import { isKstateError, KstateError } from "../error/index.ts";
import { type BackEnd, createHeap, createMemfd, PhysicalMemory } from "../memory/index.ts";
import { type Checkpoints, loadFound } from "./checkpoints.ts";
import { dropAsTold } from "./drop-collections.ts";
import { dismissAll } from "./farewell.ts";
import { type Parts, thaw } from "./freeze.ts";
import { RunEnd } from "./run-end.ts";
import type { StartContext } from "./starters.ts";
import type { AfterCrash, FoundState, StateDirectory } from "./state-directory.ts";
import { leaveClean, resume } from "./suspend.ts";
import { liveSystem } from "./system.ts";

/** Room for state and folios; the system gives it pages as they are used. */
const MEMORY_BYTES = 1024 ** 3;
/** Where memory is an ordinary buffer. */
const HEAP_BYTES = 256 * 1024 ** 2;

/**
 * A program without a supervisor: its next version is the next start, and its state waits in a file. The memory holds
 * the state as the stream `checkpoint`, as it does for a program that a supervisor starts again.
 */
export class Unsupervised {
  readonly #parts: Parts;
  readonly #directory: StateDirectory | undefined;
  readonly #found: FoundState | undefined;
  /** What a carrier has for this program; it goes before what is in the directory. */
  readonly #waiting: Waiting | undefined;
  #memory: PhysicalMemory | undefined;
  #checkpoints: Checkpoints | undefined;
  #end: RunEnd | undefined;
  #writing = false;

  /** Reads what the last run left; without a directory nothing is kept. Errors: those of `StateDirectory.load`. */
  constructor(
    parts: Parts,
    directory: StateDirectory | undefined,
    afterCrash: AfterCrash,
    waiting: Waiting | undefined,
  ) {
    this.#parts = parts;
    this.#directory = directory;
    this.#waiting = waiting;
    this.#found = waiting === undefined ? directory?.load(afterCrash, createBackEnd) : undefined;
    this.#memory = waiting?.restore() ?? this.#found?.memory;
    if (this.#memory !== undefined) dropAsTold(this.#memory);
  }

  get phase(): "booting" | "serving" | "ended" {
    if (this.#end === undefined) return "booting";
    return this.#end.isOver ? "ended" : "serving";
  }

  get memory(): PhysicalMemory {
    this.#memory ??= PhysicalMemory.create(createBackEnd());
    return this.#memory;
  }

  async ready(checkpoints: Checkpoints): Promise<void> {
    this.#checkpoints = checkpoints;
    const begin = this.#waiting === undefined ? undefined : resume(this.#parts, this.memory, liveSystem);
    const from = begin === undefined ? this.#load() : "restore";
    await this.#parts.listeners.open(new Map()); // an address in use leaves the state as it was
    begin?.();
    this.#waiting?.finish();
    this.#directory?.consume(this.#found?.kind, checkpoints.enabled);
    this.#end = new RunEnd(this.#parts, this.#directory, checkpoints, () => this.memory, liveSystem);
    this.#end.watch();
    this.#parts.starters.start({ from });
    if (this.#directory !== undefined && checkpoints.enabled) checkpoints.begin();
  }

  #load(): StartContext["from"] {
    return this.#found === undefined ? "boot" : loadFound(this.#parts, this.memory, this.#found.kind);
  }

  /**
   * Ends the program's activities and keeps its state in a carrier. If that fails the program goes on as before; if not,
   * all that it has left to do is to end.
   */
  async suspend(service: string, carrier: Carrier): Promise<Stored> {
    const { phase } = this;
    if (phase !== "serving") {
      const message = `cannot call suspend(): the program is ${phase}; call it while it serves`;
      throw new KstateError("NOT_ALLOWED_NOW", message, { call: "suspend", phase });
    }
    const generation = this.memory.superblock().generation + 1;
    this.#checkpoints!.held = true;
    try {
      leaveClean(this.#parts, this.memory, { versionIds: {}, generation });
      const stored = carrier.storeNow(this.memory, { service, generation });
      this.#end!.forgo(true);
      await dismissAll(this.#parts.moving);
      return stored;
    } catch (error) {
      thaw(this.#parts, this.memory);
      this.#checkpoints!.held = false;
      throw error;
    }
  }

  /** Copies a checkpoint out of the memory and writes it while the program goes on; one at a time. */
  writeCheckpoint(): void {
    if (this.#writing) return;
    this.#writing = true;
    const write = async (): Promise<void> => {
      try {
        await this.#directory?.saveCheckpoint(this.memory);
      } catch (error) {
        process.emitWarning((error as Error).message, "KstateWarning", "CHECKPOINT_FAILED");
      } finally {
        this.#writing = false;
      }
    };
    void write();
  }
}

/** Memory of a size, or of the usual one. */
function createBackEnd(capacity?: number): BackEnd {
  try {
    return createMemfd(capacity ?? MEMORY_BYTES);
  } catch (error) {
    if (!isKstateError(error, "PLATFORM_UNSUPPORTED")) throw error;
    return createHeap(capacity ?? HEAP_BYTES);
  }
}
