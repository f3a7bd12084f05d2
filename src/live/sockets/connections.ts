import type { Server, Socket } from "node:net";
import type { Registry } from "../../registry/index.ts";

/** Something that keeps a freeze waiting. */
export interface Busy {
  /** For people: `GET /report`, `connection that is closing`. */
  readonly what: string;
  /** What the program can do about it. `client`: nothing, it waits for bytes that a client does not send or take. */
  readonly cause: "request" | "client" | "undescribed" | "listener" | "hook" | "other";
  /** Gives the connection up, which ends it for its client; only if it waits for that client alone. */
  readonly drop?: () => void;
}

/**
 * What a connection that has closed leaves behind keeps a freeze waiting for half of the time: it may change the state, and it
 * may wait for its client for ever.
 */
export const listenerOfClosed: Busy = { what: "listener of a connection that has closed", cause: "listener" };

/** What a freeze may do with connections. */
export interface QuiesceOptions {
  /** How long bringing them to rest may take, ms. */
  readonly limitMs: number;
  /** Whether bytes that are on their way to or from an HTTP client can move. */
  readonly carriesBytes: boolean;
}

/** What has been read from an HTTP connection and not been understood yet, and what was written and not been taken. */
export interface PendingBytes {
  readonly head: Uint8Array;
  readonly unsent: Uint8Array;
  /** The connection ends behind what is unsent. */
  readonly ending: boolean;
}

/** The connections of one listening server, through an update. */
export interface ServerConnections {
  readonly key: string;
  readonly server: Server;
  has(socket: Socket): boolean;
  /** Forgets a connection: it has closed, or something else moves it. */
  release(socket: Socket): void;
  /** Begins to hold connections back; `changed` is called whenever one may have come to rest. */
  quiesce(changed: () => void, options: QuiesceOptions): void;
  /** Undoes {@link quiesce} and {@link collect}, and starts every time-out again. */
  unquiesce(): void;
  /** What keeps the freeze waiting. */
  busy(): Busy[];
  /** Stops reading the connections that move with nothing but their listener's key, and returns them. */
  collect(): Socket[];
  /** The bytes that travel with one of the connections that {@link collect} returned. */
  pendingOf?(socket: Socket): PendingBytes | undefined;
  /** Serves a connection that came from another program, paused until now. */
  adopt(socket: Socket, pending?: PendingBytes): void;
  /** Whether the program may let the connection itself finish with the old program, not a response on it. */
  canDetach?(socket: Socket): boolean;
  /** The connections that stay with the old program after the commit, until they close. */
  staying(): Socket[];
  /** Goes on with those that stay, after the commit. */
  finish(): void;
}

/** Connections that move with what is known of them: a record and the program's own state for each. */
export interface MovingConnections {
  readonly kind: "webSockets" | "connections";
  /** Registers records and states as instance `number`. */
  register(registry: Registry, number: number): void;
  /** Connections whose listeners are not done are held back from now on, for half of the time at most. */
  quiesce(options: QuiesceOptions): void;
  /** Undoes {@link quiesce}. */
  unquiesce(): void;
  /** What keeps the freeze waiting. */
  busy(): Busy[];
  /** Stops reading, fills the records for saving and returns the connections in their order. Only if not busy. */
  collect(): Socket[];
  /** Fills the records for a few of the connections, which go on. */
  sample(most: number): void;
  /** Empties the records that {@link collect} or {@link sample} filled: the connections do not move. */
  forget(): void;
  /** Undoes {@link collect}, and starts every time-out again. */
  thaw(): void;
  /**
   * Ends the connections for their clients, after what has been sent, and returns those that will close; the program hears
   * no more of them. Only after {@link collect} and the commit, when no other program has them.
   */
  dismiss(): Socket[];
  /** Says what of the program's own `connection` listeners moved connections miss; `moved` have been handed over. */
  warnOfMissed(moved: number): void;
  /** How many connections the loaded records are for. */
  readonly loaded: number;
  /** Takes the connections of the loaded records in. Nothing is read or sent yet. */
  revive(sockets: readonly Socket[]): void;
  /** Hands them to the program and lets them read and send. Only after the commit. */
  begin(): void;
}
