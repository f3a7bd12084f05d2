import { defineState, type StateOf, string, u32 } from "kstate";

/** What the arena knows about one WebSocket. It travels with the connection, so the numbers go on. */
export const connectionState = defineState({
  name: "arena.connection",
  id: 110,
  fields: [
    ["playerId", u32],
    ["room", string({ max: 32 })],
    ["received", u32], // messages of this client so far
    ["sent", u32], // messages to it; each carries its number
  ],
});
export type Connection = StateOf<typeof connectionState>;
