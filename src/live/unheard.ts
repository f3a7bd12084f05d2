/**
 * What warming up uses in place of the program's servers and WebSockets, so that nobody who watches those hears of it: events
 * are emitted below patches of `http.Server.prototype` and of ws, and diagnostics channels pass only what is not ours.
 */
import { type Channel, channel } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { type IncomingMessage, Server, ServerResponse } from "node:http";
import type { Server as NetServer, Socket } from "node:net";

/** As they were when this package was loaded: what is patched afterwards does not hear of it either. */
const { addListener, emit, on, once, removeListener } = EventEmitter.prototype;
const events = { addListener, emit, on, once, removeListener, off: removeListener };

/** What Node publishes about servers, requests and responses. */
const CHANNELS = [
  "http.server.request.start",
  "http.server.response.created",
  "http.server.response.finish",
  ...["asyncStart", "asyncEnd", "error"].map((event) => `tracing:net.server.listen:${event}`),
];

/** What a message of one of the {@link CHANNELS} may be about. */
interface Message {
  readonly server?: object;
  readonly socket?: object | null;
  readonly request?: { readonly socket?: object | null };
  readonly response?: { readonly req?: { readonly socket?: object | null } };
}

/** The name under which Node measures a response for whoever observes `http` of perf_hooks. */
const MEASURED = "ServerResponseStatistics";

/** Whether somebody observes `http` of perf_hooks. */
function isMeasured(): boolean {
  const response = new ServerResponse({ method: "GET" } as IncomingMessage);
  return Object.getOwnPropertySymbols(response).some(({ description }) => description === MEASURED);
}

/** Nobody measures it. Only where somebody would: for compiled code it is another class. */
class UnheardResponse extends ServerResponse<IncomingMessage> {
  constructor(request: IncomingMessage) {
    super(request);
    for (const key of Object.getOwnPropertySymbols(this)) {
      if (key.description === MEASURED) (this as Record<symbol, unknown>)[key] = undefined;
    }
  }
}

interface WebSocketClass {
  new (...args: never[]): object;
  readonly prototype: object;
}

/** The servers and sockets of a warm-up: whoever watches the program hears all but them, until {@link Unheard.end}. */
export class Unheard {
  readonly #subjects = new WeakSet<object>();
  readonly #undo = CHANNELS.map((name) => this.#filter(channel(name)));

  /** A server of node:http; its requests are heard by its own listeners alone. */
  server(listener?: (request: IncomingMessage, response: ServerResponse) => void): Server {
    const server = isMeasured() ? new Server({ ServerResponse: UnheardResponse }) : new Server();
    Object.assign(server, { emit });
    if (listener !== undefined) server.on("request", listener);
    return this.add(server);
  }

  /** Makes a server or a socket one of those of which nothing is published. */
  add<T extends NetServer | Socket>(subject: T): T {
    this.#subjects.add(subject);
    return subject;
  }

  end(): void {
    for (const undo of this.#undo) undo();
  }

  #isOurs({ server, socket, request, response }: Message): boolean {
    const subjects = [server, socket, request?.socket, response?.req?.socket];
    return subjects.some((subject) => subject != null && this.#subjects.has(subject));
  }

  /** Node holds the channel itself, and its class changes with its first subscriber: `publish` is looked up each time. */
  #filter(channel: Channel): () => void {
    const before = Object.getOwnPropertyDescriptor(channel, "publish");
    const publish = (message: unknown): void => {
      if (this.#isOurs((message ?? {}) as Message)) return;
      const real = before?.value ?? (Object.getPrototypeOf(channel) as Channel).publish;
      Reflect.apply(real, channel, [message]);
    };
    Object.defineProperty(channel, "publish", { value: publish, configurable: true, writable: true });
    return () => {
      if (Object.getOwnPropertyDescriptor(channel, "publish")?.value !== publish) return; // somebody's own is around it now
      if (before === undefined) delete (channel as { publish?: unknown }).publish;
      else Object.defineProperty(channel, "publish", before);
    };
  }
}

const unheardClasses = new WeakMap<WebSocketClass, WebSocketClass>();

/**
 * The class of a WebSocket server's WebSockets below the program's own subclass of it and below patches of `send`, `on` and
 * `emit`. Always the same one, as for code that is compiled each class is another case.
 */
export function unheardWebSocket(WebSocket: WebSocketClass): WebSocketClass {
  const base = classOfWs(WebSocket);
  const known = unheardClasses.get(base);
  if (known !== undefined) return known;
  class UnheardWebSocket extends base {}
  Object.assign(UnheardWebSocket.prototype, events, { send });
  unheardClasses.set(base, UnheardWebSocket);
  return UnheardWebSocket;
}

/** The last class that has what makes a WebSocket of a connection. */
function classOfWs(WebSocket: WebSocketClass): WebSocketClass {
  const parent = Object.getPrototypeOf(WebSocket) as WebSocketClass;
  return "setSocket" in (parent.prototype ?? {}) ? classOfWs(parent) : WebSocket;
}

/** As a server's text without compression. */
function send(
  this: { readonly _sender: { send(data: unknown, options: object): void } },
  data: unknown,
): void {
  const options = { binary: false, compress: false, fin: true, mask: false };
  this._sender.send(data, options);
}
