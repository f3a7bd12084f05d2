import type { Socket } from "node:net";
import type { Listeners } from "./listeners.ts";
import { silence, stopAccepting } from "./sockets/stream-socket.ts";

/** The connections that stay with this program after a commit. */
export function staying(listeners: Listeners): Socket[] {
  return listeners.servers.flatMap((server) => server.staying());
}

/** The longest delay of a timer of Node, ms. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * After a commit: finishes what stays here and nothing else. The connections that have moved are silent, nothing is
 * accepted, and `done` is called when the last connection that stays has closed, or has been cut off after `limitMs`.
 */
export function linger(
  listeners: Listeners,
  left: readonly Socket[],
  limitMs: number,
  done: () => void,
): void {
  for (const socket of left) silence(socket);
  const open = new Set(staying(listeners));
  for (const socket of open) {
    socket.once("close", () => {
      open.delete(socket);
      if (open.size === 0) done();
    });
  }
  if (limitMs <= MAX_DELAY_MS) setTimeout(() => cutOff(open, limitMs), limitMs).unref();
  stopServing(listeners);
}

/** Accepts nothing any more, and goes on with what stays. */
export function stopServing(listeners: Listeners): void {
  for (const datagrams of listeners.datagrams) datagrams.stop();
  for (const connections of listeners.servers) {
    stopAccepting(connections.server);
    connections.finish();
  }
}

function cutOff(open: ReadonlySet<Socket>, limitMs: number): void {
  const from = [...open].map(({ remoteAddress, remotePort }) => `${remoteAddress}:${remotePort}`);
  const shown = from.slice(0, 5).join(", ") + (from.length > 5 ? ` and ${from.length - 5} more` : "");
  const text = `detached responses took more than ${limitMs} ms after the update and are cut off: ${shown}; give them more time with detachedLimitMs`;
  process.emitWarning(text, "KstateWarning", "DETACHED_LIMIT");
  setImmediate(() => {
    for (const socket of open) socket.destroy(); // in a later turn: the warning has to be out before the program ends
  });
}
