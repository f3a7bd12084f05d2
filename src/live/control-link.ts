import { createServer, type Server, type Socket } from "node:net";
import { MAX_DESCRIPTORS, POLL, peerUserId } from "../memory/index.ts";
import { userId } from "../system/index.ts";
import { formatMessage, LineSplitter, parseMessage, type ToProgram, type ToSupervisor } from "./protocol.ts";
import { descriptorOf } from "./sockets/stream-socket.ts";
import type { LiveSystem } from "./system.ts";

/** How often a message with descriptors is tried, and how long is waited in between, ms. */
const SEND_TRIES = 100;
const SEND_AGAIN_MS = 2;

export interface LinkEvents {
  message(message: ToProgram): void;
  /** The supervisor has ended, and no other one is there yet. */
  left(): void;
}

/**
 * The program's control socket: inherited listening, dialled by the supervisor. Messages sent before it has
 * dialled wait. When the supervisor goes away the program serves on and can be dialled again; what it says
 * meanwhile is lost, and said again when it is adopted.
 */
export class ControlLink {
  readonly #server: Server;
  readonly #system: LiveSystem;
  readonly #events: LinkEvents;
  #socket: Socket | undefined;
  /** Until the first supervisor has dialled. */
  #waiting: ToSupervisor[] | undefined = [];
  #held = false;

  constructor(descriptor: number, system: LiveSystem, events: LinkEvents) {
    this.#system = system;
    this.#events = events;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.listen({ fd: descriptor });
    this.#server.unref();
  }

  send(message: ToSupervisor): void {
    if (this.#socket === undefined) this.#waiting?.push(message);
    else this.#socket.write(formatMessage(message));
  }

  /** Sends descriptors with a short message, behind everything that was sent before; `sent` may send on. */
  sendWith(message: ToSupervisor, descriptors: readonly number[], sent: () => void): void {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return sent();
    if (socket.writableLength > 0) {
      socket.write(" ", () => this.sendWith(message, descriptors, sent)); // a space before a message means nothing
      return;
    }
    const last = Math.max(0, descriptors.length - MAX_DESCRIPTORS);
    for (let at = 0; at < last; at += MAX_DESCRIPTORS) {
      this.#sendNow(socket, " ", descriptors.slice(at, Math.min(last, at + MAX_DESCRIPTORS)));
    }
    this.#sendNow(socket, formatMessage(message), descriptors.slice(last));
    sent();
  }

  #sendNow(socket: Socket, text: string, descriptors: readonly number[]): void {
    if (socket.destroyed) return;
    const fd = descriptorOf(socket);
    for (let tries = 0; tries < SEND_TRIES; tries += 1) {
      const result = this.#system.send(fd, Buffer.from(text), descriptors);
      if (result === "sent") return;
      if (result === "closed") break;
      this.#system.poll([{ fd, events: POLL.out }], SEND_AGAIN_MS);
      this.#system.poll([{ fd, events: 0 }], SEND_AGAIN_MS); // the socket may have room when the kernel has none
    }
    socket.destroy();
  }

  /** Keeps the program alive while it waits for the supervisor's word, or lets it end by itself. */
  hold(held: boolean): void {
    if (held) this.#server.ref();
    else this.#server.unref();
    if (held) this.#socket?.ref();
    else this.#socket?.unref();
    this.#held = held;
  }

  /** Whoever does not speak the protocol is hung up on; the program serves on. */
  #read(socket: Socket, lines: LineSplitter, text: string): ToProgram[] {
    try {
      return lines.push(text).map((line) => parseMessage(line) as ToProgram);
    } catch {
      socket.destroy();
      return [];
    }
  }

  #accept(socket: Socket): void {
    if (this.#isTaken() || peerUserId(descriptorOf(socket)) !== userId()) {
      socket.destroy(); // one supervisor at a time, and none of another user's
      return;
    }
    this.#socket?.destroy();
    this.#socket = socket;
    const lines = new LineSplitter();
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      for (const message of this.#read(socket, lines, text)) this.#events.message(message);
    });
    socket.on("error", () => {}); // the supervisor has gone: the close that follows is all there is to know
    socket.on("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#events.left();
    });
    if (!this.#held) socket.unref();
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const message of waiting) this.send(message);
  }

  /** A supervisor that ended while this program could not look, because it was frozen, is no supervisor. */
  #isTaken(): boolean {
    if (this.#socket === undefined || this.#socket.destroyed) return false;
    const [events = 0] = this.#system.poll([{ fd: descriptorOf(this.#socket), events: 0 }], 0);
    return (events & (POLL.hangUp | POLL.error)) === 0;
  }
}
