import { isKstateError, KstateError } from "../error/index.ts";
import type { ListenAddress } from "../live/protocol.ts";
import { type ActivatedSocket, fits } from "./socket-activation.ts";
import type { SupervisorSystem } from "./system.ts";

/** The listening sockets of a service: bound once, for all versions of the program; never accepted from here. */
export class ListeningSockets {
  readonly #system: SupervisorSystem;
  readonly #sockets = new Map<
    string,
    { readonly descriptor: number; readonly text: string; readonly path: string | null }
  >();

  /** Bound by the service manager, and not asked for yet. */
  readonly #activated: Set<ActivatedSocket>;

  constructor(system: SupervisorSystem, activated: readonly ActivatedSocket[] = []) {
    this.#system = system;
    this.#activated = new Set(activated);
  }

  /** The descriptor of a key, bound now if it is new. `LISTEN_FAILED` says why it can not be. */
  async open(key: string, address: ListenAddress): Promise<number> {
    const existing = this.#sockets.get(key);
    if (existing !== undefined) return existing.descriptor;
    for (const socket of this.#activated) {
      const text = this.#system.addressText(socket.descriptor);
      if (!fits(socket, text, key, address)) continue;
      this.#activated.delete(socket);
      this.#sockets.set(key, { descriptor: socket.descriptor, text, path: null }); // its path is the manager's
      return socket.descriptor;
    }
    try {
      const { descriptor, text } = await this.#system.bind(address);
      this.#sockets.set(key, { descriptor, text, path: address.kind === "unix" ? address.path : null });
      return descriptor;
    } catch (error) {
      const errno = isKstateError(error, "SYSTEM_CALL")
        ? error.detail.errno
        : ((error as NodeJS.ErrnoException).code ?? "?");
      throw new KstateError(
        "LISTEN_FAILED",
        `cannot listen on ${key}: ${(error as Error).message}`,
        { key, errno },
        { cause: error },
      );
    }
  }

  /** Takes over the socket of a key that another supervisor had bound. */
  adopt(key: string, descriptor: number): void {
    const text = this.#system.addressText(descriptor);
    this.#sockets.set(key, { descriptor, text, path: text.startsWith("/") ? text : null });
  }

  /** What a program inherits. */
  entries(): { key: string; descriptor: number }[] {
    return [...this.#sockets].map(([key, { descriptor }]) => ({ key, descriptor }));
  }

  /** The addresses in words. */
  texts(): string[] {
    return [...this.#sockets.values()].map(({ text }) => text);
  }

  /** Closes those that a version which has taken over does not use: nobody would ever answer there. */
  keep(keys: readonly string[]): void {
    for (const [key, { descriptor, path }] of this.#sockets) {
      if (keys.includes(key)) continue;
      this.#system.close(descriptor);
      if (path !== null) this.#system.unlink(path);
      this.#sockets.delete(key);
    }
  }

  /** Closes all, and removes the paths of UNIX sockets. */
  close(): void {
    this.keep([]);
  }
}
