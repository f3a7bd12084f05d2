import { resolve } from "node:path";
import { isKstateError, KstateError } from "../error/index.ts";
import type { ListenAddress } from "../live/protocol.ts";
import type { SocketIdentity } from "../system/index.ts";
import { type ActivatedSocket, fits } from "./socket-activation.ts";
import type { SupervisorSystem } from "./system.ts";
import { UndoSteps } from "./undo-steps.ts";

interface ListeningSocket {
  readonly descriptor: number;
  /** Its address in words. */
  readonly text: string;
  /** The path that goes with it, and which socket stood there when it was bound; null for one that was adopted. */
  readonly bound: { readonly path: string; readonly identity: SocketIdentity | null } | null;
}

/** The listening sockets of a service: bound once, for all versions of the program; never accepted from here. */
export class ListeningSockets {
  readonly #system: SupervisorSystem;
  readonly #sockets = new Map<string, ListeningSocket>();

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
      this.#sockets.set(key, { descriptor: socket.descriptor, text, bound: null }); // its path is the manager's
      return socket.descriptor;
    }
    try {
      const { descriptor, text } = await this.#system.bind(address);
      try {
        this.#sockets.set(key, { descriptor, text, bound: this.#boundAt(address) });
      } catch (error) {
        this.#system.close(descriptor);
        throw error;
      }
      return descriptor;
    } catch (error) {
      const errno = isKstateError(error, "SYSTEM_CALL")
        ? error.detail.errno
        : isKstateError(error, "FILE_UNTRUSTED")
          ? "EADDRINUSE"
          : ((error as NodeJS.ErrnoException).code ?? "?");
      throw new KstateError(
        "LISTEN_FAILED",
        `cannot listen on ${key}: ${(error as Error).message}`,
        { key, errno },
        { cause: error },
      );
    }
  }

  #boundAt(address: ListenAddress): ListeningSocket["bound"] {
    if (address.kind !== "unix" || address.path.startsWith("@")) return null;
    const path = resolve(address.path);
    return { path, identity: this.#system.identityOf(path) };
  }

  /** Takes over the socket of a key that another supervisor had bound. */
  adopt(key: string, descriptor: number): void {
    const text = this.#system.addressText(descriptor);
    const bound = text.startsWith("/") ? { path: text, identity: null } : null;
    this.#sockets.set(key, { descriptor, text, bound });
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
    for (const [key, { descriptor, bound }] of this.#sockets) {
      if (keys.includes(key)) continue;
      const left = new UndoSteps(); // what cannot be removed stays; the others go
      left.add(descriptor, this.#system.close);
      if (bound !== null)
        left.add(bound, ({ path, identity }) => this.#system.removeSocket(path, identity, descriptor));
      left.undo();
      this.#sockets.delete(key);
    }
  }

  /** Closes all, and removes UNIX sockets from their paths, unless others stand there by now. */
  close(): void {
    this.keep([]);
  }
}
