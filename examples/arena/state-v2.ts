/**
 * What version 2 of the arena keeps: version 1's descriptions, and what has changed said in them. A stream of
 * version 1 can be loaded, and one can be written when version 2 is rolled back.
 */
import {
  date,
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
  u16,
  u32,
} from "kstate";
import { colourOf } from "./colour.ts";

export const playerState = defineState({
  name: "arena.player",
  id: 103,
  versionId: 2,
  minVersionId: 1,
  fields: [
    ["name", string({ max: 64 })],
    ["x", f64],
    ["y", f64],
    ["score", u32],
    // It follows from the name, so version 2 keeps it no longer; version 1 gets it back on a rollback.
    ["colour", string({ max: 16 }).until(1, { save: ({ name }: { name: string }) => colourOf(name) })],
    ["respawnAt", optional(deadline)],
    ["streak", u16.since(2, 0)],
  ],
});

export const roomState = defineState({
  name: "arena.room",
  id: 102,
  versionId: 2,
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
          ["at", optional(date).since(2)], // null: said before the update
        ]),
        { max: 50 },
      ),
    ],
  ],
});

/** A subsection: version 1 does not know it, and carries it unread through a rollback. */
export const championsState = defineState({
  name: "arena.champions",
  id: 104,
  fields: [
    [
      "champions",
      list(
        record([
          ["name", string({ max: 64 })],
          ["room", string({ max: 32 })],
          ["score", u32],
        ]),
        { max: 1_000 },
      ),
    ],
  ],
});

export const arenaState = defineState({
  name: "arena",
  id: 101,
  versionId: 2,
  minVersionId: 1,
  fields: [
    ["nextPlayerId", u32],
    ["posts", u32],
    ["handovers", u32],
    ["digest", string({ max: 64 })],
    ["rooms", map(string({ max: 32 }), struct(roomState), { max: 100 })],
    ["season", u32.since(2, 1)],
  ],
  subsections: [championsState],
});

export type PlayerV2 = StateOf<typeof playerState>;
export type RoomV2 = StateOf<typeof roomState>;
export type ChatLineV2 = RoomV2["chat"][number];
export type ArenaStateV2 = StateOf<typeof arenaState>;
