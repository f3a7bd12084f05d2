import type { Socket } from "node:net";
import { holdBack, renewTimeout, startReading } from "./stream-socket.ts";

/** For what part of the time to quiesce connections are held back whose listeners are not done: one may wait for its client. */
const PATIENCE_SHARE = 0.5;

/** Connections that are not read until their listeners are done, so that no more work comes. */
export class HeldBack {
  readonly #sockets = new Set<Socket>();
  #untilMs = 0;

  begin(limitMs: number): void {
    this.#untilMs = performance.now() + limitMs * PATIENCE_SHARE;
  }

  /** Holds a connection back, or lets all go on once it is time. */
  hold(socket: Socket): void {
    if (performance.now() > this.#untilMs) this.end();
    else if (!this.#sockets.has(socket)) {
      this.#sockets.add(socket);
      holdBack(socket);
    }
  }

  /** They are read again. */
  end(): void {
    for (const socket of this.#sockets) {
      renewTimeout(socket);
      startReading(socket);
    }
    this.#sockets.clear();
  }

  /** They are somebody else's to read. */
  forget(): void {
    this.#sockets.clear();
  }
}
