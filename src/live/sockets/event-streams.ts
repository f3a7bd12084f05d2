import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Description } from "../../description/index.ts";
import { KstateError } from "../../error/index.ts";
import type { ServerConnections } from "./connections.ts";
import { DescribedSockets } from "./described-sockets.ts";

/** One server-sent event. */
export interface ServerSentEvent {
  readonly data: string;
  /** Its type; `message` for clients unless given. */
  readonly event?: string;
  /** What a client that reconnects sends as `Last-Event-ID`. */
  readonly id?: string;
  /** How long a client waits before it reconnects, ms. */
  readonly retryMs?: number;
}

export interface EventStreamHandlers<S> {
  /** Describes what the program knows about one stream; it travels with it. */
  readonly state: Description<S>;
  /** Is told of every stream, a new one or, with `moved`, one of the previous program. */
  attach(stream: EventStream, state: S, context: { readonly moved: boolean }): void;
}

/** A stream of server-sent events to one client. Emits `close` when the client has gone or the stream has ended. */
export class EventStream extends EventEmitter<{ close: [] }> {
  readonly #socket: Socket;

  /** @internal */
  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    socket.on("error", () => {}); // the close that follows is all there is to know
    socket.once("close", () => this.emit("close"));
  }

  /** Whether the client is still there. */
  get isOpen(): boolean {
    return this.#socket.writable;
  }

  /** Sends one event; false when the client is slow and events begin to queue up. After the end nothing happens. */
  send({ data, event, id, retryMs }: ServerSentEvent): boolean {
    const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}`);
    if (event !== undefined) lines.unshift(`event: ${oneLine(event)}`);
    if (id !== undefined) lines.unshift(`id: ${oneLine(id)}`);
    if (retryMs !== undefined) lines.unshift(`retry: ${retryMs}`);
    return this.#write(lines);
  }

  /** Sends a comment, which clients ignore: it keeps proxies from closing a quiet connection. */
  comment(text = ""): boolean {
    return this.#write([`: ${oneLine(text)}`]);
  }

  #write(lines: readonly string[]): boolean {
    return this.isOpen && this.#socket.write(`${lines.join("\n")}\n\n`);
  }

  /** Ends the stream after what has been sent; the client reconnects unless it is told not to. */
  end(): void {
    this.#socket.destroySoon();
  }
}

/** A client has nothing more to say. The one of a new stream is watched by the HTTP server. */
function onlyWaitForEnd(socket: Socket): void {
  socket.on("data", () => {});
  socket.once("end", () => socket.end());
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, " ");
}

/** Streams of server-sent events that move to the next version, each with its state. Made by `live.eventStreams`. */
export class EventStreams<S> {
  readonly #sockets: DescribedSockets<S>;

  /** @internal */
  constructor(name: string, handlers: EventStreamHandlers<S>, servers: () => readonly ServerConnections[]) {
    this.#sockets = new DescribedSockets(
      `event streams ${name}`,
      {
        state: handlers.state,
        attach: (socket, state, context) => {
          const stream = new EventStream(socket);
          if (context.moved) onlyWaitForEnd(socket);
          handlers.attach(stream, state, context);
        },
      },
      servers,
    );
  }

  /** @internal */
  get sockets(): DescribedSockets<S> {
    return this.#sockets;
  }

  /**
   * Answers a request with a stream of events: sends the head, with the headers that are set and
   * `text/event-stream`, and hands the stream to `attach`. The body goes to the end of the connection. Nothing else may
   * be done with the response. `EVENT_STREAM_INVALID` when the head has been sent, or the response is of HTTP/2 or
   * compressed.
   */
  open(response: ServerResponse, state: S): void {
    assertUsable(response);
    if (response.socket === null) {
      response.once("socket", () => this.open(response, state)); // behind an answer that is not sent yet
      return;
    }
    response.setHeader("Content-Type", "text/event-stream");
    if (!response.hasHeader("Cache-Control")) response.setHeader("Cache-Control", "no-cache, no-transform");
    response.setHeader("Connection", "close");
    response.removeHeader("Transfer-Encoding"); // without it the body is what is written to the connection
    response.flushHeaders();
    this.#sockets.open(response.socket, state);
  }
}

function assertUsable(response: ServerResponse): void {
  if (!("assignSocket" in response))
    throw invalid("the response is not one of node:http (in Fastify pass `reply.raw`)");
  if (response.headersSent) throw invalid("the head of the response has been sent already");
  if (response.hasHeader("Content-Encoding"))
    throw invalid("the response is compressed; leave event streams out of it");
}

function invalid(reason: string): KstateError {
  return new KstateError("EVENT_STREAM_INVALID", `cannot open an event stream: ${reason}`, { reason });
}
