import { createServer } from "node:http";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { setImmediate } from "node:timers/promises";
import {
  bool,
  defineState,
  f64,
  list,
  map,
  optional,
  type StateOf,
  string,
  struct,
  u16,
  u32,
} from "../description/index.ts";
import { AF, closeDescriptor, createSocket, socketPair } from "../memory/index.ts";
import { Registry } from "../registry/index.ts";
import { HttpConnections } from "./sockets/http-connections.ts";
import { type WebSocketRecord, webSocketsState } from "./sockets/records.ts";
import { adopt } from "./sockets/stream-socket.ts";
import type { WebSockets } from "./sockets/web-sockets.ts";
import type { LiveSystem } from "./system.ts";
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

const member = defineState({
  name: "kstate.warm_up.member",
  id: 0x4b530010,
  fields: [
    ["name", string({ max: 64 })],
    ["x", f64],
    ["score", u32],
    ["flags", u16],
    ["alive", bool],
    ["team", optional(string({ max: 64 }))],
  ],
});
const extra = defineState({ name: "kstate.warm_up.extra", id: 0x4b530011, fields: [["extra", u32]] });
const everything = defineState({
  name: "kstate.warm_up",
  id: 0x4b530012,
  fields: [
    ["members", map(string({ max: 64 }), struct(member), { max: 100 })],
    ["order", list(struct(member), { max: 100 })],
    ["counts", list(u32, { max: 100 })],
  ],
  subsections: [extra],
});

function warmCodec(): () => void {
  const registry = new Registry();
  const names = Array.from({ length: 10 }, (_, index) => `member ${index}`);
  const make = (name: string): StateOf<typeof member> => ({
    name,
    x: 1.5,
    score: 1,
    flags: 2,
    alive: true,
    team: null,
  });
  const state = {
    members: new Map(names.map((name) => [name, make(name)])),
    order: names.map(make),
    counts: [1, 2],
    extra: 3,
  };
  const sockets: { sockets: WebSocketRecord[] } = { sockets: [] };
  registry.register(everything, state);
  registry.register(webSocketsState, sockets);
  return () => {
    sockets.sockets = Array.from({ length: 5 }, () => ({ ...emptyRecord }));
    const stream = registry.save({ dataChecksum: false });
    state.members.clear();
    state.order = [];
    registry.load(stream, { undo: false });
  };
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
  const connections = new HttpConnections("warm-up", createServer());
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
