import type { Socket } from "node:dgram";
import { once } from "node:events";
import type { ListenAddress } from "../protocol.ts";
import type { Busy } from "./connections.ts";

type UdpAddress = Extract<ListenAddress, { kind: "udp" }>;

/**
 * A UDP socket whose descriptor the supervisor holds. Nothing has to be handed over: while the old program is frozen
 * datagrams wait in the kernel's buffer, and whoever reads next gets them.
 */
export class Datagrams {
  readonly key: string;
  readonly socket: Socket;
  readonly address: UdpAddress;

  constructor(key: string, socket: Socket, address: UdpAddress) {
    this.key = key;
    this.socket = socket;
    this.address = address;
  }

  open(descriptor: number | undefined): Promise<void> {
    const { host, port } = this.address;
    const listening = once(this.socket, "listening");
    try {
      if (descriptor !== undefined) this.socket.bind({ fd: descriptor });
      else this.socket.bind(host === null ? { port } : { port, address: host });
    } catch (error) {
      listening.catch(() => {});
      throw error;
    }
    return listening.then(() => {});
  }

  /** Undoes {@link open}; it may not have come so far. */
  close(): void {
    try {
      this.socket.close();
    } catch {
      // it was not open
    }
  }

  /** What keeps the freeze waiting. */
  busy(): Busy[] {
    const count = this.socket.getSendQueueCount();
    return count === 0
      ? []
      : [{ what: `${count} datagrams of ${this.key} that are not sent yet`, cause: "other" }];
  }

  /** Takes no more datagrams: they are the successor's. */
  stop(): void {
    this.socket.close();
  }
}

/** Whether an object is a socket of `node:dgram` that is not bound yet; other copies of the class count too. */
export function isUnboundDatagramSocket(
  subject: unknown,
): subject is Socket & { readonly type: "udp4" | "udp6" } {
  const { type } = (subject ?? {}) as { readonly type?: unknown };
  if (type !== "udp4" && type !== "udp6") return false;
  try {
    (subject as Socket).address();
    return false;
  } catch {
    return true; // EBADF: it has no descriptor yet
  }
}
