/** What version 1 of the arena keeps. */
import {
  deadline,
  defineState,
  f64,
  list,
  map,
  optional,
  record,
  type StateOf,
  string,
  struct,
  u32,
} from "kstate";

export const playerState = defineState({
  name: "arena.player",
  id: 103,
  versionId: 1,
  minVersionId: 1,
  fields: [
    ["name", string({ max: 64 })],
    ["x", f64],
    ["y", f64],
    ["score", u32],
    ["colour", string({ max: 16 })],
    ["respawnAt", optional(deadline)],
  ],
});

export const roomState = defineState({
  name: "arena.room",
  id: 102,
  versionId: 1,
  minVersionId: 1,
  fields: [
    ["round", u32],
    ["roundEndsAt", deadline],
    ["seed", u32],
    [
      "coin",
      record([
        ["x", f64],
        ["y", f64],
      ]),
    ],
    ["players", map(u32, struct(playerState), { max: 10_000 })],
    [
      "chat",
      list(
        record([
          ["from", string({ max: 64 })],
          ["text", string({ max: 512 })],
        ]),
        { max: 50 },
      ),
    ],
  ],
});

export const arenaState = defineState({
  name: "arena",
  id: 101,
  versionId: 1,
  minVersionId: 1,
  fields: [
    ["nextPlayerId", u32],
    ["posts", u32],
    ["handovers", u32],
    ["digest", string({ max: 64 })],
    ["rooms", map(string({ max: 32 }), struct(roomState), { max: 100 })],
  ],
});

export type PlayerV1 = StateOf<typeof playerState>;
export type RoomV1 = StateOf<typeof roomState>;
export type ChatLineV1 = RoomV1["chat"][number];
export type ArenaStateV1 = StateOf<typeof arenaState>;
