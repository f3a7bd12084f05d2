import { writeSync } from "node:fs";
import { isKstateError, toErrorRecord } from "../error/index.ts";
import type { PhysicalMemory } from "../memory/index.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { Parts } from "./freeze.ts";
import type { StateDirectory } from "./state-directory.ts";
import type { LiveSystem } from "./system.ts";

/** Signals that end a program which has no handlers of its own for them. */
const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/**
 * What a program does at its end, whatever ends it except a crash: its activities end, and its state is kept in its
 * directory, if it has one. Nothing of the program runs after that.
 *
 * A state of which a part is refused is not lost: what was kept before stays, all that can be saved is kept beside it, the
 * end says what is wrong, to the supervisor too, and has exit code 1, and the next start says it again (`STATE_REFUSED`).
 */
export class RunEnd {
  readonly #parts: Parts;
  readonly #directory: StateDirectory | undefined;
  readonly #checkpoints: Checkpoints;
  readonly #memory: () => PhysicalMemory;
  readonly #system: LiveSystem;
  /** Told why the state was not kept as it was. */
  readonly #notKept: (error: unknown) => void;
  #isOver = false;
  #hadUncaught = false;

  constructor(
    parts: Parts,
    directory: StateDirectory | undefined,
    checkpoints: Checkpoints,
    memory: () => PhysicalMemory,
    system: LiveSystem,
    notKept: (error: unknown) => void = () => {},
  ) {
    this.#parts = parts;
    this.#directory = directory;
    this.#checkpoints = checkpoints;
    this.#memory = memory;
    this.#system = system;
    this.#notKept = notKept;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** From now on the program serves, and its end is one. */
  watch(): void {
    process.on("uncaughtExceptionMonitor", () => {
      this.#hadUncaught = true;
    });
    process.on("exit", (exitCode) => {
      if (!(this.#hadUncaught && exitCode !== 0) && !this.#end()) process.exitCode = 1;
    });
    for (const signal of SIGNALS) {
      const end = (): void => {
        if (process.listenerCount(signal) > 1) return; // the program ends itself, and `exit` keeps the state
        if (!this.#end()) return this.#system.exit(1);
        process.off(signal, end);
        process.kill(process.pid, signal);
      };
      process.on(signal, end);
    }
  }

  /**
   * The state is another program's, or with `isElsewhere` was kept somewhere else, so that what is in the directory is old:
   * there is nothing to do at the end.
   */
  forgo(isElsewhere = false): void {
    this.#isOver = true;
    this.#checkpoints.end();
    const failed = this.#attempt(() => {
      if (isElsewhere) this.#directory?.forget();
      this.#directory?.release();
    });
    if (failed !== undefined) say(`an old state was left behind: ${messageOf(failed)}`);
  }

  /** False when the state was not kept as it was. */
  #end(): boolean {
    if (this.#isOver) return true;
    this.#isOver = true;
    this.#checkpoints.end();
    const stopped = this.#attempt(() => this.#parts.starters.stop());
    if (stopped !== undefined) say(`an activity could not be stopped at the end: ${messageOf(stopped)}`);
    if (this.#directory === undefined) return true;
    const refused = this.#attempt(() => {
      this.#checkpoints.save();
      this.#directory!.save(this.#memory());
    });
    if (refused === undefined) return true;
    this.#keepRest(this.#directory, refused);
    this.#attempt(() => this.#notKept(refused));
    return false;
  }

  /** Keeps what can be kept, and the reason why that is not all. */
  #keepRest(directory: StateDirectory, error: unknown): void {
    const left: string[] = [];
    const failed = this.#attempt(() => {
      this.#checkpoints.save((instance) => left.push(instance));
      directory.savePartial(this.#memory());
    });
    const marked = this.#attempt(() => {
      const refusal = { at: new Date().toISOString(), error: toErrorRecord(error) };
      directory.refuse({ ...refusal, left: failed === undefined ? left : null });
    });
    const rest =
      failed === undefined
        ? `all${left.length === 0 ? "" : ` but ${left.join(", ")}`} was saved as state.partial`
        : `nothing of it could be saved: ${messageOf(failed)}`;
    const next = marked === undefined ? "the next start says how to go on" : `no mark: ${messageOf(marked)}`;
    say(
      `the state could not be kept: ${messageOf(error)}. What was kept before is as it was; ${rest}; ${next}`,
    );
  }

  #attempt(step: () => void): unknown {
    try {
      step();
      return undefined;
    } catch (error) {
      return error ?? new Error("undefined was thrown");
    }
  }
}

/** At the end of a process nothing that is asynchronous is heard. */
function say(text: string): void {
  try {
    writeSync(process.stderr.fd, `kstate: ${text}\n`);
  } catch {
    // nobody listens; the mark in the directory says it too
  }
}

function messageOf(error: unknown): string {
  return isKstateError(error)
    ? `${error.message} [${error.code}]`
    : String((error as Error)?.message ?? error);
}
