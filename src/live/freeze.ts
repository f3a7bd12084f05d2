import type { Socket } from "node:net";
import type { StateOf, VersionIds } from "../description/index.ts";
import { type ErrorRecord, toErrorRecord } from "../error/index.ts";
import { type Folio, HANDOVER, type PhysicalMemory } from "../memory/index.ts";
import type { Registry } from "../registry/index.ts";
import type { Listeners } from "./listeners.ts";
import type { LiveCollections } from "./live-collections.ts";
import type { LiveResources } from "./live-resources.ts";
import type { Pair } from "./pair.ts";
import type { QuiesceHooks } from "./quiesce-hooks.ts";
import { saveInto } from "./save-into.ts";
import type { MovingConnections } from "./sockets/connections.ts";
import type { Detached } from "./sockets/detached.ts";
import type { httpConnectionsState, httpPendingState } from "./sockets/records.ts";
import { descriptorOf, leave } from "./sockets/stream-socket.ts";
import type { Starters } from "./starters.ts";
import type { LiveSystem } from "./system.ts";
import type { PreCopied } from "./tracked/pre-copy.ts";
import type { AnyTrackedMap } from "./tracked/slice.ts";

/** Everything of a program that an update moves. */
export interface Parts {
  readonly registry: Registry;
  readonly listeners: Listeners;
  readonly httpRecords: StateOf<typeof httpConnectionsState>;
  readonly httpPending: StateOf<typeof httpPendingState>;
  readonly moving: MovingConnections[];
  readonly detached: Detached;
  readonly quiesceHooks: QuiesceHooks;
  readonly starters: Starters;
  readonly resources: LiveResources;
  readonly collections: LiveCollections;
  readonly tracked: AnyTrackedMap[];
}

export interface FreezeRequest {
  readonly generation: number;
  readonly freezeMs: number;
  readonly versionIds: VersionIds;
  readonly quiescedAtNs: bigint;
  /** Connections that were given up while quiescing. */
  readonly dropped: number;
  /** Allocated beforehand, for the stream; `freeze` uses it up or frees it. */
  readonly room: Folio;
  readonly preCopied: PreCopied | undefined;
}

export type FreezeResult =
  | { readonly verdict: "COMMITTED"; readonly left: readonly Socket[] }
  | { readonly verdict: "CANCELLED"; readonly error: ErrorRecord };

/**
 * Hands everything over in one synchronous turn: nothing of the program runs between the save and the verdict.
 * Returns the connections that were handed over when the successor has it all and this program has to leave, or
 * else the reason why not: then everything is as it was, and serves.
 *
 *  1. end activities, park workers, stop reading    undo: start again, release, read again
 *  2. save into the memory: PENDING                 undo: RUNNING
 *  3. send descriptors, wait                        undo: none, the successor's copies end with it
 *  4. COMMITTED: close our copies                   CANCELLED: undo 2 and 1
 */
export function freeze(
  parts: Parts,
  memory: PhysicalMemory,
  pair: Pair,
  system: LiveSystem,
  request: FreezeRequest,
): FreezeResult {
  let sockets: Socket[] = [];
  let unusedRoom: Folio | undefined = request.room;
  const error = attempt(() => {
    pair.sendFreezing();
    const frozenAtNs = system.nowNs();
    const deadlineNs = frozenAtNs + BigInt(Math.ceil(request.freezeMs)) * 1_000_000n;
    parts.starters.stop();
    parts.resources.workers.park();
    sockets = collectConnections(parts);
    unusedRoom = undefined;
    request.preCopied?.present();
    saveInto(memory, parts.registry, request.room, {
      name: HANDOVER,
      state: "PENDING",
      generation: request.generation,
      versionIds: request.versionIds,
      dataChecksum: false, // the verdict word vouches for the data
    });
    const descriptors = sockets.map(descriptorOf);
    pair.sendFrozen(
      descriptors,
      {
        descriptors: descriptors.length,
        quiescedAtNs: String(request.quiescedAtNs),
        frozenAtNs: String(frozenAtNs),
        preCopy: request.preCopied?.rounds ?? [],
        dropped: request.dropped,
      },
      deadlineNs,
    );
    pair.receiveVerdict(deadlineNs);
  });
  if (memory.verdicts.decide(request.generation, "CANCELLED") === "COMMITTED") {
    for (const socket of sockets) leave(socket);
    letGo(parts, memory, system);
    return { verdict: "COMMITTED", left: sockets };
  }
  if (unusedRoom !== undefined) memory.free(unusedRoom);
  thaw(parts, memory);
  return { verdict: "CANCELLED", error: error ?? silence(request.freezeMs) };
}

/** After the commit: cuts this program off from the memory. One that could still store there does not go on. */
export function letGo(parts: Parts, memory: PhysicalMemory, system: LiveSystem): void {
  try {
    memory.fence();
  } catch {
    system.exit(0);
  }
  parts.collections.leave();
}

function attempt(step: () => void): ErrorRecord | null {
  try {
    step();
    return null;
  } catch (error) {
    return toErrorRecord(error);
  }
}

/** Stops all reading and returns the connections in the order in which their records are saved. */
export function collectConnections({ listeners, moving, httpRecords, httpPending }: Parts): Socket[] {
  const sockets: Socket[] = [];
  httpRecords.listeners = [];
  httpPending.pending = [];
  for (const connections of listeners.servers) {
    for (const socket of connections.collect()) {
      const pending = connections.pendingOf?.(socket);
      if (pending !== undefined) httpPending.pending.push({ index: sockets.length, ...pending });
      httpRecords.listeners.push(connections.key);
      sockets.push(socket);
    }
  }
  for (const connections of moving) for (const socket of connections.collect()) sockets.push(socket);
  return sockets;
}

/** Undoes a freeze. */
export function thaw(parts: Parts, memory: PhysicalMemory): void {
  const { listeners, moving, httpRecords, httpPending, starters, quiesceHooks, resources } = parts;
  try {
    memory.settle();
  } catch (error) {
    // The next save settles it; until then no program would take what is there for a state.
    process.emitWarning(`after a cancelled update: ${(error as Error).message}`, "KstateWarning");
  }
  httpRecords.listeners = [];
  httpPending.pending = [];
  for (const connections of listeners.servers) connections.unquiesce();
  for (const connections of moving) connections.thaw();
  resources.workers.release();
  starters.start({ from: "thaw" });
  quiesceHooks.undo();
}

function silence(freezeMs: number): ErrorRecord {
  return {
    code: "UPDATE_TIMEOUT",
    message: `the successor said nothing within ${freezeMs} ms while this program was frozen; this program goes on`,
    detail: { phase: "freeze", timeoutMs: freezeMs },
  };
}
