import { BroadcastChannel, type Worker } from "node:worker_threads";
import { KstateError } from "../error/index.ts";
import { CELLS, type FromWorker, type ToWorker, WORKER_CHANNEL } from "./worker-protocol.ts";

/** How long a worker may compute before it looks at its messages, ms; the program stands still meanwhile. */
const PARK_MS = 500;

/** The program's worker threads: which of them can be parked, and parking them while the state is saved. */
export class WorkerThreads {
  readonly #workers = new Set<Worker>();
  /** Threads with the preload, those that workers have started included. */
  readonly #parkable = new Set<number>();
  readonly #channel = new BroadcastChannel(WORKER_CHANNEL);
  #cells: Int32Array<SharedArrayBuffer> | undefined;

  constructor() {
    process.on("worker", (worker: Worker) => {
      if (isNodesOwn(worker)) return;
      const { threadId } = worker;
      this.#workers.add(worker);
      worker.once("exit", () => {
        this.#workers.delete(worker);
        this.#parkable.delete(threadId);
      });
    });
    this.#channel.onmessage = (event) => {
      const { type, threadId } = (event as { readonly data: FromWorker }).data;
      if (type === "here") this.#parkable.add(threadId);
      if (type === "gone") this.#parkable.delete(threadId);
    };
    this.#channel.unref();
    this.#say({ type: "who" });
  }

  #say(message: ToWorker): void {
    this.#channel.postMessage(message);
  }

  /** The workers that would go on during a freeze. */
  unparkable(): Worker[] {
    return [...this.#workers].filter(({ threadId }) => !this.#parkable.has(threadId));
  }

  /** Stops every worker that has the preload; blocks until they stand still. `LIVE_RESOURCE` if one does not. */
  park(): void {
    if (this.#parkable.size === 0) return;
    const cells = new Int32Array(new SharedArrayBuffer(8));
    this.#cells = cells;
    this.#say({ type: "park", cells: cells.buffer });
    const deadline = performance.now() + PARK_MS;
    for (;;) {
      const parked = Atomics.load(cells, CELLS.parked);
      if (parked >= this.#parkable.size) return;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw didNotPark(this.#parkable.size - parked);
      Atomics.wait(cells, CELLS.parked, parked, leftMs);
    }
  }

  /** Undoes {@link park}. */
  release(): void {
    if (this.#cells === undefined) return;
    Atomics.store(this.#cells, CELLS.released, 1);
    Atomics.notify(this.#cells, CELLS.released);
    this.#cells = undefined;
  }
}

/** The thread of `module.register`, which tsx and instrumentation start, loads modules and has no state. */
function isNodesOwn(worker: Worker): boolean {
  return "receiveMessageSync" in worker;
}

function didNotPark(count: number): KstateError {
  const resources = [`${count} worker ${count === 1 ? "thread" : "threads"}`];
  return new KstateError(
    "LIVE_RESOURCE",
    `cannot freeze: ${resources[0]} with kstate/live/worker did not stop within ${PARK_MS} ms; ` +
      "let them look at their messages from time to time, or end them in a quiesce() hook",
    { resources },
  );
}
