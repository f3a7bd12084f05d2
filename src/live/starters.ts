import { KstateError } from "../error/index.ts";

/**
 * Why a program's activities begin: `boot` without any state from before, `restore` with the state that the program
 * before it handed over or saved at its end, `recover` with the last checkpoint of one that crashed, `thaw` again after
 * an update was cancelled.
 */
export interface StartContext {
  readonly from: "boot" | "restore" | "recover" | "thaw";
}

/** Begins timers, intervals, subscriptions; what it returns ends them when the program freezes. Synchronous. */
export type StartFunction = (context: StartContext) => (() => void) | undefined;

/** A program's activities that must not run while its state is saved. */
export class Starters {
  readonly #starters: { readonly begin: StartFunction; end: (() => void) | undefined }[] = [];

  add(begin: StartFunction): void {
    this.#starters.push({ begin, end: undefined });
  }

  /** Begins those that are not running, in order. */
  start(context: StartContext): void {
    for (const starter of this.#starters) {
      if (starter.end !== undefined) continue;
      const end = synchronous(starter.begin(context), "start");
      starter.end = typeof end === "function" ? end : () => {};
    }
  }

  /** Ends all, the last one first. If one throws, those that have ended begin again with the next `start`. */
  stop(): void {
    for (const starter of this.#starters.toReversed()) {
      const { end } = starter;
      starter.end = undefined;
      if (end !== undefined) synchronous(end(), "stop");
    }
  }
}

function synchronous<T>(result: T, hook: "start" | "stop"): T {
  if (typeof (result as { then?: unknown } | undefined)?.then !== "function") return result;
  const what = hook === "start" ? "a function given to start()" : "the stop function that start() was given";
  throw new KstateError("HOOK_ASYNC", `${what} returned a promise; it has to be synchronous`, { hook });
}
