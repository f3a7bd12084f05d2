import { createServer } from "node:http";
import type { Description } from "kstate";
import { joinLiveUpdate } from "kstate/live";
import { WebSocketServer } from "ws";
import type { Arena, ArenaState, ChatLine, Player } from "./arena.ts";
import { digestOf } from "./digest.ts";
import { httpInterface } from "./http-interface.ts";
import { webSocketInterface } from "./web-socket-interface.ts";

export interface ServeOptions<State> {
  readonly version: number;
  readonly description: Description<State>;
  /** Further paths of the HTTP interface. */
  readonly pages?: Readonly<Record<string, () => unknown>>;
}

/** Serves an arena over HTTP and WebSocket until it is replaced by its next version, or ended. */
export async function serve<State extends ArenaState<P, L>, P extends Player, L extends ChatLine>(
  arena: Arena<P, L> & { readonly state: State },
  { version, description, pages = {} }: ServeOptions<State>,
): Promise<void> {
  const { state } = arena;
  let restored = "";
  const digest = () => {
    const { handovers, posts, digest: frozen } = state;
    return { version, pid: process.pid, handovers, posts, frozen, restored };
  };

  const live = await joinLiveUpdate({ name: "arena" });
  live.register(description, state);

  const server = createServer(httpInterface(arena, { "/digest": digest, ...pages }));
  server.keepAliveTimeout = 60_000;
  live.listen(server, { port: Number(process.env.PORT ?? 0), host: "127.0.0.1" });
  webSocketInterface(live, new WebSocketServer({ server, path: "/play" }), arena);

  live.start(({ from }) => {
    if (from === "restore") {
      restored = digestOf(state); // what has arrived; `state.digest` says what was sent
      state.handovers += 1;
    }
    arena.start();
    return () => {
      arena.stop();
      state.digest = digestOf(state);
    };
  });
  await live.ready();
}
