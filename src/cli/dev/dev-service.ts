import type { Server } from "node:net";
import { isKstateError } from "../../error/index.ts";
import {
  claimName,
  ensureRuntimeDirectory,
  runtimeDirectory,
  Supervisor,
  serveControl,
  socketPath,
  supervisorSystem,
  type UpdateTimeouts,
} from "../../supervisor/index.ts";

export interface DevOptions {
  readonly name: string;
  readonly argv: readonly string[];
  readonly memoryBytes: number;
  readonly timeouts: UpdateTimeouts;
  readonly log: (text: string) => void;
}

/** A service whose program is replaced whenever its sources change, and started again when it has ended. */
export class DevService {
  readonly #options: DevOptions;
  #running: { readonly supervisor: Supervisor; readonly ended: Promise<void> } | undefined;

  constructor(options: DevOptions) {
    this.#options = options;
  }

  /** Starts the program; it may end at once. */
  async start(): Promise<void> {
    const { name, argv, memoryBytes, log } = this.#options;
    const directory = runtimeDirectory(process.env);
    ensureRuntimeDirectory(directory);
    const server = await claimName(name, socketPath(directory, name));
    let told = (): void => {};
    const ended = new Promise<void>((resolve) => {
      told = resolve;
    });
    const end = (): void => {
      this.#running = undefined;
      close(server).then(told);
    };
    const restarts = { policy: "never", limit: 0 } as const; // the next change of the source starts it
    const options = { name, cwd: process.cwd(), runtimeDirectory: directory, log, restarts, ended: end };
    try {
      const supervisor = Supervisor.start(options, supervisorSystem, { argv, environment: {} }, memoryBytes);
      serveControl(server, supervisor);
      this.#running = { supervisor, ended };
    } catch (error) {
      await close(server); // the memory was refused: the name is free again
      throw error;
    }
  }

  /** Replaces the program, or starts it if there is none. What is in the way is said, and what was there goes on. */
  async renew(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return this.start();
    const { timeouts, log, name } = this.#options;
    try {
      const next = { command: null, environment: {}, force: true }; // nobody rolls back while he develops
      const { pid, figures } = await running.supervisor.update(next, timeouts, () => {});
      const pause = figures === null ? "" : `, after ${figures.blackoutMs.toFixed(1)} ms`;
      log(`${name}: ${pid} has the state and serves${pause}`);
    } catch (error) {
      if (!isKstateError(error, "NOT_JOINED")) return log(`${name}: the version before goes on`);
      log(`${name}: the program has not begun to serve yet: it is started anew`);
      await this.stop();
      await this.start();
    }
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    await running.supervisor.stop();
    await running.ended;
  }
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
