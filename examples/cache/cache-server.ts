/**
 * A cache with an HTTP interface: GET, PUT and DELETE /cache/KEY, GET /stats. Its entries are in a `FolioMap`, so that
 * an update costs nothing for them; its counters are ordinary state.
 */
import { createServer, type IncomingMessage } from "node:http";
import { blob, type Description, string } from "kstate";
import { type FolioMap, joinLiveUpdate } from "kstate/live";

const MAX_KEY_BYTES = 200;
const MAX_VALUE_BYTES = 1024 * 1024;
const MIB = 1024 * 1024;

export interface Counters {
  hits: number;
  misses: number;
}

/** Serves until the next version takes over. */
export async function serveCache<State extends Counters>(
  version: number,
  description: Description<State>,
  counters: State,
): Promise<void> {
  const live = await joinLiveUpdate({ name: "cache" });
  live.register(description, counters);
  const cache = live.memory.map("cache", {
    key: string({ max: MAX_KEY_BYTES }),
    value: blob({ max: MAX_VALUE_BYTES }),
    maxBytes: Number(process.env.CACHE_MIB ?? 256) * MIB, // beyond it, what was used longest ago makes room
  });
  const stats = () => ({
    version,
    pid: process.pid,
    entries: cache.size,
    bytes: cache.sizeBytes,
    ...counters,
  });
  const server = createServer((request, response) => {
    answer(request, cache, counters, stats).then(
      ({ status, body }) => response.writeHead(status).end(body),
      (error: Error) => response.writeHead(400).end(`${error.message}\n`),
    );
  });
  server.keepAliveTimeout = 60_000;
  live.listen(server, { port: Number(process.env.PORT ?? 0), host: "127.0.0.1" });
  await live.ready();
}

interface Answer {
  readonly status: number;
  readonly body?: Uint8Array | string;
}

async function answer(
  request: IncomingMessage,
  cache: FolioMap<string, Uint8Array>,
  counters: Counters,
  stats: () => object,
): Promise<Answer> {
  if (request.url === "/stats") return { status: 200, body: `${JSON.stringify(stats())}\n` };
  const key = /^\/cache\/(.+)$/.exec(request.url ?? "")?.[1];
  if (key === undefined) return { status: 404, body: "GET, PUT or DELETE /cache/KEY, or GET /stats\n" };
  switch (request.method) {
    case "GET": {
      const value = cache.get(key);
      counters[value === undefined ? "misses" : "hits"] += 1;
      return value === undefined ? { status: 404 } : { status: 200, body: value };
    }
    case "PUT":
      cache.set(key, await bodyOf(request));
      return { status: 204 };
    case "DELETE":
      return { status: cache.delete(key) ? 204 : 404 };
    default:
      return { status: 405, body: `${request.method} is not possible here\n` };
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_VALUE_BYTES) throw new Error(`a value has at most ${MAX_VALUE_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
