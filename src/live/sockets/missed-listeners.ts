import { EventEmitter } from "node:events";

type Listener = (...args: never[]) => void;

/** What a description of connections says about listeners of `connection` that are not its own. */
export interface ConnectionListeners {
  /**
   * `"new"` says that the server's own `connection` listeners are meant for new connections alone (a greeting, a count), for
   * moved ones they are not called. Unless given, such a listener is warned of (`CONNECTION_LISTENERS`): what it puts on a
   * connection would be missing after an update.
   */
  readonly connectionListeners?: "new";
}

/** Listeners of this package, which moved connections do not need. */
const ownListeners = new WeakSet<Listener>();

/** Marks a listener of `connection` as one that moved connections do not miss. */
export function ownListener<L extends Listener>(listener: L): L {
  ownListeners.add(listener);
  return listener;
}

/**
 * Warns of listeners of `connection` that no moved connection meets, as those of ws's README for a heartbeat: the next
 * version would terminate every client that answers it. `moved` of them are here already, 0 before the first hand-over.
 */
export function warnOfMissedListeners(
  server: object,
  { name, call, connectionListeners }: ConnectionListeners & { readonly name: string; readonly call: string },
  moved: number,
): void {
  if (connectionListeners === "new") return;
  const missed = EventEmitter.prototype.listeners
    .call(server as EventEmitter, "connection")
    .filter((listener) => !ownListeners.has(listener as Listener));
  if (missed.length === 0) return;
  const listeners = missed.length === 1 ? "a listener" : `${missed.length} listeners`;
  const consequence =
    moved === 0
      ? "connections that an update moves will not meet"
      : `${moved} connections that have just been moved did not meet`;
  const text =
    `the server of ${call}() whose connections are described by ${name} has ${listeners} of "connection" that ${consequence}: ` +
    "put what it does for each connection (listeners, a heartbeat's isAlive) into attach, which is called for new and moved ones; " +
    'if it is for new ones alone, give connectionListeners: "new"';
  process.emitWarning(text, "KstateWarning", "CONNECTION_LISTENERS");
}
