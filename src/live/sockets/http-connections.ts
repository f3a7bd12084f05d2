import { type IncomingMessage, OutgoingMessage, type Server, type ServerResponse } from "node:http";
import type { Server as NetServer, Socket } from "node:net";
import { performance } from "node:perf_hooks";
import type { Busy, PendingBytes, QuiesceOptions, ServerConnections } from "./connections.ts";
import type { Detached } from "./detached.ts";
import { isBetweenMessages, RequestHead, restParser } from "./request-heads.ts";
import {
  holdBack,
  isDrained,
  renewTimeout,
  startReading,
  stopReading,
  unsentBytes,
  watchWrites,
} from "./stream-socket.ts";

/** A connection whose last request took longer is held back while quiescing; the others are served on. */
const SLOW_MS = 5;

/** An unsent response moves after this share of the time to quiesce: most are taken by then, and need not be copied. */
const PATIENCE_SHARE = 0.5;
/** The most of one that moves; longer ones are waited for. */
const MAX_UNSENT_BYTES = 64 * 1024 * 1024;

/** With whose first argument a request begins, in whichever way its program is told. */
const REQUEST_EVENTS = new Set(["request", "checkContinue", "checkExpectation", "upgrade", "connect"]);

const NOTHING = new Uint8Array(0);
const NONE_PENDING: PendingBytes = { head: NOTHING, unsent: NOTHING, ending: false };

interface Connection {
  startedAt: number;
  slow: boolean;
  /** From another program: its keep-alive time-out is ours to end when its first request comes. */
  moved: boolean;
  /** What has been read of a request whose head is not whole. */
  head: RequestHead;
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

/** The HTTP connections of one server: which are between requests, holding them back, and taking over others'. */
export class HttpConnections implements ServerConnections {
  readonly key: string;
  readonly server: Server;
  readonly #connections = new Map<Socket, Connection>();
  readonly #held = new Set<Socket>();
  readonly #detached: Detached;
  #quiescing: (() => void) | undefined;
  #options: QuiesceOptions | undefined;
  #patience: NodeJS.Timeout | undefined;
  /** Clients have had their time to take what was sent: the rest moves. */
  #movesUnsent = false;
  /** What another program had read of the head of a request, of the connection that is being taken in. */
  #arriving: Uint8Array = NOTHING;

  constructor(key: string, server: Server, detached: Detached) {
    this.key = key;
    this.server = server;
    this.#detached = detached;
    server.on("connection", (socket: Socket) => this.#track(socket));
    this.#watchRequests();
  }

  /**
   * Sees every request, in whichever way the program has it: a listener for one of these events changes what Node does, and
   * others take all listeners of `request` away (engine.io).
   */
  #watchRequests(): void {
    const { server } = this;
    const own = Object.hasOwn(server, "emit") ? server.emit : undefined;
    server.emit = ((event: string, ...args: unknown[]) => {
      if (REQUEST_EVENTS.has(event)) this.#begin(args[0] as IncomingMessage | undefined, args[1]);
      const emit = own ?? (Object.getPrototypeOf(server) as Server).emit;
      return Reflect.apply(emit, server, [event, ...args]);
    }) as typeof server.emit;
  }

  #track(socket: Socket): void {
    const head = new RequestHead(socket, this.#arriving);
    this.#connections.set(socket, { startedAt: 0, slow: false, moved: false, head, responses: new Set() });
    watchWrites(socket);
    socket.once("close", () => {
      this.release(socket);
      this.#quiescing?.();
    });
  }

  #begin(request: Partial<IncomingMessage> | undefined, response: unknown): void {
    const { socket } = request ?? {};
    const connection = socket && this.#connections.get(socket);
    if (socket === undefined || connection === undefined) return; // made up, for a test
    connection.head.end();
    if (connection.moved) {
      connection.moved = false;
      socket.setTimeout(this.server.timeout);
    }
    if (response instanceof OutgoingMessage) this.#answering(socket, connection, response as ServerResponse);
  }

