import type { ServerResponse } from "node:http";
import { Socket } from "node:net";
import { KstateError } from "../../error/index.ts";

/** What the program has allowed to finish on the old side: no freeze waits for it. */
export class Detached {
  /** How long they may take after the commit, ms; Infinity: as long as they like. */
  readonly limitMs: number;
  readonly #marked = new WeakSet<object>();

  /** `limitMs` is an hour unless given, and without end when 0. */
  constructor(limitMs = 3_600_000) {
    if (!(limitMs >= 0)) {
      throw new RangeError(
        `detachedLimitMs has to be a number of milliseconds, or 0 for no limit, not ${limitMs}`,
      );
    }
    this.limitMs = limitMs === 0 ? Number.POSITIVE_INFINITY : limitMs;
  }

  /** Marks a response, a connection of a `node:net` server, or a stream of `node:http2`. */
  mark(subject: object): void {
    this.#marked.add(subject);
    if ("stream" in subject && typeof subject.stream === "object") this.#marked.add(subject.stream!); // of HTTP/2
    // Its connection has an end with this program: the client has to know before it sends another request.
    if (isHttpResponse(subject) && !subject.headersSent) subject.setHeader("Connection", "close");
  }

  has(subject: object): boolean {
    return this.#marked.has(subject);
  }
}

function isHttpResponse(subject: object): subject is ServerResponse {
  return "writeHead" in subject && !("stream" in subject);
}

/** Throws `DETACH_UNSUPPORTED` for what cannot finish on the old side; `canDetach` tells it of a connection. */
export function assertDetachable(
  subject: unknown,
  canDetach: (socket: Socket) => boolean,
): asserts subject is object {
  if (typeof subject === "object" && subject !== null) {
    if ("writeHead" in subject || "pushAllowed" in subject) return;
    if (subject instanceof Socket) {
      if (canDetach(subject)) return;
      throw unsupported(
        "pass the response of the request, not its connection, which may have others; a connection itself can be detached when it is one of a node:net server that nothing describes to live.connections(), or HTTP has given it to the program (upgrade, CONNECT)",
      );
    }
  }
  throw unsupported(
    "pass the response of a request (in Fastify `reply.raw`), or a socket of a node:net server",
  );
}

function unsupported(reason: string): KstateError {
  return new KstateError("DETACH_UNSUPPORTED", `cannot detach this: ${reason}`, {});
}
