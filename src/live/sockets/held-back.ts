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

  /** Whether there is time still to hold somebody back. */
  get isPatient(): boolean {
    return performance.now() <= this.#untilMs;
  }

  /** Holds a connection back, or lets all go on once it is time. */
  hold(socket: Socket): void {
    if (!this.isPatient) return this.end();
    this.#sockets.add(socket);
    holdBack(socket); // again, if it has been resumed by what reads it
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
