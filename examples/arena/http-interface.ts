/** GET /rooms, GET /rooms/NAME/scores, POST /rooms/NAME/chat, GET /digest, and what a version adds. */
import type { IncomingMessage, RequestListener } from "node:http";
import type { Arena, ChatLine, Player, Room } from "./arena.ts";
import { cleanText } from "./clean-text.ts";

const MAX_BODY_BYTES = 4096;

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Answers requests; `pages` are further paths that are only read. */
export function httpInterface<P extends Player, L extends ChatLine>(
  arena: Arena<P, L>,
  pages: Readonly<Record<string, () => unknown>>,
): RequestListener {
  return async (request, response) => {
    const { status, body } = await answer(arena, pages, request).catch((error: Error) =>
      failed(400, error.message),
    );
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
}

async function answer<P extends Player, L extends ChatLine>(
  arena: Arena<P, L>,
  pages: Readonly<Record<string, () => unknown>>,
  request: IncomingMessage,
): Promise<Answer> {
  const { rooms } = arena.state;
  const { pathname } = new URL(request.url ?? "/", "http://arena");
  const call = `${request.method} ${pathname}`;
  if (call === "GET /rooms")
    return { status: 200, body: [...rooms].map(([name, room]) => summary(name, room)) };
  if (request.method === "GET" && Object.hasOwn(pages, pathname))
    return { status: 200, body: pages[pathname]!() };
  const [, name = "", action] = /^\/rooms\/([^/]+)\/(scores|chat)$/.exec(pathname) ?? [];
  const room = rooms.get(decodeURIComponent(name));
  if (room === undefined) return failed(404, `there is no ${pathname}`);
  if (call.startsWith("GET") && action === "scores") return { status: 200, body: scores(room) };
  if (!call.startsWith("POST") || action !== "chat")
    return failed(405, `${request.method} is not possible here`);
  const { from, text } = JSON.parse(await readBody(request)) as { from?: unknown; text?: unknown };
  arena.say(name, cleanText(from, 20), cleanText(text, 160));
  arena.state.posts += 1;
  return { status: 201, body: { posts: arena.state.posts } };
}

function failed(status: number, error: string): Answer {
  return { status, body: { error } };
}

function summary(name: string, { round, roundEndsAt, players }: Room): object {
  return { name, round, endsInMs: roundEndsAt - Date.now(), players: players.size };
}

function scores({ players }: Room): object[] {
  return [...players.values()].sort((a, b) => b.score - a.score).map(({ name, score }) => ({ name, score }));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new Error(`the body is longer than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
