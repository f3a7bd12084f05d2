/**
 * Preload for worker threads (`kstate/live/worker`): parks the thread while the program's state is saved. Import it in
 * the worker, or give `execArgv: ["--import", "kstate/live/worker"]`. It does nothing in a main thread.
 */
import { BroadcastChannel, isMainThread, threadId } from "node:worker_threads";
import { CELLS, type FromWorker, type ToWorker, WORKER_CHANNEL } from "./worker-protocol.ts";

if (!isMainThread) {
  const channel = new BroadcastChannel(WORKER_CHANNEL);
  const say = (type: FromWorker["type"]): void =>
    channel.postMessage({ type, threadId } satisfies FromWorker);
  channel.onmessage = (event) => {
    const message = (event as { readonly data: ToWorker | FromWorker }).data;
    if (message.type === "who") say("here");
    if (message.type === "park") park(new Int32Array(message.cells));
  };
  channel.unref();
  process.once("exit", () => say("gone"));
  say("here");
}

function park(cells: Int32Array<SharedArrayBuffer>): void {
  Atomics.add(cells, CELLS.parked, 1);
  Atomics.notify(cells, CELLS.parked);
  Atomics.wait(cells, CELLS.released, 0);
}
