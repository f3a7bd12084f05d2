import { KstateError } from "../error/index.ts";
import type { QuiesceHooks } from "./quiesce-hooks.ts";
import type { Busy, MovingConnections, ServerConnections } from "./sockets/connections.ts";
import type { Datagrams } from "./sockets/datagrams.ts";

/** How often a program looks again while nothing tells it to, ms: an inflating WebSocket says nothing. */
const LOOK_AGAIN_MS = 2;

/** For what still runs for connections that were given up, ms: handlers hear of their end and come to theirs. */
const AFTER_DROP_MS = 250;

export interface QuiesceLimits {
  readonly quiesceMs: number;
  /** Whether connections that wait for their clients alone are given up when that time is over. */
  readonly dropStalled: boolean;
  /** Whether bytes that are on their way to or from an HTTP client can move. */
  readonly carriesBytes: boolean;
}

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
  readonly #limits: QuiesceLimits;
  #deadline: NodeJS.Timeout;
  readonly #again: NodeJS.Timeout;
  #holding = false;
  #scheduled = false;
  #over = false;
  /** Connections that were given up. */
  dropped = 0;

  constructor(
    parts: QuiesceParts,
    limits: QuiesceLimits,
    outcome: { holding(): void; quiet(): void; busy(error: KstateError): void },
  ) {
    this.#parts = parts;
    this.#limits = limits;
    const { quiesceMs, carriesBytes } = limits;
    const look = (): void => {
      if (this.#scheduled || this.#over || !this.#holding) return;
      this.#scheduled = true;
      setImmediate(() => this.#look(outcome.quiet));
    };
    this.#deadline = setTimeout(() => this.#late(outcome.busy), quiesceMs);
    this.#again = setInterval(look, LOOK_AGAIN_MS);
    const startedAtMs = performance.now();
    const hold = (): void => {
      if (this.#over) return;
      outcome.holding();
      this.#holding = true;
      const limitMs = quiesceMs - (performance.now() - startedAtMs);
      for (const server of parts.servers) server.quiesce(look, { limitMs, carriesBytes });
      for (const moving of parts.moving) moving.quiesce({ limitMs, carriesBytes });
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

  #late(refuse: (error: KstateError) => void): void {
    const busy = this.#holding ? this.#busy() : this.#parts.hooks.busy();
    const drops = busy.flatMap(({ drop }) => drop ?? []);
    // In vain if anything else is under way.
    if (this.#limits.dropStalled && drops.length > 0 && drops.length === busy.length && this.dropped === 0) {
      this.dropped = drops.length;
      for (const drop of drops) drop();
      this.#deadline = setTimeout(() => this.#late(refuse), AFTER_DROP_MS);
      return;
    }
    this.cancel();
    refuse(requestsBusy(this.#limits.quiesceMs, busy, this.dropped));
  }

  #busy(): Busy[] {
    const { servers, moving, datagrams } = this.#parts;
    return [...servers, ...moving, ...datagrams].flatMap((part) => part.busy());
  }

  /** Stops looking; the connections are served on. */
  cancel(): void {
    if (this.#over) return;
    this.#finish();
    for (const part of [...this.#parts.servers, ...this.#parts.moving]) part.unquiesce();
    this.#parts.hooks.undo();
  }

  #finish(): void {
    this.#over = true;
    clearTimeout(this.#deadline);
    clearInterval(this.#again);
  }
}

const advice: Readonly<Record<Busy["cause"], string>> = {
  request:
    "make requests shorter, give them more time with --quiesce-timeout, or let them finish on the old side with live.detached(response)",
  client:
    "what waits for a client alone can be given up: --drop-stalled closes its connection when the time is over",
  undescribed:
    "describe the connection to live.connections() or live.webSockets(), or let it finish on the old side with live.detached(socket)",
  listener:
    "let listeners and handlers end sooner, or give them more time with --quiesce-timeout; one that never ends must not return its promise",
  hook: "let the hook end sooner, or give it more time with --quiesce-timeout",
  other: "give it more time with --quiesce-timeout",
};

function requestsBusy(timeoutMs: number, busy: readonly Busy[], dropped: number): KstateError {
  const requests = busy.map(({ what }) => what);
  const shown =
    requests.slice(0, 5).join(", ") + (requests.length > 5 ? ` and ${requests.length - 5} more` : "");
  const causes = busy.length === 0 ? (["request"] as const) : new Set(busy.map(({ cause }) => cause));
  const fixes = [...causes].map((cause) => advice[cause]).join("; ");
  const gone = dropped === 0 ? "" : ` (${dropped} connections that waited for their clients were closed)`;
  return new KstateError(
    "REQUESTS_BUSY",
    `cannot freeze: still under way after ${timeoutMs} ms: ${shown || "requests that came anew in every turn"}${gone}. ` +
      fixes[0]!.toUpperCase() +
      fixes.slice(1),
    { timeoutMs, requests },
  );
}
