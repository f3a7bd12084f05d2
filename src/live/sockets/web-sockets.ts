import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Description } from "../../description/index.ts";
import type { Registry } from "../../registry/index.ts";
import { handToProgram } from "../harmless.ts";
import {
  type Busy,
  listenerOfClosed,
  type MovingConnections,
  type QuiesceOptions,
  type ServerConnections,
} from "./connections.ts";
import { HeldBack } from "./held-back.ts";
import { count } from "./http-connections.ts";
import { ListenerWork } from "./listener-work.ts";
import { type ConnectionListeners, ownListener, warnOfMissedListeners } from "./missed-listeners.ts";
import { statesOf, type WebSocketRecord, webSocketsState } from "./records.ts";
import { renewTimeout, startReading, stopReading, unreadBytes, watchWrites } from "./stream-socket.ts";
import {
  assertMovable,
  continueSending,
  describe,
  dismissWebSocket,
  isInMotion,
  isPaused,
  revive,
  reviveUnheard,
  socketOf,
  waitsForClient,
  watchExtensions,
} from "./web-socket-internals.ts";

/** What kstate uses of a `WebSocketServer` of ws in public; `W` is its class of WebSockets. */
export interface WebSocketServerLike<W> {
  readonly clients: Set<W>;
  // Without `W`: it would be inferred from the last overload of ws's own `on`, which says `any`.
  on(event: string, listener: (...args: never[]) => void): unknown;
}

export interface WebSocketHandlers<W, S> extends ConnectionListeners {
  /** Describes what the program knows about one WebSocket; it travels with the connection. */
  readonly state: Description<S>;
  /** Makes that for a new connection. */
  open(request: IncomingMessage): S;
  /** Puts the program's listeners on a WebSocket, a new one or, with `moved`, one of the previous program. */
  attach(webSocket: W, state: S, context: { readonly moved: boolean }): void;
}

interface Member<S> {
  readonly state: S;
  readonly listener: string;
}

/** The WebSockets of one server: their states, and taking over those of the previous program. */
export class WebSockets<W extends object, S> implements MovingConnections {
  readonly kind = "webSockets";
  readonly #server: WebSocketServerLike<W>;
  readonly #handlers: WebSocketHandlers<W, S>;
  readonly #servers: () => readonly ServerConnections[];
  readonly #members = new Map<W, Member<S>>();
  readonly #work = new ListenerWork<W>();
  readonly #held = new HeldBack();
  /** What is saved and loaded, filled for the freeze: one record and one state for each descriptor, in order. */
  readonly #records: { sockets: WebSocketRecord[] } = { sockets: [] };
  readonly #states: { states: S[] } = { states: [] };
  #revived: { webSocket: W; socket: Socket; record: WebSocketRecord; state: S }[] = [];

