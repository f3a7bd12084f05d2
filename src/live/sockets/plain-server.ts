import type { Server, Socket } from "node:net";
import type { Busy, ServerConnections } from "./connections.ts";
import type { Detached } from "./detached.ts";
import { count } from "./http-connections.ts";
import { ownListener } from "./missed-listeners.ts";
import { OpenSockets } from "./open-sockets.ts";
import { allowFlow, beginReading, renewTimeout } from "./stream-socket.ts";

/**
 * The connections of a `node:net` server of which nothing is known: whoever describes them takes them out of here.
 * Those that are left have to close before a freeze, or be detached.
 */
export class PlainServer implements ServerConnections {
  readonly key: string;
  readonly server: Server;
  readonly #sockets = new OpenSockets();
  readonly #detached: Detached;

  constructor(key: string, server: Server, detached: Detached) {
    this.key = key;
    this.server = server;
    this.#detached = detached;
    // First of all: a listener that describes the connection must find it here.
    server.prependListener(
      "connection",
      ownListener((socket: Socket) => this.#sockets.add(socket)),
    );
  }

  has(socket: Socket): boolean {
    return this.#sockets.has(socket);
  }

  release(socket: Socket): void {
    this.#sockets.delete(socket);
  }

  quiesce(changed: () => void): void {
    this.#sockets.closed = changed;
  }

  unquiesce(): void {
    this.#sockets.closed = undefined;
    for (const socket of this.#sockets) renewTimeout(socket);
  }

  busy(): Busy[] {
    return [...this.#sockets]
      .filter((socket) => !this.#detached.has(socket))
      .map(({ remoteAddress, remotePort }) => {
        const from = remoteAddress === undefined ? "" : ` of ${remoteAddress}:${remotePort}`;
        const what = `connection${from} to ${this.key}, which nothing describes to live.connections()`;
        return { what, cause: "undescribed" };
      });
  }

  canDetach(socket: Socket): boolean {
    return this.has(socket);
  }

  collect(): Socket[] {
    return [];
  }

  adopt(socket: Socket): void {
    count(this.server, socket);
    allowFlow(socket);
    this.server.emit("connection", socket);
    beginReading(socket);
  }

  staying(): Socket[] {
    return [...this.#sockets].filter((socket) => this.#detached.has(socket));
  }

  /** They are read all the time; a time-out may have passed while this program stood still. */
  finish(): void {
    for (const socket of this.staying()) renewTimeout(socket);
  }
}
