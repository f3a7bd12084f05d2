import { createHash } from "node:crypto";
import type { ArenaState, Room } from "./arena.ts";

/** SHA-256 over every field that all versions have, in one order. Equal digests: the same state. */
export function digestOf(state: ArenaState): string {
  const rooms = [...state.rooms].map(([name, room]) => [name, ...roomFields(room)]);
  const everything = [state.nextPlayerId, state.posts, state.handovers, rooms];
  return createHash("sha256").update(JSON.stringify(everything)).digest("hex");
}

function roomFields({ round, roundEndsAt, seed, coin, players, chat }: Room): unknown[] {
  const people = [...players].map(([id, { name, x, y, score, respawnAt }]) => [
    id,
    name,
    x,
    y,
    score,
    respawnAt,
  ]);
  return [round, roundEndsAt, seed, coin.x, coin.y, people, chat.map(({ from, text }) => [from, text])];
}
