import { KstateError } from "../error/index.ts";
import type { Busy } from "./sockets/connections.ts";

/** Undoes what a quiesce hook has done. */
export type QuiesceUndo = () => void | Promise<void>;

/**
 * Releases what only one program can hold, before the freeze: a lease, a consumer, a lock. What it returns takes it
 * back when the update is cancelled.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook without an undo returns nothing
export type QuiesceHook = () => QuiesceUndo | void | Promise<QuiesceUndo | void>;

/** A program's asynchronous hooks, which run while it quiesces. */
export class QuiesceHooks {
  readonly #hooks: QuiesceHook[] = [];
  #undo: QuiesceUndo[] = [];
  readonly #running = new Set<QuiesceHook>();
  /** Which quiescing it is: a hook of an earlier one that ends late is undone at once. */
  #round = 0;

  add(hook: QuiesceHook): void {
    this.#hooks.push(hook);
  }

  /** Runs all at the same time; rejects with `HOOK_FAILED` when one does. */
  async run(): Promise<void> {
    this.#round += 1;
    const round = this.#round;
    await Promise.all(this.#hooks.map((hook) => this.#run(hook, round)));
  }

  async #run(hook: QuiesceHook, round: number): Promise<void> {
    this.#running.add(hook);
    try {
      const undo = await hook();
      if (typeof undo !== "function") return;
      if (round === this.#round) this.#undo.push(undo);
      else take(undo);
    } catch (cause) {
      throw new KstateError(
        "HOOK_FAILED",
        `cannot freeze: a hook given to quiesce() threw: ${cause instanceof Error ? cause.message : String(cause)}`,
        { hook: "quiesce", description: "", path: hook.name },
        { cause },
      );
    } finally {
      this.#running.delete(hook);
    }
  }

  /** What is running. */
  busy(): Busy[] {
    return [...this.#running].map(({ name }) => ({
      what: `quiesce hook ${name || "(anonymous)"}`,
      cause: "hook",
    }));
  }

  /** Takes back what the hooks have done, the last one first. */
  undo(): void {
    this.#round += 1;
    for (const undo of this.#undo.splice(0).toReversed()) take(undo);
  }
}

/** Nobody waits for an undo, and a program that serves must not end by one: what it throws becomes a warning. */
function take(undo: QuiesceUndo): void {
  const warn = (error: unknown): void => {
    process.emitWarning(`the undo of a quiesce() hook threw: ${String(error)}`, "KstateWarning");
  };
  try {
    Promise.resolve(undo()).catch(warn);
  } catch (error) {
    warn(error);
  }
}
