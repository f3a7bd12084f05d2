export type { ArrayOptions, Folio, FolioArray, FolioMap, MapOptions } from "../memory/index.ts";
export type { CheckpointOptions } from "./checkpoints.ts";
export type { BindOptions, ListenOptions } from "./listeners.ts";
export { LiveMemory } from "./live-memory.ts";
export { type JoinOptions, joinLiveUpdate, LiveUpdate } from "./live-update.ts";
export type { QuiesceHook, QuiesceUndo } from "./quiesce-hooks.ts";
export type { ConnectionHandlers } from "./sockets/described-sockets.ts";
export type {
  EventStream,
  EventStreamHandlers,
  EventStreams,
  ServerSentEvent,
} from "./sockets/event-streams.ts";
export type { WebSocketHandlers, WebSocketServerLike } from "./sockets/web-sockets.ts";
export type { StartContext, StartFunction } from "./starters.ts";
export type { AfterCrash } from "./state-directory.ts";
export { TrackedMap, type TrackedMapOptions, trackedMap } from "./tracked/tracked-map.ts";
