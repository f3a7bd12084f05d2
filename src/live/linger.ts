import type { Socket } from "node:net";
import type { Listeners } from "./listeners.ts";
import { silence, stopAccepting } from "./sockets/stream-socket.ts";

/** The connections that stay with this program after a commit. */
export function staying(listeners: Listeners): Socket[] {
  return listeners.servers.flatMap((server) => server.staying());
}

/**
 * After a commit: finishes what stays here and nothing else. The connections that have moved are silent, nothing is
 * accepted, and `done` is called when the last connection that stays has closed.
 */
export function linger(listeners: Listeners, left: readonly Socket[], done: () => void): void {
  for (const socket of left) silence(socket);
  const open = new Set(staying(listeners));
  for (const socket of open) {
    socket.once("close", () => {
      open.delete(socket);
      if (open.size === 0) done();
    });
  }
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
