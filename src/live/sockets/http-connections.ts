import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Server as NetServer, Socket } from "node:net";
import { performance } from "node:perf_hooks";
import type { ServerConnections } from "./connections.ts";
import type { Detached } from "./detached.ts";
import { isDrained, renewTimeout, startReading, stopReading } from "./stream-socket.ts";

/** A connection whose last request took longer is held back while quiescing; the others are served on. */
const SLOW_MS = 5;

interface Connection {
  startedAt: number;
  slow: boolean;
  /** From another program: its keep-alive time-out is ours to end when its first request comes. */
  moved: boolean;
  /** Not sent whole; several when the client sends requests ahead. */
  readonly responses: Set<ServerResponse>;
}

/** Node's own members that tell whether a connection is between two requests. */
interface HttpSocket extends Socket {
  readonly parser: object | null;
  readonly _httpMessage: (ServerResponse & { readonly req: IncomingMessage }) | null;
  server: NetServer | null;
  _server: NetServer | null;
}

interface ConnectionsList {
  idle(): { readonly socket: Socket }[];
}

/** The HTTP connections of one server: which are between requests, holding them back, and taking over others'. */
export class HttpConnections implements ServerConnections {
  readonly key: string;
  readonly server: Server;
  readonly #connections = new Map<Socket, Connection>();
  readonly #held = new Set<Socket>();
  readonly #detached: Detached;
  #quiescing: (() => void) | undefined;

  constructor(key: string, server: Server, detached: Detached) {
    this.key = key;
    this.server = server;
    this.#detached = detached;
    server.on("connection", (socket: Socket) => this.#track(socket));
    server.prependListener("request", (request, response) => this.#begin(request, response));
  }

  #track(socket: Socket): void {
    this.#connections.set(socket, { startedAt: 0, slow: false, moved: false, responses: new Set() });
    socket.once("close", () => {
      this.release(socket);
      this.#quiescing?.();
    });
  }

  #begin({ socket }: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.startedAt = performance.now();
    connection.responses.add(response);
    if (connection.moved) {
      connection.moved = false;
      socket.setTimeout(this.server.timeout);
    }
    // Synchronously: in a later turn a client in a closed loop has its next request through.
    response.once("close", () => {
      connection.responses.delete(response);
      connection.slow = performance.now() - connection.startedAt > SLOW_MS;
      if (this.#quiescing === undefined) return;
      if (connection.slow || this.#held.has(socket)) this.#holdAtRest(socket);
      this.#quiescing();
    });
  }

  /** A part of the next request may have been read before this event: then it has to be read to its end. */
  #holdAtRest(socket: Socket): void {
    if (this.#idle().has(socket)) this.#hold(socket);
    else this.#held.add(socket);
  }

  #hold(socket: Socket): void {
    this.#held.add(socket);
    stopReading(socket);
  }

  quiesce(changed: () => void): void {
    this.#quiescing = changed;
    const idle = this.#idle();
    for (const [socket, { slow }] of this.#connections) {
      if (slow && idle.has(socket)) this.#hold(socket);
    }
  }

  unquiesce(): void {
    this.#quiescing = undefined;
    this.#held.clear();
    for (const socket of this.#connections.keys()) {
      renewTimeout(socket);
      startReading(socket);
    }
  }

  /** The connections of what is under way are held back as soon as they rest. */
  busy(): string[] {
    const idle = this.#idle();
    const found: string[] = [];
    for (const [socket, { responses }] of this.#connections) {
      if (this.#stays(responses)) continue;
      const what = describeActivity(socket as HttpSocket, responses, idle);
      if (what === undefined) continue;
      found.push(what);
      this.#held.add(socket);
    }
    return found;
  }

  #idle(): Set<Socket> {
    const symbol = Object.getOwnPropertySymbols(this.server).find(
      ({ description }) => description === "http.server.connections",
    );
    const list = symbol && (this.server as unknown as Record<symbol, ConnectionsList>)[symbol];
    return new Set(list?.idle().map(({ socket }) => socket));
  }

  /** Whether everything that is under way on a connection may finish on the old side. */
  #stays(responses: ReadonlySet<ServerResponse>): boolean {
    return responses.size > 0 && [...responses].every((response) => this.#detached.has(response));
  }

  collect(): Socket[] {
    const moving: Socket[] = [];
    for (const [socket, { responses }] of this.#connections) {
      if (this.#stays(responses)) continue;
      stopReading(socket);
      moving.push(socket);
    }
    return moving;
  }

  staying(): Socket[] {
    return [...this.#connections]
      .filter(([, { responses }]) => this.#stays(responses))
      .map(([socket]) => socket);
  }

  /** No request comes after those: nobody here would have the state for it. */
  finish(): void {
    for (const [socket, { responses }] of this.#connections) {
      if (!this.#stays(responses)) continue;
      const end = (): void => {
        if (responses.size === 0) socket.destroySoon();
      };
      for (const response of responses) response.once("close", end);
      startReading(socket);
    }
  }

  has(socket: Socket): boolean {
    return this.#connections.has(socket);
  }

  release(socket: Socket): void {
    this.#connections.delete(socket);
    this.#held.delete(socket);
  }

  adopt(socket: Socket): void {
    count(this.server, socket);
    this.server.emit("connection", socket);
    const connection = this.#connections.get(socket);
    if (connection !== undefined) connection.moved = true;
    socket.setTimeout(this.server.keepAliveTimeout);
    socket.resume();
  }
}

/** Makes a socket one of a server's, as if the server had accepted it. */
export function count(server: NetServer, socket: Socket): void {
  const internals = socket as HttpSocket;
  internals.server = server;
  internals._server = server;
  (server as unknown as { _connections: number })._connections += 1;
}

function describeActivity(
  socket: HttpSocket,
  responses: ReadonlySet<ServerResponse>,
  idle: ReadonlySet<Socket>,
): string | undefined {
  const from = `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? "?"}`;
  if (socket.destroyed) return `closing connection of ${from}`;
  const request = (socket._httpMessage ?? [...responses][0])?.req;
  if (request !== undefined) return `${request.method} ${request.url}`;
  if (socket.parser === null) return `upgraded connection of ${from}`;
  if (socket.bytesRead > 0 && !idle.has(socket)) return `request of ${from} that has not arrived whole`;
  return isDrained(socket) ? undefined : `response to ${from} that is not sent yet`;
}
