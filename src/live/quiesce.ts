import { KstateError } from "../error/index.ts";
import type { QuiesceHooks } from "./quiesce-hooks.ts";
import type { MovingConnections, ServerConnections } from "./sockets/connections.ts";
import type { Datagrams } from "./sockets/datagrams.ts";

/** How often a program looks again while nothing tells it to, ms: an inflating WebSocket says nothing. */
const LOOK_AGAIN_MS = 2;

export interface QuiesceParts {
  readonly servers: readonly ServerConnections[];
  readonly datagrams: readonly Datagrams[];
  readonly moving: readonly MovingConnections[];
  readonly hooks: QuiesceHooks;
}

/**
 * Brings connections to rest in lanes: only those with a request under way, and those whose last one was slow,
 * are held back; everybody else is served until the moment in which nothing is under way. That moment is
 * looked for at the end of a turn of the loop, when the program's own promises have run. The program's hooks run
 * before that, and nobody is held back for them.
 */
export class Quiesce {
  readonly #parts: QuiesceParts;
  readonly #timers: { readonly deadline: NodeJS.Timeout; readonly again: NodeJS.Timeout };
  #holding = false;
  #scheduled = false;
  #over = false;

  constructor(
    parts: QuiesceParts,
    quiesceMs: number,
    outcome: { holding(): void; quiet(): void; busy(error: KstateError): void },
  ) {
    this.#parts = parts;
    const look = (): void => {
      if (this.#scheduled || this.#over || !this.#holding) return;
      this.#scheduled = true;
      setImmediate(() => this.#look(outcome.quiet));
    };
    const late = (): void => {
      const requests = this.#holding ? this.#busy() : parts.hooks.busy();
      this.cancel();
      outcome.busy(requestsBusy(quiesceMs, requests));
    };
    this.#timers = { deadline: setTimeout(late, quiesceMs), again: setInterval(look, LOOK_AGAIN_MS) };
    const startedAtMs = performance.now();
    const hold = (): void => {
      if (this.#over) return;
      outcome.holding();
      this.#holding = true;
      const leftMs = quiesceMs - (performance.now() - startedAtMs);
      for (const server of parts.servers) server.quiesce(look, leftMs);
      look();
    };
    const failed = (error: KstateError): void => {
      if (this.#over) return;
      this.cancel();
      outcome.busy(error);
    };
    parts.hooks.run().then(hold, failed);
  }

  #look(quiet: () => void): void {
    this.#scheduled = false;
    if (this.#over || this.#busy().length > 0) return;
    this.#finish();
    quiet();
  }

  #busy(): string[] {
    const { servers, moving, datagrams } = this.#parts;
    return [...servers, ...moving, ...datagrams].flatMap((part) => part.busy());
  }

  /** Stops looking; the connections are served on. */
  cancel(): void {
    if (this.#over) return;
    this.#finish();
    for (const server of this.#parts.servers) server.unquiesce();
    this.#parts.hooks.undo();
  }

  #finish(): void {
    this.#over = true;
    clearTimeout(this.#timers.deadline);
    clearInterval(this.#timers.again);
  }
}

function requestsBusy(timeoutMs: number, requests: readonly string[]): KstateError {
  const shown =
    requests.slice(0, 5).join(", ") + (requests.length > 5 ? ` and ${requests.length - 5} more` : "");
  return new KstateError(
    "REQUESTS_BUSY",
    `cannot freeze: still under way after ${timeoutMs} ms: ${shown || "requests that came anew in every turn"}. ` +
      "Make them shorter, give them more time with --quiesce-timeout, or let them finish on the old side with live.detached(response)",
    { timeoutMs, requests },
  );
}
