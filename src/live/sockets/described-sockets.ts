import type { Server, Socket } from "node:net";
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
import { type SocketRecord, socketsState, statesOf } from "./records.ts";
import {
  allowFlow,
  beginReading,
  dismiss,
  renewTimeout,
  startReading,
  stopReading,
  timeoutOf,
  unreadBytes,
  unsentBytes,
  watchWrites,
} from "./stream-socket.ts";

export interface ConnectionHandlers<S> extends ConnectionListeners {
  /** Describes what the program knows about one connection; it travels with it. */
  readonly state: Description<S>;
  /** Makes that for a new connection. */
  open(socket: Socket): S;
  /** Puts the program's listeners on a connection, a new one or, with `moved`, one of the previous program. */
  attach(socket: Socket, state: S, context: { readonly moved: boolean }): void;
}

interface Member<S> {
  readonly state: S;
  readonly listener: string;
}

/** Plain connections, each with a state: they move with unread bytes, unsent bytes, and what they were about to do. */
export class DescribedSockets<S> implements MovingConnections {
  readonly kind = "connections";
  readonly #instanceId: number | string;
  readonly #state: Description<S>;
  readonly #attach: ConnectionHandlers<S>["attach"];
  readonly #servers: () => readonly ServerConnections[];
  readonly #members = new Map<Socket, Member<S>>();
  /** What is saved and loaded, filled for the freeze: one record and one state for each descriptor, in order. */
  readonly #records: { sockets: SocketRecord[] } = { sockets: [] };
  readonly #states: { states: S[] } = { states: [] };
  #revived: { socket: Socket; record: SocketRecord; state: S }[] = [];
  readonly #work = new ListenerWork<Socket>();
  readonly #held = new HeldBack();
  #warn: (moved: number) => void = () => {};

  constructor(
    instanceId: number | string,
    handlers: Pick<ConnectionHandlers<S>, "state" | "attach">,
    servers: () => readonly ServerConnections[],
  ) {
    this.#instanceId = instanceId;
    this.#state = handlers.state;
    this.#attach = (...args) => handlers.attach(...args);
    this.#servers = servers;
  }

  register(registry: Registry): void {
    registry.register(socketsState, this.#records, this.#instanceId);
    registry.register(statesOf("socket", this.#state), this.#states, this.#instanceId);
  }

  /** Takes in every connection that a server accepts. */
  accept(server: Server, handlers: ConnectionHandlers<S>): void {
    server.on(
      "connection",
      ownListener((socket: Socket) => this.open(socket, handlers.open(socket))),
    );
    const { state, connectionListeners } = handlers;
    const facts = {
      name: state.name,
      call: "connections",
      ...(connectionListeners && { connectionListeners }),
    };
    this.#warn = (moved) => warnOfMissedListeners(server, facts, moved);
  }

  warnOfMissed(moved: number): void {
    this.#warn(moved);
  }

  /** Takes a new connection in. */
  open(socket: Socket, state: S): void {
    const listener = this.#servers().find((server) => server.has(socket));
    listener?.release(socket);
    this.#join(socket, { state, listener: listener?.key ?? "" });
    this.#attach(socket, state, { moved: false });
  }

  #join(socket: Socket, member: Member<S>): void {
    watchWrites(socket);
    this.#work.watch(socket);
    this.#members.set(socket, member);
    socket.once("close", () => this.#members.delete(socket));
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
    for (const socket of this.#members.keys()) {
      if (socket.destroyed) found.push({ what: "connection that is closing", cause: "other" });
      else if (connections.has(socket)) {
        this.#held.hold(socket);
        const what = `listener of the connection from ${socket.remoteAddress}:${socket.remotePort}`;
        found.push({ what, cause: "listener" });
      }
    }
    if (gone && this.#held.isPatient) found.push(listenerOfClosed);
    return found;
  }

  collect(): Socket[] {
    this.#held.forget();
    for (const socket of this.#members.keys()) stopReading(socket);
    this.#describe(this.#members);
    return [...this.#members.keys()];
  }

  sample(most: number): void {
    const resting: (readonly [Socket, Member<S>])[] = [];
    for (const member of this.#members) {
      if (resting.length === most) break;
      if (!member[0].destroyed) resting.push(member);
    }
    this.#describe(resting);
  }

  #describe(members: Iterable<readonly [Socket, Member<S>]>): void {
    this.forget();
    for (const [socket, { state, listener }] of members) {
      this.#records.sockets.push(describe(socket, listener));
      this.#states.states.push(state);
    }
  }

  thaw(): void {
    this.forget();
    this.#held.forget();
    for (const socket of this.#members.keys()) {
      renewTimeout(socket);
      startReading(socket);
    }
  }

  forget(): void {
    this.#records.sockets = [];
    this.#states.states = [];
  }

  dismiss(): Socket[] {
    const sockets = [...this.#members.keys()];
    for (const socket of sockets) dismiss(socket);
    return sockets;
  }

  get loaded(): number {
    return this.#records.sockets.length;
  }

  revive(sockets: readonly Socket[]): void {
    this.#revived = this.#records.sockets.map((record, index) => {
      return { socket: sockets[index]!, record, state: this.#states.states[index]! };
    });
    this.forget();
  }

  begin(): void {
    const revived = this.#revived.splice(0);
    if (revived.length > 0) this.warnOfMissed(revived.length);
    for (const { socket, record, state } of revived) {
      const server = this.#servers().find(({ key }) => key === record.listener);
      if (server !== undefined) adoptInto(server.server, socket);
      this.#join(socket, { state, listener: record.listener });
      if (record.timeoutMs > 0) socket.setTimeout(record.timeoutMs);
      if (record.unread.length > 0) socket.unshift(Buffer.from(record.unread));
      if (record.unsent.length > 0) socket.write(record.unsent);
      if (!record.paused) allowFlow(socket);
      handToProgram(() => this.#attach(socket, state, { moved: true }));
      if (record.ending) socket.end();
      beginReading(socket);
    }
  }
}

function adoptInto(server: Server, socket: Socket): void {
  count(server, socket);
  const { allowHalfOpen = false } = server as { readonly allowHalfOpen?: boolean };
  socket.allowHalfOpen = allowHalfOpen;
}

function describe(socket: Socket, listener: string): SocketRecord {
  return {
    listener,
    paused: socket.isPaused(),
    ending: socket.writableEnded,
    timeoutMs: timeoutOf(socket),
    unread: unreadBytes(socket),
    unsent: unsentBytes(socket),
  };
}
