import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { setImmediate } from "node:timers/promises";
import { AF, bindSocket, createSocket, listenSocket, socketPair } from "../memory/index.ts";
import { Listeners } from "./listeners.ts";
import { Pair } from "./pair.ts";
import { Detached } from "./sockets/detached.ts";
import { HttpConnections } from "./sockets/http-connections.ts";
import type { WebSocketRecord } from "./sockets/records.ts";
import { adopt } from "./sockets/stream-socket.ts";
import type { WebSockets } from "./sockets/web-sockets.ts";
import type { LiveSystem } from "./system.ts";
import { Unheard } from "./unheard.ts";
import { warmCodec } from "./warm-codec.ts";
import { warmExchanges } from "./warm-exchange.ts";
import { warmMemory } from "./warm-memory.ts";

/**
 * Runs the code of a hand-over on made-up data, so that it is compiled when the program freezes: cold code takes
 * ten times as long. Nothing of the program's own is touched.
 */
export async function warmUp(
  system: LiveSystem,
  role: "successor" | "old",
  webSockets: readonly WebSockets<object, unknown>[],
): Promise<void> {
  const pair = warmPair(system);
  const unheard = new Unheard();
  try {
    const sockets = role === "successor" ? [warmAdoption(webSockets, unheard)] : [];
    const steps = [pair, ...sockets].map(({ step }) => step);
    await inSlices([...warmCodec(), warmMemory(), ...steps], ROUNDS);
    for (const { end } of [pair, ...sockets]) end();
    if (role !== "successor") return;
    await warmExchanges(webSockets, emptyRecord, unheard);
    await warmListen(unheard);
  } finally {
    unheard.end();
  }
}

const ROUNDS = 150;
const LISTENERS = 20;
/** The longest that a serving program is kept from its clients at a time, ms. */
const SLICE_MS = 2;
/** Both ends are here, so nobody waits. */
const PATIENCE_NS = 1_000_000_000n;

async function inSlices(steps: readonly (() => void)[], rounds: number): Promise<void> {
  let sliceStart = performance.now();
  for (let at = 0; at < rounds * steps.length; at += 1) {
    steps[at % steps.length]!();
    if (performance.now() - sliceStart < SLICE_MS) continue;
    await setImmediate();
    sliceStart = performance.now();
  }
}

const emptyRecord: WebSocketRecord = {
  listener: "warm-up",
  protocol: "",
  paused: false,
  closing: 0,
  closeCode: 1006,
  closeReason: "",
  compression: null,
  unread: new Uint8Array(0),
  unsent: new Uint8Array(0),
};

/** Takes over connections that were never connected, by a server that never listens. */
function warmAdoption(
  webSockets: readonly WebSockets<object, unknown>[],
  unheard: Unheard,
): { step(): void; end(): void } {
  const connections = new HttpConnections("warm-up", unheard.server(), new Detached());
  const sockets: Socket[] = [];
  return {
    step: () => {
      const socket = adopt(createSocket(AF.inet));
      sockets.push(socket);
      connections.adopt(unheard.add(socket));
      for (const server of webSockets) {
        const another = adopt(createSocket(AF.inet));
        sockets.push(another);
        server.warmUp(another, emptyRecord);
      }
    },
    end: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Opens listeners on sockets that nobody knows the address of, and closes them. */
async function warmListen(unheard: Unheard): Promise<void> {
  for (let round = 0; round < LISTENERS; round += 1) {
    const server = unheard.server();
    const listeners = new Listeners(new Detached());
    listeners.add(server, { port: 0, name: "warm-up" });
    await listeners.open(new Map([["warm-up", listeningSocket()]]));
    server.close();
  }
}

/** At an address that the kernel makes up. */
function listeningSocket(): number {
  const socket = createSocket(AF.unix);
  bindSocket(socket, Uint8Array.of(AF.unix, 0));
  listenSocket(socket, 1);
  return socket;
}

/** Sends a descriptor from one hand to the other, and the verdict back. */
function warmPair(system: LiveSystem): { step(): void; end(): void } {
  const [left, right] = socketPair();
  const [old, successor] = [new Pair(system, left), new Pair(system, right)];
  return {
    step: () => {
      const nowNs = system.nowNs();
      const record = { descriptors: 1, quiescedAtNs: String(nowNs), frozenAtNs: String(nowNs), preCopy: [] };
      old.sendFreezing();
      old.sendFrozen([left], record, nowNs + PATIENCE_NS);
      for (const descriptor of successor.receiveFrozen(nowNs + PATIENCE_NS).descriptors)
        system.close(descriptor);
      successor.sendVerdict(null);
      old.receiveVerdict(nowNs + PATIENCE_NS);
    },
    end: () => {
      old.close();
      successor.close();
    },
  };
}
