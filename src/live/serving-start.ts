import { type PhysicalMemory, REHEARSAL } from "../memory/index.ts";
import { type Checkpoints, loadCheckpoint, loadFound } from "./checkpoints.ts";
import type { Parts } from "./freeze.ts";
import type { HandoverFigures, ResumeFigures } from "./protocol.ts";
import type { RunEnd } from "./run-end.ts";
import type { StartContext } from "./starters.ts";
import type { FoundState, StateDirectory } from "./state-directory.ts";
import type { SupervisorLink } from "./supervisor-link.ts";
import { resume } from "./suspend.ts";
import type { LiveSystem } from "./system.ts";
import type { Settle } from "./take-over.ts";

/** How long the first clients are served before anything else is done, ms. */
const FIRST_CLIENTS_MS = 2;

interface Begun {
  readonly figures: HandoverFigures | null;
  readonly resumed?: ResumeFigures;
}

/** Where a program's state is kept from run to run, and what was found there; undefined if it is not kept, or nothing was. */
export interface States {
  readonly directory: StateDirectory | undefined;
  readonly found: FoundState["kind"] | undefined;
}

/** How a program begins to serve: anew, after a crash, with a suspended state, or with what it has taken over. */
export class ServingStart {
  readonly #parts: Parts;
  readonly #link: SupervisorLink;
  readonly #checkpoints: Checkpoints;
  readonly #states: States;
  readonly #end: RunEnd;
  #waiting: { resolve(): void; reject(error: unknown): void } | undefined;

  constructor(parts: Parts, link: SupervisorLink, checkpoints: Checkpoints, states: States, end: RunEnd) {
    this.#states = states;
    this.#end = end;
    this.#parts = parts;
    this.#link = link;
    this.#checkpoints = checkpoints;
  }

  /** Resolves when the program serves, which comes of what `announce` says. */
  await(announce: () => void): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      announce();
    });
  }

  /** The program will not serve. */
  fail(error: unknown): void {
    this.#waiting?.reject(error);
  }

  /** As the first program: with what the last run has left, or after a program that crashed, or with nothing. */
  boot(): void {
    try {
      const { memory } = this.#link;
      const { found } = this.#states;
      const from =
        found === undefined ? recovered(this.#parts, memory) : loadFound(this.#parts, memory, found);
      this.#begin(from, () => ({ figures: forgetLost(memory) }));
    } catch (error) {
      this.fail(error);
    }
  }

  /** With the state of a suspended program. Throws when that cannot be loaded. */
  resume(system: LiveSystem): void {
    const begin = resume(this.#parts, this.#link.memory, system);
    this.#begin("restore", () => ({ figures: null, resumed: begin() }));
  }

  /** With what was taken over: clients wait, so that the rest is done when those who have asked are served. */
  takeOver(listening: Promise<void>, begin: () => Settle): void {
    this.#open(listening, "restore", begin, (settle) => {
      const finish = (): void => {
        this.#link.send({ type: "serving", figures: settle() });
        this.#checkpoints.begin();
        void this.#states.directory?.succeed(notLocked);
      };
      setTimeout(finish, FIRST_CLIENTS_MS);
    });
  }

  #begin(from: StartContext["from"], begin: () => Begun): void {
    const listening = this.#parts.listeners.open(this.#link.duplicateListeners());
    this.#open(listening, from, begin, (begun) => {
      this.#states.directory?.consume(this.#states.found, false); // checkpoints stay in the memory
      this.#link.send({ type: "serving", ...begun });
      setImmediate(() => this.#checkpoints.begin()); // after the clients that waited
    });
  }

  /** Node's HTTP server keeps its list of connections from the moment it listens: connections come after that. */
  #open<T>(
    listening: Promise<void>,
    from: StartContext["from"],
    begin: () => T,
    begun: (result: T) => void,
  ): void {
    const serve = (): void => {
      const result = begin();
      this.#end.watch();
      this.#parts.starters.start({ from });
      begun(result);
      this.#waiting?.resolve();
    };
    listening.then(serve).catch(this.#waiting?.reject);
  }
}

function recovered(parts: Parts, memory: PhysicalMemory): StartContext["from"] {
  return loadCheckpoint(parts, memory) ? "recover" : "boot";
}

function notLocked(error: unknown): void {
  const text = `the state may not be kept at the end of this program: ${(error as Error).message}`;
  process.emitWarning(text, "KstateWarning", "STATE_NOT_KEPT");
}

/** Gives back the folios of a program that crashed: nothing that is left refers to them. */
function forgetLost(memory: PhysicalMemory): null {
  memory.dropStream(REHEARSAL);
  if (memory.preserved().streams.length === 0) memory.freeUnclaimed(({ owner }) => owner !== "");
  return null;
}
