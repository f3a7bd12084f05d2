/** What the main thread and its parked workers say to each other, on a BroadcastChannel and in shared cells. */
export const WORKER_CHANNEL = "kstate.live.workers";

export type ToWorker =
  | { readonly type: "who" }
  | { readonly type: "park"; readonly cells: SharedArrayBuffer };

export interface FromWorker {
  readonly type: "here" | "gone";
  readonly threadId: number;
}

/** Indexes of the shared int32 cells: how many are parked, and 1 when they may go on. */
export const CELLS = { parked: 0, released: 1 } as const;
