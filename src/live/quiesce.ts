import { KstateError } from "../error/index.ts";
import type { HttpConnections } from "./sockets/http-connections.ts";
import type { WebSockets } from "./sockets/web-sockets.ts";

/** How often a program looks again while nothing tells it to, ms: an inflating WebSocket says nothing. */
const LOOK_AGAIN_MS = 2;

export interface QuiesceParts {
  readonly http: readonly HttpConnections[];
  readonly webSockets: readonly WebSockets<object, unknown>[];
}

/**
 * Brings connections to rest in lanes: only those with a request under way, and those whose last one was slow,
 * are held back; everybody else is served until the moment in which nothing is under way. That moment is
 * looked for at the end of a turn of the loop, when the program's own promises have run.
 */
export class Quiesce {
  readonly #parts: QuiesceParts;
  readonly #timers: { readonly deadline: NodeJS.Timeout; readonly again: NodeJS.Timeout };
  #scheduled = false;
  #over = false;

  constructor(
    parts: QuiesceParts,
    quiesceMs: number,
    outcome: { quiet(): void; busy(error: KstateError): void },
  ) {
    this.#parts = parts;
    const look = (): void => {
      if (this.#scheduled || this.#over) return;
      this.#scheduled = true;
      setImmediate(() => this.#look(outcome.quiet));
    };
    const late = (): void => {
      const requests = this.#busy();
      this.cancel();
      outcome.busy(requestsBusy(quiesceMs, requests));
    };
    this.#timers = { deadline: setTimeout(late, quiesceMs), again: setInterval(look, LOOK_AGAIN_MS) };
    for (const server of parts.http) server.quiesce(look);
    look();
  }

  #look(quiet: () => void): void {
    this.#scheduled = false;
    if (this.#over || this.#busy().length > 0) return;
    this.#finish();
    quiet();
  }

  #busy(): string[] {
    return [...this.#parts.http, ...this.#parts.webSockets].flatMap((part) => part.busy());
  }

  /** Stops looking; the connections are served on. */
  cancel(): void {
    if (this.#over) return;
    this.#finish();
    for (const server of this.#parts.http) server.unquiesce();
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
      "Make them shorter, or give them more time with --quiesce-timeout",
    { timeoutMs, requests },
  );
}
