import { lookup } from "node:dns/promises";
import { chmodSync, fstatSync, unlinkSync } from "node:fs";
import { connect, isIP, Socket } from "node:net";
import { isKstateError } from "../error/index.ts";
import type { ListenAddress } from "../live/protocol.ts";
import {
  AF,
  bindSocket,
  closeDescriptor,
  connectSocket,
  createMemfd,
  createSocket,
  IPPROTO_IPV6,
  listenSocket,
  openDescriptor,
  PhysicalMemory,
  POLL,
  peerUserId,
  poll,
  type ReceivedMessage,
  receiveMessage,
  SO,
  SOL_SOCKET,
  sendMessage,
  setSocketOption,
  socketAddress,
  socketPair,
} from "../memory/index.ts";
import { addressText, tcpAddress, unixAddress } from "./socket-address.ts";
import {
  type SpawnOptions,
  startProcess,
  startTicks,
  type WatchedProcess,
  watchProcess,
} from "./watched-process.ts";

/** Connections that the kernel keeps for a service nobody accepts for at the moment. */
const BACKLOG = 4096;

/** Every effect of the supervisor on the operating system, so that a test can stand in for it. */
export interface SupervisorSystem {
  createMemory(capacity: number): PhysicalMemory;
  /** Memory that another supervisor made. */
  attachMemory(descriptor: number): PhysicalMemory;
  spawn(options: SpawnOptions): WatchedProcess;
  /** A process that somebody else started; null when it has ended. */
  watch(pid: number): WatchedProcess | null;
  /** When a process started, in ticks; null when there is none. */
  startTicks(pid: number): number | null;
  /** A UNIX socket that listens at `path`, made anew. */
  bindControl(path: string): number;
  bind(address: ListenAddress): Promise<{ descriptor: number; text: string }>;
  /** The address in words that a listening socket is bound to. */
  addressText(descriptor: number): string;
  dial(path: string): Socket;
  /** A connection to a UNIX socket of this user that Node does not read; null when nobody listens there. */
  dialRaw(path: string): number | null;
  /** What stands on such a connection; null when nothing has come in time. */
  receive(descriptor: number, timeoutMs: number): ReceivedMessage | "closed" | null;
  sendText(descriptor: number, text: string): void;
  /** Makes a socket of Node of such a connection. */
  socketOf(descriptor: number): Socket;
  socketPair(): [number, number];
  /** Puts a descriptor on a channel; false when nobody is there to take it. */
  sendDescriptor(channel: number, descriptor: number): boolean;
  /** What a file has of its size, bytes. */
  allocatedBytes(descriptor: number): number;
  /** Puts a word on a channel; nobody may be there to take it. */
  sendWord(channel: number, word: string): void;
  /** What a program that has ended had put on its channel, if anything. */
  receiveText(channel: number): string | null;
  close(descriptor: number): void;
  unlink(path: string): void;
  nowMs(): number;
  /** The clock that systemd reads, microseconds. */
  monotonicUs(): bigint;
}

export const supervisorSystem: SupervisorSystem = {
  createMemory: (capacity) => PhysicalMemory.create(createMemfd(capacity)),
  attachMemory: (descriptor) => PhysicalMemory.attach(openDescriptor(descriptor)),
  spawn: startProcess,
  watch: watchProcess,
  startTicks,
  bindControl: (path) => {
    unlinkIfThere(path);
    const descriptor = bindUnix(path, 8);
    chmodSync(path, 0o600);
    return descriptor;
  },
  bind: async (address) => {
    const descriptor = await bindAddress(address);
    return { descriptor, text: addressText(socketAddress(descriptor)) };
  },
  addressText: (descriptor) => addressText(socketAddress(descriptor)),
  dial: (path) => connect(path),
  dialRaw: (path) => dialRaw(path),
  receive: receiveWithin,
  sendText: (descriptor, text) => void sendMessage(descriptor, Buffer.from(text), []),
  socketOf: (fd) => new Socket({ fd, readable: true, writable: true }),
  socketPair,
  sendDescriptor: (channel, descriptor) => sendMessage(channel, Uint8Array.of(1), [descriptor]) === "sent",
  allocatedBytes: (descriptor) => fstatSync(descriptor).blocks * 512,
  sendWord: (channel, word) => void sendMessage(channel, Buffer.from(word), []),
  receiveText: (channel) => {
    const message = receiveMessage(channel);
    return typeof message === "string" ? null : Buffer.from(message.payload).toString();
  },
  close: closeDescriptor,
  unlink: unlinkIfThere,
  nowMs: () => performance.now(),
  monotonicUs: () => process.hrtime.bigint() / 1000n,
};

