import { once } from "node:events";
import type { Socket } from "node:net";
import { streamPair } from "../memory/index.ts";
import { Detached } from "./sockets/detached.ts";
import { HttpConnections } from "./sockets/http-connections.ts";
import type { WebSocketRecord } from "./sockets/records.ts";
import { adopt } from "./sockets/stream-socket.ts";
import type { WebSockets } from "./sockets/web-sockets.ts";
import type { Unheard } from "./unheard.ts";

const CONNECTIONS = 8;
const EXCHANGES_EACH = 12;
/** Nothing depends on it, so it is left off where it takes longer. */
const PATIENCE_MS = 2_000;

const requests = [
  "GET /warm-up HTTP/1.1\r\nHost: warm-up\r\nUser-Agent: kstate-warm-up\r\n\r\n",
  "POST /warm-up HTTP/1.1\r\nHost: warm-up\r\nUser-Agent: kstate-warm-up\r\nContent-Length: 2\r\n\r\n{}",
];
/** The text "warm-up" as a client's frame, masked with zeros. */
const frame = Buffer.concat([Uint8Array.of(0x81, 0x87, 0, 0, 0, 0), Buffer.from("warm-up")]);

/**
 * Serves made-up requests and messages on connections inside this process: the first real ones after a hand-over
 * find Node's HTTP parser, its Date header (5 ms the first time) and ws compiled. No code of the program runs, and none that
 * watches it.
 */
export async function warmExchanges(
  webSockets: readonly WebSockets<object, unknown>[],
  record: WebSocketRecord,
  unheard: Unheard,
): Promise<void> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    await warmRequests(unheard, signal);
    for (const server of webSockets) await warmMessages((socket) => server.warmUp(socket, record), signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function warmRequests(unheard: Unheard, signal: AbortSignal): Promise<void> {
  const server = unheard.server(async (request, response) => {
    let length = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) length += chunk.length;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ length }));
  });
  const connections = new HttpConnections("warm-up", server, new Detached());
  await exchange((socket) => connections.adopt(unheard.add(socket)), requests, signal);
}

interface WebSocketLike {
  on(event: "message" | "error", listener: (data: unknown) => void): void;
  send(data: unknown): void;
}

async function warmMessages(revive: (socket: Socket) => object, signal: AbortSignal): Promise<void> {
  const serve = (socket: Socket): void => {
    const webSocket = revive(socket) as WebSocketLike;
    webSocket.on("message", (data) => webSocket.send(String(data)));
    webSocket.on("error", () => {}); // a server that takes only shorter messages
    socket.resume();
  };
  await exchange(serve, [frame], signal);
}

/** Sends each request in turn and waits for its answer, on one connection after the other. */
async function exchange(
  serve: (socket: Socket) => void,
  requests: readonly (string | Uint8Array)[],
  signal: AbortSignal,
): Promise<void> {
  for (let connection = 0; connection < CONNECTIONS; connection += 1) {
    const [ours, theirs] = streamPair().map(adopt) as [Socket, Socket];
    try {
      theirs.resume();
      serve(ours);
      for (let round = 0; round < EXCHANGES_EACH; round += 1) {
        theirs.write(requests[round % requests.length]!);
        await once(theirs, "data", { signal });
      }
    } finally {
      ours.destroy();
      theirs.destroy();
    }
  }
}
