import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Busy, QuiesceOptions, ServerConnections } from "./connections.ts";
import type { Detached } from "./detached.ts";
import { count } from "./http-connections.ts";
import { OpenSockets } from "./open-sockets.ts";
import { holdBack, renewTimeout, startReading, stopReading, suspendTimeout } from "./stream-socket.ts";

/**
 * The notice of RFC 9113, 6.8, that the session is about to end: GOAWAY whose last stream is the highest that there is.
 * `session.goaway()` cannot say it: from then on nghttp2 refuses new streams, which is what this is to prevent.
 */
const SHUTDOWN_NOTICE = Buffer.from("0000080700000000007fffffff00000000", "hex");
/**
 * For clients to answer the ping that follows the notice, of the time to quiesce. The next request of one that does not
 * may be refused.
 */
const PING_SHARE = 0.5;

interface Session {
  readonly session: ServerHttp2Session;
  readonly socket: Socket;
  /** Under way, in words. */
  readonly streams: Map<ServerHttp2Stream, string>;
  /** Frames are exchanged: the client has acknowledged our settings. */
  isOpen: boolean;
  /** It has been told that it is about to end: `asked` until the client has answered a ping. */
  notice: "" | "asked" | "given";
}

/**
 * The sessions of a `node:http2` server without TLS. What both sides of a session know of its headers cannot be moved, so
 * sessions end with an update, as RFC 9113 says it, so that no request is refused:
 *
 *  1. quiesce: every session is told that it is about to end, and pinged. New connections are not served, and wait.
 *  2. What crosses the notice is answered. When a client has answered the ping, nothing new comes from it.
 *  3. The freeze waits for the requests under way. The connections that wait move, untouched.
 *  4. After the commit, or a cancel, the sessions end (GOAWAY); after a cancel those that waited are served here.
 */
export class Http2Sessions implements ServerConnections {
  readonly key: string;
  readonly server: Http2Server;
  readonly #sockets = new OpenSockets();
  readonly #sessions = new Map<ServerHttp2Session, Session>();
  /** Accepted while quiescing, and not read. */
  readonly #waiting = new Set<Socket>();
  readonly #detached: Detached;
  /** Makes a session of a connection. */
  readonly #serve: (socket: Socket) => void;
  #latest: Socket | undefined;
  #quiescing: (() => void) | undefined;
  #pingMs = 0;

  constructor(key: string, server: Http2Server, detached: Detached) {
    this.key = key;
    this.server = server;
    this.#detached = detached;
    const [listener] = server.listeners("connection") as ((socket: Socket) => void)[]; // the server's own
    if (listener !== undefined) server.removeListener("connection", listener);
    this.#serve = (socket) => listener?.call(server, socket);
    // The server makes a session of a connection at once, and shows only a stand-in of its socket.
    server.prependListener("connection", (socket: Socket) => this.#accept(socket));
    server.prependListener("session", (session) => this.#begin(session));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    if (this.#quiescing === undefined) {
      this.#latest = socket;
      this.#serve(socket);
    } else {
      stopReading(socket);
      this.#waiting.add(socket);
    }
  }

  #begin(session: ServerHttp2Session): void {
    const facts: Session = {
      session,
      socket: this.#latest!,
      streams: new Map(),
      isOpen: false,
      notice: "",
    };
    const { streams } = facts;
    this.#sessions.set(session, facts);
    session.once("close", () => this.#sessions.delete(session));
    session.once("localSettings", () => {
      facts.isOpen = true;
      if (facts.notice === "asked") this.#sayNotice(session, facts);
    });
    session.prependListener("stream", (stream, headers) => {
      streams.set(stream, `${headers[":method"]} ${headers[":path"]}`);
      stream.once("close", () => {
        streams.delete(stream);
        this.#rest(facts);
      });
    });
  }

  /** A session that is just being opened waits for its first frames: the settings have to be the first of ours. */
  #giveNotice(session: ServerHttp2Session, facts: Session): void {
    if (facts.notice !== "") return;
    facts.notice = "asked";
    const patience = setTimeout(() => this.#noticed(session, facts), this.#pingMs);
    session.once("close", () => clearTimeout(patience));
    if (facts.isOpen) this.#sayNotice(session, facts);
  }

  /** Between frames: the session writes whole ones. */
  #sayNotice(session: ServerHttp2Session, facts: Session): void {
    if (session.closed || session.destroyed) return this.#noticed(session, facts);
    facts.socket.write(SHUTDOWN_NOTICE);
    const answered = (): void => this.#noticed(session, facts);
    if (!session.ping(answered)) answered();
  }