function dialRaw(path: string): number | null {
  const descriptor = createSocket(AF.unix);
  try {
    connectSocket(descriptor, unixAddress(path));
    if (peerUserId(descriptor) === process.getuid?.()) return descriptor;
  } catch (error) {
    const gone =
      isKstateError(error, "SYSTEM_CALL") && ["ECONNREFUSED", "ENOENT"].includes(error.detail.errno);
    if (!gone) throw error;
  }
  closeDescriptor(descriptor);
  return null;
}

function receiveWithin(descriptor: number, timeoutMs: number): ReceivedMessage | "closed" | null {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const message = receiveMessage(descriptor);
    if (message !== "empty") return message;
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) return null;
    poll([{ fd: descriptor, events: POLL.in }], leftMs);
  }
}

function bindAddress(address: ListenAddress): number | Promise<number> {
  switch (address.kind) {
    case "unix":
      return bindUnixPath(address.path);
    case "tcp":
      return bindTcp(address);
    case "udp":
      return bindUdp(address);
  }
}

/** One that nobody reads from keeps what comes in the kernel's buffer, for whoever reads next. */
async function bindUdp({ host, port, family }: Extract<ListenAddress, { kind: "udp" }>): Promise<number> {
  const ipv6 = family === 6;
  const numeric = host === null ? (ipv6 ? "::" : "0.0.0.0") : (await lookup(host, { family })).address;
  return opened(createSocket(ipv6 ? AF.inet6 : AF.inet, "datagram"), (descriptor) => {
    bindSocket(descriptor, tcpAddress(numeric, port));
  });
}

async function bindTcp({ host, port }: Extract<ListenAddress, { kind: "tcp" }>): Promise<number> {
  if (host !== null) {
    const numeric = isIP(host) !== 0 ? host : (await lookup(host)).address;
    return openTcp(numeric, port);
  }
  try {
    return openTcp("::", port);
  } catch (error) {
    if (
      isKstateError(error, "SYSTEM_CALL") &&
      ["EAFNOSUPPORT", "EADDRNOTAVAIL"].includes(error.detail.errno)
    ) {
      return openTcp("0.0.0.0", port);
    }
    throw error;
  }
}

function openTcp(host: string, port: number): number {
  const ipv6 = isIP(host) === 6;
  return opened(createSocket(ipv6 ? AF.inet6 : AF.inet), (descriptor) => {
    setSocketOption(descriptor, SOL_SOCKET, SO.reuseAddress, 1);
    if (ipv6) setSocketOption(descriptor, IPPROTO_IPV6, SO.v6Only, host === "::" ? 0 : 1);
    bindSocket(descriptor, tcpAddress(host, port));
    listenSocket(descriptor, BACKLOG);
  });
}

/** Binds a service's own path; one that a dead program left behind is taken over. */
async function bindUnixPath(path: string): Promise<number> {
  try {
    return bindUnix(path, BACKLOG);
  } catch (error) {
    if (!isKstateError(error, "SYSTEM_CALL") || error.detail.errno !== "EADDRINUSE" || (await answers(path)))
      throw error;
    unlinkIfThere(path);
    return bindUnix(path, BACKLOG);
  }
}

function bindUnix(path: string, backlog: number): number {
  return opened(createSocket(AF.unix), (descriptor) => {
    bindSocket(descriptor, unixAddress(path));
    listenSocket(descriptor, backlog);
  });
}

function opened(descriptor: number, prepare: (descriptor: number) => void): number {
  try {
    prepare(descriptor);
    return descriptor;
  } catch (error) {
    closeDescriptor(descriptor);
    throw error;
  }
}

/** Whether somebody accepts connections at a path. */
export function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
