import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** A process beside this one that answers questions, one at a time. */
export class Task {
  readonly #process: ChildProcess;
  readonly #file: string;

  constructor(file: string, args: readonly string[]) {
    this.#file = file;
    this.#process = fork(new URL(file, import.meta.url), args);
  }

  /** Sends a word and resolves with the answer; rejects when the process ends instead. */
  async ask(word: string): Promise<unknown> {
    const over = new AbortController();
    const ended = once(this.#process, "exit", over).then(([code, signal]) => {
      throw new Error(`${this.#file} ended unexpectedly: ${signal ?? `exit code ${code}`}`);
    });
    const answered = once(this.#process, "message", over).then(([answer]) => answer as unknown);
    this.#process.send(word);
    try {
      return await Promise.race([answered, ended]);
    } finally {
      over.abort();
      ended.catch(() => {});
      answered.catch(() => {});
    }
  }

  end(): void {
    this.#process.kill("SIGKILL");
  }
}

/** The other side: answers each word by the function of that name, until the asking process ends. */
export function answer(functions: Readonly<Record<string, () => unknown>>): void {
  process.on("message", async (word: string) => process.send?.((await functions[word]!()) ?? null));
  process.on("disconnect", () => process.exit());
  process.on("SIGINT", () => {}); // Ctrl-C reaches every process of a terminal; the asking one ends this one
}
