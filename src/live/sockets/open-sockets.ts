import type { Socket } from "node:net";

/** The open connections of one server. */
export class OpenSockets implements Iterable<Socket> {
  readonly #sockets = new Set<Socket>();
  /** Told when one has closed, while somebody waits for that. */
  closed: (() => void) | undefined;

  add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.delete(socket);
      this.closed?.();
    });
  }

  has(socket: Socket): boolean {
    return this.#sockets.has(socket);
  }

  delete(socket: Socket): void {
    this.#sockets.delete(socket);
  }

  [Symbol.iterator](): Iterator<Socket> {
    return this.#sockets[Symbol.iterator]();
  }
}
