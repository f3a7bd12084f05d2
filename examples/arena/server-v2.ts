/** The arena, version 2, with streaks, times in the chat, and champions: `kstate update -- node server-v2.js` */
import { Arena, type ChatLine, type Player } from "./arena.ts";
import { roomNames } from "./room-names.ts";
import { serve } from "./serve.ts";
import { type ArenaStateV2, arenaState, type ChatLineV2, type PlayerV2 } from "./state-v2.ts";

const MAX_CHAMPIONS = 1_000;

class ArenaV2 extends Arena<PlayerV2, ChatLineV2> {
  declare readonly state: ArenaStateV2;

  protected override createPlayer(player: Player): PlayerV2 {
    return { ...player, streak: 0 };
  }

  protected override createChatLine(line: ChatLine): ChatLineV2 {
    return { ...line, at: new Date() };
  }

  protected override onCoin(player: PlayerV2): void {
    player.streak += 1;
  }

  protected override onTag(player: PlayerV2): void {
    player.streak = 0;
  }

  protected override onRoundWon(room: string, { name, score }: PlayerV2): void {
    this.state.champions.push({ name, room, score });
    if (this.state.champions.length > MAX_CHAMPIONS) this.state.champions.shift();
  }
}

const state: ArenaStateV2 = {
  nextPlayerId: 1,
  posts: 0,
  handovers: 0,
  digest: "",
  rooms: new Map(),
  season: 1,
  champions: [],
};
await serve(new ArenaV2(state, roomNames), {
  version: 2,
  description: arenaState,
  pages: { "/champions": () => ({ season: state.season, champions: state.champions }) },
});
