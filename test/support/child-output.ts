import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

/** What a child process prints, and waiting for it to print something. */
export class ChildOutput {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly #closed: Promise<unknown>;
  #isClosed = false;
  readonly #watchers = new Set<() => void>();

  constructor(child: ChildProcess) {
    this.child = child;
    this.#closed = once(child, "close");
    for (const name of ["stdout", "stderr"] as const) {
      child[name]?.setEncoding("utf8").on("data", (text: string) => {
        this[name] += text;
        for (const watch of this.#watchers) watch();
      });
    }
    child.once("close", () => {
      this.#isClosed = true;
      for (const watch of this.#watchers) watch();
    });
  }

  /** Resolves when the process has ended, though others may still hold its streams. */
  async exited(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, "exit");
  }

  /** Resolves with the exit status; null after a signal. */
  async closed(): Promise<number | null> {
    await this.#closed;
    return this.child.exitCode;
  }

  /** Waits until standard error matches; fails when the process ends before. */
  saw(pattern: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const watch = (): void => {
        const found = pattern.test(this.stderr);
        if (!found && !this.#isClosed) return;
        this.#watchers.delete(watch);
        if (found) resolve();
        else reject(new Error(`ended without printing ${pattern}:\n${this.stderr}`));
      };
      this.#watchers.add(watch);
      watch();
    });
  }
}
