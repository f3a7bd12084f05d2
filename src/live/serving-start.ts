import { type PhysicalMemory, REHEARSAL } from "../memory/index.ts";
import { type Checkpoints, loadCheckpoint } from "./checkpoints.ts";
import type { Parts } from "./freeze.ts";
import type { HandoverFigures, ResumeFigures } from "./protocol.ts";
import type { StartContext } from "./starters.ts";
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

/** How a program begins to serve: anew, after a crash, with a suspended state, or with what it has taken over. */
export class ServingStart {
  readonly #parts: Parts;
  readonly #link: SupervisorLink;
  readonly #checkpoints: Checkpoints;
  #waiting: { resolve(): void; reject(error: unknown): void } | undefined;

  constructor(parts: Parts, link: SupervisorLink, checkpoints: Checkpoints) {
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

  /** As the first program, which may come after one that has crashed. */
  boot(): void {
    try {
      const from = loadCheckpoint(this.#parts, this.#link.memory) ? "recover" : "boot";
      this.#begin(from, () => ({ figures: forgetLost(this.#link.memory) }));
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
      };
      setTimeout(finish, FIRST_CLIENTS_MS);
    });
  }

  #begin(from: StartContext["from"], begin: () => Begun): void {
    const listening = this.#parts.listeners.open(this.#link.duplicateListeners());
    this.#open(listening, from, begin, (begun) => {
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
      this.#parts.starters.start({ from });
      begun(result);
      this.#waiting?.resolve();
    };
    listening.then(serve).catch(this.#waiting?.reject);
  }
}

/** Gives back the folios of a program that crashed: nothing that is left refers to them. */
function forgetLost(memory: PhysicalMemory): null {
  memory.dropStream(REHEARSAL);
  if (memory.preserved().streams.length === 0) memory.freeUnclaimed(({ owner }) => owner !== "");
  return null;
}
