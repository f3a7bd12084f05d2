import type { Socket } from "node:net";
import type { Parts } from "./freeze.ts";
import { staying, stopServing } from "./linger.ts";
import { leave, silence } from "./sockets/stream-socket.ts";

/** How long a client may take to answer that its connection ends, ms. */
const ANSWER_MS = 1_000;

/**
 * Ends the connections of a program whose state is kept elsewhere: WebSockets close with 1012, what has been sent is
 * delivered, responses that are detached may finish for so long. Resolves when all have closed, or their time is over.
 * Only after the commit, with every connection at rest.
 */
export async function farewell(parts: Parts, detachedMs: number): Promise<void> {
  const { listeners, moving } = parts;
  for (const socket of listeners.servers.flatMap((server) => server.collect())) {
    leave(socket);
    silence(socket);
  }
  const detached = closed(staying(listeners), detachedMs);
  stopServing(listeners);
  await Promise.all([detached, dismissAll(moving)]);
}

/** Tells the clients of connections that would have moved; resolves when they have answered, or had the time to. */
export function dismissAll(moving: Parts["moving"]): Promise<void> {
  return closed(
    moving.flatMap((connections) => connections.dismiss()),
    ANSWER_MS,
  );
}

function closed(sockets: readonly Socket[], limitMs: number): Promise<void> {
  const open = new Set(sockets.filter(({ closed }) => !closed));
  if (open.size === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const limit = setTimeout(resolve, limitMs);
    for (const socket of open) {
      socket.once("close", () => {
        open.delete(socket);
        if (open.size > 0) return;
        clearTimeout(limit);
        resolve();
      });
    }
  });
}
