/**
 * Messages are JSON. A client numbers its own (`n`); each answer names the message that it answers (`to`) and how
 * many have come on this connection (`received`). The server numbers all that it sends, answers and news alike.
 */
import type { IncomingMessage } from "node:http";
import type { LiveUpdate } from "kstate/live";
import type { WebSocket, WebSocketServer } from "ws";
import type { Arena, ChatLine, Player } from "./arena.ts";
import { cleanText } from "./clean-text.ts";
import { type Connection, connectionState } from "./connection-state.ts";

interface ClientMessage {
  readonly n: number;
  readonly type: "move" | "chat" | "ping";
  readonly dx?: number;
  readonly dy?: number;
  readonly text?: string;
}

/** Connects players with the arena, and lets their connections move to the next version. */
export function webSocketInterface<P extends Player, L extends ChatLine>(
  live: LiveUpdate,
  server: WebSocketServer,
  arena: Arena<P, L>,
): void {
  const connections = new Map<number, { readonly webSocket: WebSocket; readonly me: Connection }>();

  arena.tell = (playerId, message) => {
    const connection = connections.get(playerId);
    if (connection === undefined) return;
    connection.me.sent += 1;
    connection.webSocket.send(JSON.stringify({ n: connection.me.sent, ...message }));
  };

  live.webSockets(server, {
    state: connectionState,
    open(request: IncomingMessage): Connection {
      const { searchParams } = new URL(request.url ?? "/", "http://arena");
      const name = cleanText(searchParams.get("name") ?? "guest", 20);
      return { ...arena.join(name, searchParams.get("room")), received: 0, sent: 0 };
    },
    attach(webSocket: WebSocket, me: Connection) {
      connections.set(me.playerId, { webSocket, me });
      webSocket.on("message", (data) => {
        const message = JSON.parse(String(data)) as ClientMessage;
        me.received += 1;
        arena.tell(me.playerId, { to: message.n, received: me.received, ...answer(arena, me, message) });
      });
      webSocket.on("close", () => {
        connections.delete(me.playerId);
        arena.leave(me.playerId, me.room);
      });
    },
  });
}

function answer<P extends Player, L extends ChatLine>(
  arena: Arena<P, L>,
  me: Connection,
  { type, dx, dy, text }: ClientMessage,
): object {
  switch (type) {
    case "move": {
      const { player, coin } = arena.move(me.playerId, me.room, Number(dx) || 0, Number(dy) || 0);
      return { type: "moved", x: player.x, y: player.y, score: player.score, coin };
    }
    case "chat":
      arena.say(me.room, String(me.playerId), cleanText(text, 160));
      return { type: "said" };
    case "ping":
      return { type: "pong", pid: process.pid };
    default:
      return { type: "unknown" };
  }
}
