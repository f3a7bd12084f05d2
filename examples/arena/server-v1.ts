/** The arena, version 1: `kstate run -- node server-v1.js` */
import { Arena, type ChatLine, type Player } from "./arena.ts";
import { colourOf } from "./colour.ts";
import { roomNames } from "./room-names.ts";
import { serve } from "./serve.ts";
import { type ArenaStateV1, arenaState, type ChatLineV1, type PlayerV1 } from "./state-v1.ts";

class ArenaV1 extends Arena<PlayerV1, ChatLineV1> {
  declare readonly state: ArenaStateV1;

  protected override createPlayer(player: Player): PlayerV1 {
    return { ...player, colour: colourOf(player.name) };
  }

  protected override createChatLine(line: ChatLine): ChatLineV1 {
    return line;
  }
}

const state: ArenaStateV1 = {
  nextPlayerId: 1,
  posts: 0,
  handovers: 0,
  digest: "",
  rooms: new Map(),
};
await serve(new ArenaV1(state, roomNames), { version: 1, description: arenaState });