  #answering(socket: Socket, connection: Connection, response: ServerResponse): void {
    if (connection.responses.has(response)) return; // a listener of checkContinue makes it a request
    connection.startedAt = performance.now();
    connection.responses.add(response);
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
    if (isBetweenMessages(socket) === true) this.#hold(socket);
    else this.#held.add(socket);
  }

  #hold(socket: Socket): void {
    this.#held.add(socket);
    holdBack(socket);
  }

  quiesce(changed: () => void, options: QuiesceOptions): void {
    this.#quiescing = changed;
    this.#options = options;
    this.#patience = setTimeout(() => {
      this.#movesUnsent = options.carriesBytes;
      changed();
    }, options.limitMs * PATIENCE_SHARE);
    for (const [socket, { slow }] of this.#connections) {
      if (slow && isBetweenMessages(socket) === true) this.#hold(socket);
    }
  }

  unquiesce(): void {
    this.#endQuiescing();
    this.#held.clear();
    for (const socket of this.#connections.keys()) {
      renewTimeout(socket);
      startReading(socket);
    }
  }

  #endQuiescing(): void {
    this.#quiescing = undefined;
    this.#movesUnsent = false;
    clearTimeout(this.#patience);
  }

  /** The connections of what is under way are held back as soon as they rest. */
  busy(): Busy[] {
    const found: Busy[] = [];
    for (const [socket, connection] of this.#connections) {
      if (this.#stays(socket, connection)) continue;
      const busy = this.#activity(socket as HttpSocket, connection);
      if (busy === undefined) continue;
      found.push(busy);
      this.#held.add(socket);
    }
    return found;
  }

  #activity(socket: HttpSocket, connection: Connection): Busy | undefined {
    const { responses, head } = connection;
    const from = `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? "?"}`;
    if (socket.destroyed) return { what: `closing connection of ${from}`, cause: "other" };
    const drop = (): void => void socket.destroy();
    const message = socket._httpMessage ?? [...responses][0];
    if (message?.req !== undefined) {
      if (this.#movesUnsent && isMovable(socket, responses)) return undefined;
      return requestUnderWay(message, from, drop);
    }
    if (socket.parser === null) return { what: `upgraded connection of ${from}`, cause: "undescribed" };
    if (socket.bytesRead > 0 && isBetweenMessages(socket) !== true) {
      if (this.#options?.carriesBytes && head.bytes !== undefined) return undefined;
      return { what: `request of ${from} that has not arrived whole`, cause: "client", drop };
    }
    if (isDrained(socket) || (this.#movesUnsent && isShort(socket))) return undefined;
    return { what: `response to ${from} that is not sent yet`, cause: "client", drop };
  }

  /** Whether everything that is under way on a connection may finish on the old side. */
  #stays(socket: Socket, { responses }: Connection): boolean {
    if (this.#detached.has(socket)) return true;
    return responses.size > 0 && [...responses].every((response) => this.#detached.has(response));
  }

  /** Whether the program may let a connection itself finish on the old side: it has taken it from HTTP. */
  canDetach(socket: Socket): boolean {
    return this.has(socket) && (socket as HttpSocket).parser === null;
  }

  collect(): Socket[] {
    const moving: Socket[] = [];
    for (const [socket, connection] of this.#connections) {
      if (this.#stays(socket, connection)) continue;
      stopReading(socket);
      moving.push(socket);
    }
    return moving;
  }

  pendingOf(socket: Socket): PendingBytes | undefined {
    const head = this.#connections.get(socket)?.head.bytes ?? NOTHING;
    const unsent = unsentBytes(socket);
    if (head.length === 0 && unsent.length === 0) return undefined;
    const { _httpMessage: message } = socket as HttpSocket;
    const { shouldKeepAlive = true } = (message ?? {}) as { readonly shouldKeepAlive?: boolean };
    return { head, unsent, ending: !shouldKeepAlive || socket.writableEnded };
  }

  staying(): Socket[] {
    return [...this.#connections]
      .filter(([socket, connection]) => this.#stays(socket, connection))
      .map(([socket]) => socket);
  }

  /** No request comes after those: nobody here would have the state for it. */
  finish(): void {
    this.#endQuiescing();
    for (const [socket, connection] of this.#connections) {
      if (!this.#stays(socket, connection)) continue;
      const { responses } = connection;
      const end = (): void => {
        if (responses.size === 0) socket.destroySoon();
      };
      for (const response of responses) response.once("close", end);
      renewTimeout(socket);
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

  adopt(socket: Socket, { head, unsent, ending }: PendingBytes = NONE_PENDING): void {
    count(this.server, socket);
    this.#arriving = head;
    this.server.emit("connection", socket);
    this.#arriving = NOTHING;
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.moved = true;
    if (head.length > 0) socket.unshift(head);
    else restParser(socket);
    const rest = (): void => {
      if (connection.moved) socket.setTimeout(keepAliveMs(this.server));
    };
    if (unsent.length > 0) socket.write(unsent, rest);
    else rest();
    if (ending) socket.destroySoon(); // behind what is unsent: that response was the last one
    socket.resume();
  }
}

/** How long Node waits for a next request: a little longer than it tells clients, who may be on their way. */
function keepAliveMs(server: Server): number {
  const { keepAliveTimeout, keepAliveTimeoutBuffer = 1_000 } = server as Server & {
    readonly keepAliveTimeoutBuffer?: number;
  };
  return keepAliveTimeout > 0 ? keepAliveTimeout + keepAliveTimeoutBuffer : 0;
}

/** Whether only the client's taking it is missing from a response: the program is through with it, and with the request. */
function isMovable(socket: HttpSocket, responses: ReadonlySet<ServerResponse>): boolean {
  const response = socket._httpMessage;
  if (responses.size > 1 || response === null) return false;
  if (!response.writableEnded || !response.req.complete || isBetweenMessages(socket) !== true) return false;
  return isShort(socket);
}

function isShort(socket: Socket): boolean {
  return socket.writableLength <= MAX_UNSENT_BYTES;
}

/** A request under way, and for whom it waits: the program takes all of the body that comes, or the response is not taken. */
function requestUnderWay(
  response: ServerResponse & { readonly req: IncomingMessage },
  from: string,
  drop: () => void,
): Busy {
  const { method, url, complete, readableLength, readableHighWaterMark } = response.req;
  const what = `${method} ${url}`;
  if (!complete && readableLength < readableHighWaterMark)
    return { what: `${what}, whose body has not arrived whole from ${from}`, cause: "client", drop };
  if (response.writableEnded || response.writableNeedDrain)
    return { what: `${what}, whose response ${from} does not take`, cause: "client", drop };
  return { what, cause: "request" };
}

/** Makes a socket one of a server's, as if the server had accepted it. */
export function count(server: NetServer, socket: Socket): void {
  const internals = socket as HttpSocket;
  internals.server = server;
  internals._server = server;
  (server as unknown as { _connections: number })._connections += 1;
}
