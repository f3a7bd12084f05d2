import { lookup } from "node:dns/promises";
import { chmodSync, fstatSync, unlinkSync } from "node:fs";
import { isIP, Socket } from "node:net";
import { dirname } from "node:path";
import { isKstateError, KstateError } from "../error/index.ts";
import type { ListenAddress } from "../live/protocol.ts";
import {
  AF,
  bindSocket,
  closeDescriptor,
  connectSocket,
  createMemfd,
  createSocket,
  IPPROTO_IPV6,
  isUnixBound,
  listenSocket,
  listenUnix,
  openDescriptor,
  PhysicalMemory,
  POLL,
  peerCredentials,
  poll,
  type ReceivedMessage,
  receiveMessage,
  SO,
  SOL_SOCKET,
  sendMessage,
  setSocketOption,
  socketAddress,
  socketPair,
  unixAddress,
} from "../memory/index.ts";
import { identityOf, removeDeadSocket, removeSocket, type SocketIdentity } from "../system/index.ts";
import { isMarked, markedProcesses, sessionOf } from "./marked-processes.ts";
import { assertOwnPeer } from "./peer.ts";
import { ensureRuntimeDirectory } from "./runtime-directory.ts";
import { addressText, tcpAddress } from "./socket-address.ts";
import { assertRoomForSuccessor } from "./successor-room.ts";
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
  /** Throws `UPDATE_REFUSED` when there is no room for a second program of the size of process `pid`, or of so many bytes. */
  assertRoomForSuccessor(pid: number, neededBytes: number | null): void;
  /** A process that somebody else started; null when it has ended. */
  watch(pid: number): WatchedProcess | null;
  /** Whether a process was started for the program with that control socket. */
  isMarked(pid: number, controlPath: string): boolean;
  /** All such processes in one of the sessions. */
  markedProcesses(controlPath: string, sessions: ReadonlySet<number>): readonly number[];
  /** Null when there is no such process. */
  sessionOf(pid: number): number | null;
  /** When a process started, in ticks; null when there is none. */
  startTicks(pid: number): number | null;
  /** Makes the runtime directory of a control socket again if somebody has removed it (a cleaner of old files). */
  prepareDirectory(controlPath: string): void;
  /** A UNIX socket that listens at `path`, where nothing is yet. */
  bindControl(path: string): number;
  bind(address: ListenAddress): Promise<{ descriptor: number; text: string }>;
  /** The address in words that a listening socket is bound to. */
  addressText(descriptor: number): string;
  /** A connection to a UNIX socket of this user, which is listened on. `PEER_UNTRUSTED`. */
  dial(path: string): Socket;
  /** The same, which Node does not read; null when nobody listens there. `PEER_UNTRUSTED`. */
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
  /** Which socket stands at a path, if any does. */
  identityOf(path: string): SocketIdentity | null;
  /** Removes a socket from its path, if it is still the one that stands there; null: if it is `descriptor`'s. */
  removeSocket(path: string, identity: SocketIdentity | null, descriptor: number): void;
  nowMs(): number;
  /** The clock that systemd reads, microseconds. */
  monotonicUs(): bigint;
}

export const supervisorSystem: SupervisorSystem = {
  createMemory: (capacity) => PhysicalMemory.create(createMemfd(capacity)),
  attachMemory: (descriptor) => PhysicalMemory.attach(openDescriptor(descriptor)),
  spawn: startProcess,
  assertRoomForSuccessor: (pid, neededBytes) => assertRoomForSuccessor(pid, neededBytes),
  watch: watchProcess,
  isMarked,
  markedProcesses,
  sessionOf,
  startTicks,
  prepareDirectory: (controlPath) => ensureRuntimeDirectory(dirname(controlPath)),
  bindControl: (path) => {
    return opened(listenUnix(path, 8), () => {
      try {
        chmodSync(path, 0o600);
      } catch (error) {
        unlinkIfThere(path);
        throw error;
      }
    });
  },
  bind: async (address) => {
    const descriptor = await bindAddress(address);
    return { descriptor, text: addressText(socketAddress(descriptor)) };
  },
  addressText: (descriptor) => addressText(socketAddress(descriptor)),
  dial: (path) => new Socket({ fd: dialed(path), readable: true, writable: true }),
  dialRaw,
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
  identityOf,
  removeSocket: (path, identity, descriptor) => {
    try {
      const found = identity ?? (isBehind(path, descriptor) ? identityOf(path) : null);
      if (found !== null) removeSocket(path, found);
    } catch {
      // its directory may not be written any more: it stays, and whoever listens there next removes it
    }
  },
  nowMs: () => performance.now(),
  monotonicUs: () => process.hrtime.bigint() / 1000n,
};

function dialRaw(path: string): number | null {
  const descriptor = createSocket(AF.unix);
  try {
    connectSocket(descriptor, unixAddress(path));
    assertOwnPeer(descriptor, path);
    return descriptor;
  } catch (error) {
    closeDescriptor(descriptor);
    if (isKstateError(error, "SYSTEM_CALL") && ["ECONNREFUSED", "ENOENT"].includes(error.detail.errno))
      return null;
    throw error;
  }
}

function dialed(path: string): number {
  const descriptor = dialRaw(path);
  if (descriptor !== null) return descriptor;
  const detail = { call: "connect", errno: "ECONNREFUSED" };
  throw new KstateError("SYSTEM_CALL", `connect failed: nobody listens on ${path} (ECONNREFUSED)`, detail);
}

/** Whether the socket at a path is this listening one: whoever connects sees the process that has listened last. */
function isBehind(path: string, descriptor: number): boolean {
  try {
    const probe = dialRaw(path);
    if (probe === null) return false;
    const same = peerCredentials(probe).pid === peerCredentials(descriptor).pid;
    closeDescriptor(probe);
    return same;
  } catch {
    return false; // another user's, or no socket at all
  }
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
    return listenUnix(path, BACKLOG);
  } catch (error) {
    const isTaken = isKstateError(error, "SYSTEM_CALL") && error.detail.errno === "EADDRINUSE";
    if (!isTaken || path.startsWith("@") || !(await removeDeadSocket(path, isUnixBound))) throw error;
    return listenUnix(path, BACKLOG);
  }
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

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
