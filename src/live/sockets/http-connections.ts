import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { isDrained, startReading, stopReading } from "./stream-socket.ts";

/** A connection whose last request took longer is held back while quiescing; the others are served on. */
const SLOW_MS = 5;

interface Connection {
  startedAt: number;
  slow: boolean;
  /** From another program: its keep-alive time-out is ours to end when its first request comes. */
  moved: boolean;
}

/** Node's own members that tell whether a connection is between two requests. */
interface HttpSocket extends Socket {
  readonly parser: object | null;
  readonly _httpMessage: (ServerResponse & { readonly req: IncomingMessage }) | null;
  server: Server | null;
  _server: Server | null;
}

interface ConnectionsList {
  idle(): { readonly socket: Socket }[];
}

/** The HTTP connections of one server: which are between requests, holding them back, and taking over others'. */
export class HttpConnections {
  readonly key: string;
  readonly server: Server;
  readonly #connections = new Map<Socket, Connection>();
  readonly #held = new Set<Socket>();
  #quiescing: (() => void) | undefined;

  constructor(key: string, server: Server) {
    this.key = key;
    this.server = server;
    server.on("connection", (socket: Socket) => this.#track(socket));
    server.prependListener("request", (request, response) => this.#begin(request, response));
  }

  #track(socket: Socket): void {
    this.#connections.set(socket, { startedAt: 0, slow: false, moved: false });
    socket.once("close", () => {
      this.release(socket);
      this.#quiescing?.();
    });
  }

  #begin({ socket }: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.startedAt = performance.now();
    if (connection.moved) {
      connection.moved = false;
      socket.setTimeout(this.server.timeout);
    }
    // Synchronously: in a later turn a client in a closed loop has its next request through.
    response.once("close", () => {
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

  /** Begins to hold connections back; `changed` is called whenever one may have come to rest. */
  quiesce(changed: () => void): void {
    this.#quiescing = changed;
    const idle = this.#idle();
    for (const [socket, { slow }] of this.#connections) {
      if (slow && idle.has(socket)) this.#hold(socket);
    }
  }

  /** Undoes {@link quiesce} and {@link stopReading}. */
  unquiesce(): void {
    this.#quiescing = undefined;
    this.#held.clear();
    for (const socket of this.#connections.keys()) startReading(socket);
  }

  /** What is under way, for people; the connections of it are held back as soon as they rest. */
  busy(): string[] {
    const idle = this.#idle();
    const found: string[] = [];
    for (const socket of this.#connections.keys()) {
      const what = describeActivity(socket as HttpSocket, idle);
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

  stopReading(): void {
    for (const socket of this.#connections.keys()) stopReading(socket);
  }

  /** All connections; only when nothing is {@link busy}. */
  sockets(): Socket[] {
    return [...this.#connections.keys()];
  }

  has(socket: Socket): boolean {
    return this.#connections.has(socket);
  }

  /** Forgets a connection: it has closed, or it is a WebSocket now. */
  release(socket: Socket): void {
    this.#connections.delete(socket);
    this.#held.delete(socket);
  }

  /** Starts every time-out again: timers run before I/O, and those that passed during the freeze would close. */
  renewTimeouts(): void {
    for (const socket of this.#connections.keys()) renewTimeout(socket);
  }

  /** Serves a connection that came from another program, paused until now. */
  adopt(socket: Socket): void {
    count(this.server, socket);
    this.server.emit("connection", socket);
    const connection = this.#connections.get(socket);
    if (connection !== undefined) connection.moved = true;
    socket.setTimeout(this.server.keepAliveTimeout);
    socket.resume();
  }
}

/** Starts a socket's idle time-out again. */
export function renewTimeout(socket: Socket): void {
  if (socket.timeout !== undefined && socket.timeout > 0) socket.setTimeout(socket.timeout);
}

/** Makes a socket one of a server's, as if the server had accepted it. */
export function count(server: Server, socket: Socket): void {
  const internals = socket as HttpSocket;
  internals.server = server;
  internals._server = server;
  (server as unknown as { _connections: number })._connections += 1;
}

function describeActivity(socket: HttpSocket, idle: ReadonlySet<Socket>): string | undefined {
  const from = `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? "?"}`;
  if (socket.destroyed) return `closing connection of ${from}`;
  const request = socket._httpMessage?.req;
  if (request !== undefined) return `${request.method} ${request.url}`;
  if (socket.parser === null) return `upgraded connection of ${from}`;
  if (socket.bytesRead > 0 && !idle.has(socket)) return `request of ${from} that has not arrived whole`;
  return isDrained(socket) ? undefined : `response to ${from} that is not sent yet`;
}