  /** What the client sends from now on it has sent knowing that the session ends. */
  #noticed(session: ServerHttp2Session, facts: Session): void {
    if (facts.notice === "given") return;
    facts.notice = "given";
    if (this.#quiescing === undefined) session.close();
    else this.#rest(facts);
  }

  #rest({ session, socket, streams, notice }: Session): void {
    if (this.#quiescing === undefined) return;
    if (streams.size === 0 && notice !== "asked") {
      holdBack(socket);
      suspendTimeout(session);
    }
    this.#quiescing();
  }

  /** Those of sessions and streams; the socket's own are not used. */
  #renewTimeouts(): void {
    for (const [session, { streams }] of this.#sessions) {
      renewTimeout(session);
      for (const stream of streams.keys()) renewTimeout(stream);
    }
  }

  has(socket: Socket): boolean {
    return this.#sockets.has(socket);
  }

  release(socket: Socket): void {
    this.#sockets.delete(socket);
    this.#waiting.delete(socket);
  }

  quiesce(changed: () => void, { limitMs }: QuiesceOptions): void {
    this.#quiescing = changed;
    this.#sockets.closed = changed;
    this.#pingMs = limitMs * PING_SHARE;
    for (const [session, facts] of this.#sessions) this.#giveNotice(session, facts);
  }

  unquiesce(): void {
    this.#endQuiescing();
    this.#renewTimeouts();
    for (const socket of this.#sockets) {
      renewTimeout(socket);
      startReading(socket);
    }
    for (const [session, { notice }] of this.#sessions) if (notice === "given") session.close();
    for (const socket of this.#waiting) {
      this.#waiting.delete(socket);
      this.#latest = socket;
      this.#serve(socket);
      startReading(socket);
    }
  }

  #endQuiescing(): void {
    this.#quiescing = undefined;
    this.#sockets.closed = undefined;
  }

  busy(): Busy[] {
    return [...this.#sessions.values()].flatMap(({ session, streams, notice, socket }): Busy[] => {
      const from = `${socket.remoteAddress}:${socket.remotePort}`;
      if (notice === "asked" && !socket.destroyed) {
        const drop = (): void => session.destroy();
        return [{ what: `HTTP/2 session of ${from} that has not answered a ping`, cause: "client", drop }];
      }
      const requests = [...streams].filter(([stream]) => !this.#detached.has(stream));
      return requests.map(([stream, request]) => requestUnderWay(stream, request, from));
    });
  }

  collect(): Socket[] {
    return [...this.#waiting];
  }

  adopt(socket: Socket): void {
    count(this.server, socket);
    this.server.emit("connection", socket);
    socket.resume(); // the session takes what is read
  }

  staying(): Socket[] {
    return [...this.#sockets].filter((socket) => !this.#waiting.has(socket));
  }

  finish(): void {
    this.#endQuiescing();
    this.#renewTimeouts();
    for (const session of this.#sessions.keys()) session.close();
    for (const socket of this.staying()) startReading(socket);
  }
}

/** For whom it waits: the program takes all of the body that comes, or the response is not taken. */
function requestUnderWay(stream: ServerHttp2Stream, request: string, from: string): Busy {
  const drop = (): void => void stream.destroy();
  const { readableEnded, readableLength, readableHighWaterMark } = stream;
  const isWholeRequest = readableEnded || (stream as { readonly endAfterHeaders?: boolean }).endAfterHeaders;
  if (!isWholeRequest && readableLength < readableHighWaterMark)
    return { what: `${request}, whose body has not arrived whole from ${from}`, cause: "client", drop };
  if (stream.writableEnded || stream.writableNeedDrain)
    return { what: `${request}, whose response ${from} does not take`, cause: "client", drop };
  return { what: request, cause: "request" };
}

/** Whether a server is one of `node:http2` without TLS; the class itself is not public. */
export function isHttp2Server(server: object): server is Http2Server {
  return "updateSettings" in server;
}
