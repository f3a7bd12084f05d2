import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { ServerConnections } from "./connections.ts";
import type { Detached } from "./detached.ts";
import { renewTimeout, startReading, stopReading } from "./stream-socket.ts";

/**
 * The sessions of a `node:http2` server without TLS. What both sides of a session know of its headers cannot be moved:
 * the freeze waits for the requests under way, and after the commit each session is told to go away (GOAWAY).
 */
export class Http2Sessions implements ServerConnections {
  readonly key: string;
  readonly server: Http2Server;
  readonly #sockets = new Set<Socket>();
  readonly #streams = new Map<ServerHttp2Session, Map<ServerHttp2Stream, string>>();
  readonly #socketOf = new WeakMap<ServerHttp2Session, Socket>();
  readonly #detached: Detached;
  #latest: Socket | undefined;
  #quiescing: (() => void) | undefined;

  constructor(key: string, server: Http2Server, detached: Detached) {
    this.key = key;
    this.server = server;
    this.#detached = detached;
    // The server makes a session of a connection at once, and shows only a stand-in of its socket.
    server.prependListener("connection", (socket: Socket) => this.#track(socket));
    server.prependListener("session", (session) => this.#begin(session));
  }

  #track(socket: Socket): void {
    this.#latest = socket;
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.release(socket);
      this.#quiescing?.();
    });
  }

  #begin(session: ServerHttp2Session): void {
    const streams = new Map<ServerHttp2Stream, string>();
    this.#streams.set(session, streams);
    this.#socketOf.set(session, this.#latest!);
    session.once("close", () => this.#streams.delete(session));
    session.prependListener("stream", (stream, headers) => {
      streams.set(stream, `${headers[":method"]} ${headers[":path"]}`);
      stream.once("close", () => {
        streams.delete(stream);
        if (this.#quiescing === undefined) return;
        if (streams.size === 0) stopReading(this.#socketOf.get(session)!);
        this.#quiescing();
      });
    });
  }

  has(socket: Socket): boolean {
    return this.#sockets.has(socket);
  }

  release(socket: Socket): void {
    this.#sockets.delete(socket);
  }

  quiesce(changed: () => void): void {
    this.#quiescing = changed;
  }

  unquiesce(): void {
    this.#quiescing = undefined;
    for (const socket of this.#sockets) {
      renewTimeout(socket);
      startReading(socket);
    }
  }

  busy(): string[] {
    return [...this.#streams.values()].flatMap((streams) =>
      [...streams].filter(([stream]) => !this.#detached.has(stream)).map(([, request]) => request),
    );
  }

  collect(): Socket[] {
    return [];
  }

  /** Never called: none are collected. */
  adopt(): void {}

  staying(): Socket[] {
    return [...this.#sockets];
  }

  finish(): void {
    for (const session of this.#streams.keys()) session.close();
    for (const socket of this.#sockets) startReading(socket);
  }
}

/** Whether a server is one of `node:http2` without TLS; the class itself is not public. */
export function isHttp2Server(server: object): server is Http2Server {
  return "updateSettings" in server;
}
