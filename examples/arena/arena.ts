/** The rules of the arena. They are the same in all versions and know the fields that every version has. */
import { Alarm } from "./alarm.ts";

export interface Player {
  name: string;
  x: number;
  y: number;
  score: number;
  /** When a player who was tagged may play on; null while playing. */
  respawnAt: number | null;
}

export interface ChatLine {
  from: string;
  text: string;
}

export interface Room<P extends Player = Player, L extends ChatLine = ChatLine> {
  round: number;
  roundEndsAt: number;
  seed: number;
  coin: { x: number; y: number };
  players: Map<number, P>;
  chat: L[];
}

export interface ArenaState<P extends Player = Player, L extends ChatLine = ChatLine> {
  nextPlayerId: number;
  /** Chat lines that came by HTTP. */
  posts: number;
  /** How often the state has moved to another program. */
  handovers: number;
  /** Of the state as it was when it last froze. */
  digest: string;
  rooms: Map<string, Room<P, L>>;
}

const SIZE = 100;
const REACH = 3;
const ROUND_MS = 2_000;
const RESPAWN_MS = 700;
const CHAT_LINES = 50;

/** The arena: players walk, pick up the coin of their room, and tag each other. Rounds end at a deadline. */
export abstract class Arena<P extends Player, L extends ChatLine> {
  readonly state: ArenaState<P, L>;
  /** Sends a message to a player; set by the server. */
  tell: (playerId: number, message: object) => void = () => {};
  readonly #alarm = new Alarm((nowMs) => this.#due(nowMs));

  constructor(state: ArenaState<P, L>, roomNames: readonly string[]) {
    this.state = state;
    for (const [index, name] of roomNames.entries()) {
      const coin = { x: SIZE / 2, y: SIZE / 2 };
      const room = { round: 1, roundEndsAt: 0, seed: index + 1, coin, players: new Map(), chat: [] };
      state.rooms.set(name, room);
    }
  }

  protected abstract createPlayer(player: Player): P;
  protected abstract createChatLine(line: ChatLine): L;
  protected onCoin(_player: P): void {}
  protected onTag(_player: P): void {}
  protected onRoundWon(_room: string, _winner: P): void {}

  /** Begins the timers: what is due is in the state, so they go on where another program's timers ended. */
  start(): void {
    const nowMs = Date.now();
    const rooms = [...this.state.rooms.values()];
    for (const [index, room] of rooms.entries()) {
      // The first rounds are of different lengths, so that not all rooms end theirs at once.
      if (room.roundEndsAt === 0)
        room.roundEndsAt = nowMs + Math.ceil((ROUND_MS * (index + 1)) / rooms.length);
      this.#alarm.set(room.roundEndsAt);
      for (const { respawnAt } of room.players.values()) if (respawnAt !== null) this.#alarm.set(respawnAt);
    }
  }

  /** Undoes {@link start}. */
  stop(): void {
    this.#alarm.clear();
  }

  /** A new player in a room; in the first one when there is none of that name. */
  join(name: string, wanted: string | null): { playerId: number; room: string } {
    const found = this.state.rooms.has(wanted ?? "") ? wanted : this.state.rooms.keys().next().value;
    const [roomName, room] = [found!, this.state.rooms.get(found!)!];
    const playerId = this.state.nextPlayerId++;
    room.players.set(playerId, this.createPlayer({ name, ...place(room), score: 0, respawnAt: null }));
    return { playerId, room: roomName };
  }

  leave(playerId: number, room: string): void {
    this.state.rooms.get(room)?.players.delete(playerId);
  }

  /** One step; returns the player and the coin of the room. Who was tagged has to wait. */
  move(playerId: number, roomName: string, dx: number, dy: number): { player: Player; coin: Room["coin"] } {
    const room = this.state.rooms.get(roomName)!;
    const player = room.players.get(playerId)!;
    if (player.respawnAt !== null) return { player, coin: room.coin };
    player.x = clamp(player.x + dx);
    player.y = clamp(player.y + dy);
    if (isNear(player, room.coin)) {
      player.score += 1;
      this.onCoin(player);
      room.coin = place(room);
    }
    for (const other of room.players.values()) {
      if (other === player || other.respawnAt !== null || !isNear(player, other)) continue;
      player.score += 1;
      other.respawnAt = Date.now() + RESPAWN_MS;
      this.onTag(other);
      this.#alarm.set(other.respawnAt);
    }
    return { player, coin: room.coin };
  }

  /** Says something to everybody in a room. */
  say(roomName: string, from: string, text: string): void {
    const room = this.state.rooms.get(roomName)!;
    room.chat.push(this.createChatLine({ from, text }));
    if (room.chat.length > CHAT_LINES) room.chat.shift();
    this.#tellAll(room, { type: "chat", from, text });
  }

  #tellAll(room: Room, message: object): void {
    for (const playerId of room.players.keys()) this.tell(playerId, message);
  }

  #due(nowMs: number): void {
    for (const [name, room] of this.state.rooms) {
      for (const player of room.players.values()) {
        if (player.respawnAt === null) continue;
        if (player.respawnAt <= nowMs) Object.assign(player, place(room), { respawnAt: null });
        else this.#alarm.set(player.respawnAt);
      }
      if (room.roundEndsAt <= nowMs) this.#endRound(name, room, nowMs);
      this.#alarm.set(room.roundEndsAt);
    }
  }

  #endRound(name: string, room: Room<P, L>, nowMs: number): void {
    let winner: P | undefined;
    for (const player of room.players.values()) if (player.score > (winner?.score ?? 0)) winner = player;
    if (winner !== undefined) this.onRoundWon(name, winner);
    this.#tellAll(room, { type: "round", round: room.round, winner: winner?.name ?? null });
    for (const player of room.players.values()) player.score = 0;
    room.round += 1;
    room.roundEndsAt = Math.max(room.roundEndsAt + ROUND_MS, nowMs);
  }
}

function clamp(value: number): number {
  return Math.min(SIZE, Math.max(0, value));
}

function isNear(a: { x: number; y: number }, b: { x: number; y: number }): boolean {
  return Math.hypot(a.x - b.x, a.y - b.y) < REACH;
}

/** A place by chance. The seed is state too: the next version goes on with the same numbers. */
function place(room: { seed: number }): { x: number; y: number } {
  const next = (): number => {
    room.seed = (Math.imul(room.seed, 1664525) + 1013904223) >>> 0;
    return (room.seed / 2 ** 32) * SIZE;
  };
  return { x: next(), y: next() };
}
