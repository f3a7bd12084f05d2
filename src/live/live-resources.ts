import type { ChildProcess } from "node:child_process";
import cluster from "node:cluster";
import { basename } from "node:path";
import type { Worker } from "node:worker_threads";
import { KstateError } from "../error/index.ts";
import { WorkerThreads } from "./worker-threads.ts";

/** Something of the program that goes on while its main thread stands still. */
interface LiveResource {
  readonly subject: object;
  readonly name: string;
  readonly text: string;
}

/** Worker threads and child processes: an update is refused while some are there that nobody has allowed. */
export class LiveResources {
  readonly workers = new WorkerThreads();
  readonly #allowedNames: ReadonlySet<string>;
  readonly #allowed = new WeakSet<object>();

  constructor(allow: readonly string[]) {
    this.#allowedNames = new Set(allow);
  }

  allow(subject: object): void {
    this.#allowed.add(subject);
  }

  /** Throws `LIVE_RESOURCE` or `CLUSTER_UNSUPPORTED` when an update must not begin. */
  assertUpdatable(): void {
    if (Object.keys(cluster.workers ?? {}).length > 0)
      throw clusterUnsupported("this program has cluster workers");
    const found = [...this.workers.unparkable().map(describeWorker), ...childProcesses().map(describeChild)]
      .filter(({ subject, name }) => !this.#allowed.has(subject) && !this.#allowedNames.has(name))
      .map(({ text }) => text);
    if (found.length === 0) return;
    throw new KstateError(
      "LIVE_RESOURCE",
      `cannot update or suspend: ${found.join(", ")} would go on while the state is saved. Give workers ` +
        'execArgv: ["--import", "kstate/live/worker"]; end child processes, unref() them, or allow them: ' +
        "live.allow(it), or its name in joinLiveUpdate({ allow })",
      { resources: found },
    );
  }
}

/** Throws `CLUSTER_UNSUPPORTED` in a worker of node:cluster. */
export function assertNoCluster(): void {
  if (cluster.isWorker) throw clusterUnsupported("this program is a worker of node:cluster");
}

function clusterUnsupported(reason: string): KstateError {
  return new KstateError(
    "CLUSTER_UNSUPPORTED",
    `cannot take part in live updates: ${reason}, whose primary accepts its connections. ` +
      "Run one service per core instead, each under its own `kstate run --name`, behind one load balancer",
    { reason },
  );
}

/** Those that keep the program alive; getActiveResourcesInfo() says only how many there are. */
function childProcesses(): ChildProcess[] {
  const { _getActiveHandles } = process as unknown as { _getActiveHandles(): object[] };
  return _getActiveHandles.call(process).filter((handle): handle is ChildProcess => "spawnfile" in handle);
}

function describeChild(child: ChildProcess): LiveResource {
  const name = basename(child.spawnfile);
  return { subject: child, name, text: `child process ${child.pid} (${name})` };
}

/** Only newer versions of Node know the name that a worker was given. */
function describeWorker(worker: Worker): LiveResource {
  const { threadName } = worker as { readonly threadName?: string };
  const name = threadName || "worker";
  return {
    subject: worker,
    name,
    text: `worker thread ${worker.threadId}${threadName ? ` (${threadName})` : ""}`,
  };
}
