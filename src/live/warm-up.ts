import { createServer } from "node:http";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { setImmediate } from "node:timers/promises";
import { AF, closeDescriptor, createSocket, socketPair } from "../memory/index.ts";
import { Detached } from "./sockets/detached.ts";
import { HttpConnections } from "./sockets/http-connections.ts";
import type { WebSocketRecord } from "./sockets/records.ts";
import { adopt } from "./sockets/stream-socket.ts";
import type { WebSockets } from "./sockets/web-sockets.ts";
import type { LiveSystem } from "./system.ts";
import { warmCodec } from "./warm-codec.ts";
import { warmExchanges } from "./warm-exchange.ts";

/**
 * Runs the code of a hand-over on made-up data, so that it is compiled when the program freezes: cold code takes
 * ten times as long. Nothing of the program's own is touched.
 */
export async function warmUp(
  system: LiveSystem,
  role: "successor" | "old",
  webSockets: readonly WebSockets<object, unknown>[],
): Promise<void> {
  const codec = warmCodec();
  const sockets = role === "successor" ? warmAdoption(webSockets) : warmSending(system);
  await inSlices([codec, sockets.step], ROUNDS);
  sockets.end();
  if (role === "successor") await warmExchanges(webSockets, emptyRecord);
}

const ROUNDS = 150;
/** The longest that a serving program is kept from its clients at a time, ms. */
const SLICE_MS = 2;

async function inSlices(steps: readonly (() => void)[], rounds: number): Promise<void> {
  let sliceStart = performance.now();
  for (let round = 0; round < rounds; round += 1) {
    for (const step of steps) step();
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
  unread: new Uint8Array(0),
  unsent: new Uint8Array(0),
};

/** Takes over connections that were never connected, by a server that never listens. */
function warmAdoption(webSockets: readonly WebSockets<object, unknown>[]): { step(): void; end(): void } {
  const connections = new HttpConnections("warm-up", createServer(), new Detached());
  const sockets: Socket[] = [];
  return {
    step: () => {
      const socket = adopt(createSocket(AF.inet));
      sockets.push(socket);
      connections.adopt(socket);
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

/** Sends a descriptor from one hand to the other. */
function warmSending(system: LiveSystem): { step(): void; end(): void } {
  const [left, right] = socketPair();
  return {
    step: () => {
      system.send(left, Uint8Array.of(0), [left]);
      const message = system.receive(right);
      if (typeof message === "object") for (const descriptor of message.descriptors) system.close(descriptor);
    },
    end: () => {
      closeDescriptor(left);
      closeDescriptor(right);
    },
  };
}