  constructor(
    server: WebSocketServerLike<W>,
    handlers: WebSocketHandlers<W, S>,
    servers: () => readonly ServerConnections[],
  ) {
    assertMovable(server);
    this.#server = server;
    this.#handlers = handlers;
    this.#servers = servers;
    server.on(
      "connection",
      ownListener((webSocket: W, request: IncomingMessage) => this.#open(webSocket, request)),
    );
  }

  warnOfMissed(moved: number): void {
    const { state, connectionListeners } = this.#handlers;
    const facts = {
      name: state.name,
      call: "webSockets",
      ...(connectionListeners && { connectionListeners }),
    };
    warnOfMissedListeners(this.#server, facts, moved);
  }

  register(registry: Registry, number: number): void {
    registry.register(webSocketsState, this.#records, number);
    registry.register(statesOf("web_socket", this.#handlers.state), this.#states, number);
  }

  #open(webSocket: W, request: IncomingMessage): void {
    const socket = socketOf(webSocket)!;
    const listener = this.#servers().find((server) => server.has(socket));
    listener?.release(socket);
    const state = this.#handlers.open(request);
    this.#join(webSocket, socket, { state, listener: listener?.key ?? "" });
    this.#handlers.attach(webSocket, state, { moved: false });
  }

  #join(webSocket: W, socket: Socket, member: Member<S>): void {
    watchWrites(socket);
    watchExtensions(webSocket);
    this.#work.watch(webSocket);
    this.#members.set(webSocket, member);
    (webSocket as W & { once(event: "close", listener: () => void): void }).once("close", () =>
      this.#members.delete(webSocket),
    );
  }

  /** Runs the code of {@link revive} on a connection that goes nowhere; nobody is told of it. */
  warmUp(socket: Socket, record: WebSocketRecord): object {
    const webSocket = reviveUnheard(this.#server, socket, record);
    watchWrites(socket);
    describe(webSocket, record.listener, record.unread);
    return webSocket;
  }

  quiesce({ limitMs }: QuiesceOptions): void {
    this.#held.begin(limitMs);
  }

  unquiesce(): void {
    this.#held.end();
  }

  busy(): Busy[] {
    const found: Busy[] = [];
    const { connections, gone } = this.#work.pending(this.#members);
    for (const webSocket of this.#members.keys()) {
      if (isInMotion(webSocket)) found.push(inMotion(webSocket));
      else if (connections.has(webSocket)) {
        const socket = socketOf(webSocket)!;
        this.#held.hold(socket);
        found.push({ what: `listener of the WebSocket from ${addressOf(socket)}`, cause: "listener" });
      }
    }
    if (gone && this.#held.isPatient) found.push(listenerOfClosed);
    return found;
  }

  thaw(): void {
    this.forget();
    this.#held.forget();
    for (const socket of this.#sockets()) {
      renewTimeout(socket);
      startReading(socket);
    }
  }

  #sockets(): Socket[] {
    return [...this.#members.keys()].map(socketOf).filter((socket) => socket !== null);
  }

  collect(): Socket[] {
    const sockets = this.#describe(this.#members);
    this.#held.forget();
    for (const socket of sockets) stopReading(socket);
    return sockets;
  }

  sample(most: number): void {
    const resting: (readonly [W, Member<S>])[] = [];
    for (const member of this.#members) {
      if (resting.length === most) break;
      if (!isInMotion(member[0])) resting.push(member);
    }
    this.#describe(resting);
  }

  #describe(members: Iterable<readonly [W, Member<S>]>): Socket[] {
    this.forget();
    const sockets: Socket[] = [];
    for (const [webSocket, { state, listener }] of members) {
      const socket = socketOf(webSocket)!;
      this.#records.sockets.push(describe(webSocket, listener, unreadBytes(socket)));
      this.#states.states.push(state);
      sockets.push(socket);
    }
    return sockets;
  }

  forget(): void {
    this.#records.sockets = [];
    this.#states.states = [];
  }

  dismiss(): Socket[] {
    const webSockets = [...this.#members.keys()];
    return webSockets.map((webSocket) => dismissWebSocket(webSocket));
  }

  get loaded(): number {
    return this.#records.sockets.length;
  }

  revive(sockets: readonly Socket[]): void {
    this.#revived = this.#records.sockets.map((record, index) => {
      const socket = sockets[index]!;
      const webSocket = revive(this.#server, socket, record) as W;
      return { webSocket, socket, record, state: this.#states.states[index]! };
    });
    this.forget();
  }

  begin(): void {
    if (this.#revived.length > 0) this.warnOfMissed(this.#revived.length);
    for (const { webSocket, socket, record, state } of this.#revived) {
      const server = this.#servers().find(({ key }) => key === record.listener);
      if (server !== undefined) count(server.server, socket);
      this.#join(webSocket, socket, { state, listener: record.listener });
      continueSending(webSocket, record); // before the program sends anything
      handToProgram(() => this.#handlers.attach(webSocket, state, { moved: true }));
      if (!isPaused(webSocket)) socket.resume(); // `attach` may have paused it, or let it go on
    }
    this.#revived = [];
  }
}

function inMotion(webSocket: object): Busy {
  const what = "WebSocket with a message or a close under way";
  if (!waitsForClient(webSocket)) return { what, cause: "other" };
  const socket = socketOf(webSocket)!;
  return { what: `${what} from ${addressOf(socket)}`, cause: "client", drop: () => socket.destroy() };
}

function addressOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`;
}
