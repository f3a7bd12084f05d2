import { isKstateError } from "../error/index.ts";
import { type BackEnd, createHeap, createMemfd, PhysicalMemory } from "../memory/index.ts";
import { type Checkpoints, loadCheckpoint } from "./checkpoints.ts";
import type { Parts } from "./freeze.ts";
import type { StartContext } from "./starters.ts";
import type { AfterCrash, FoundState, StateDirectory } from "./state-directory.ts";

/** Room for state and folios; the system gives it pages as they are used. */
const MEMORY_BYTES = 1024 ** 3;
/** Where memory is an ordinary buffer. */
const HEAP_BYTES = 256 * 1024 ** 2;

/** Signals that end a program which has no handlers of its own for them. */
const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/**
 * A program without a supervisor: its next version is the next start, and its state waits in a file. The memory holds
 * the state as the stream `checkpoint`, as it does for a program that a supervisor starts again.
 */
export class Unsupervised {
  readonly #parts: Parts;
  readonly #directory: StateDirectory | undefined;
  readonly #found: FoundState | undefined;
  #memory: PhysicalMemory | undefined;
  #checkpoints: Checkpoints | undefined;
  #phase: "booting" | "serving" | "ended" = "booting";
  #hadUncaught = false;
  #writing = false;

  /** Reads what the last run left; without a directory nothing is kept. Errors: those of `StateDirectory.load`. */
  constructor(parts: Parts, directory: StateDirectory | undefined, afterCrash: AfterCrash) {
    this.#parts = parts;
    this.#directory = directory;
    this.#found = directory?.load(afterCrash, createBackEnd);
    this.#memory = this.#found?.memory;
  }

  get phase(): "booting" | "serving" | "ended" {
    return this.#phase;
  }

  get memory(): PhysicalMemory {
    this.#memory ??= PhysicalMemory.create(createBackEnd());
    return this.#memory;
  }

  async ready(checkpoints: Checkpoints): Promise<void> {
    this.#checkpoints = checkpoints;
    const from = this.#load();
    await this.#parts.listeners.open(new Map()); // an address in use leaves the state as it was
    if (this.#found !== undefined) this.#directory!.consume(this.#found.kind, checkpoints.enabled);
    this.#phase = "serving";
    this.#watchEnd();
    this.#parts.starters.start({ from });
    if (this.#directory !== undefined && checkpoints.enabled) checkpoints.begin();
  }

  #load(): StartContext["from"] {
    if (this.#found === undefined || !loadCheckpoint(this.#parts, this.memory)) return "boot";
    return this.#found.kind === "state" ? "restore" : "recover";
  }

  #watchEnd(): void {
    process.on("uncaughtExceptionMonitor", () => {
      this.#hadUncaught = true;
    });
    process.on("exit", (exitCode) => {
      if (!(this.#hadUncaught && exitCode !== 0)) this.#end();
    });
    for (const signal of SIGNALS) {
      const end = (): void => {
        if (process.listenerCount(signal) > 1) return; // the program ends itself, and `exit` saves
        this.#end();
        process.off(signal, end);
        process.kill(process.pid, signal);
      };
      process.on(signal, end);
    }
  }

  /** Nothing of the program runs after the save. */
  #end(): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    this.#checkpoints!.end();
    this.#parts.starters.stop();
    if (this.#directory === undefined) return;
    this.#checkpoints!.save();
    this.#directory.save(this.memory);
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
