import type { Socket } from "node:net";
import { type ErrorRecord, KstateError, toErrorRecord } from "../error/index.ts";
import { CHECKPOINT, HANDOVER, type PhysicalMemory } from "../memory/index.ts";
import { withinDescriptorLimit } from "./descriptor-limit.ts";
import type { Parts } from "./freeze.ts";
import { handToProgram, harmless } from "./harmless.ts";
import type { Pair } from "./pair.ts";
import type { HandoverFigures } from "./protocol.ts";
import type { MovingConnections } from "./sockets/connections.ts";
import { adopt } from "./sockets/stream-socket.ts";
import type { LiveSystem } from "./system.ts";
import { freeUnclaimedFolios } from "./unclaimed-folios.ts";

/** Does what can wait until the first clients have been served; then the update is over. */
export type Settle = () => HandoverFigures;

export type TakeOverResult =
  | { readonly verdict: "COMMITTED"; readonly begin: () => Settle }
  | { readonly verdict: "CANCELLED"; readonly error: ErrorRecord };

/**
 * Receives what the old program hands over, in one synchronous turn, and decides. Until the decision nothing
 * is read, written or accepted; `begin` is the successor's first I/O. What can fail comes before the decision: every
 * descriptor is there with its object around it, every listener listens, the memory can be written. What is left for after
 * it needs no descriptor and no memory of the system's, or is harmless when it fails.
 */
export function takeOver(
  parts: Parts,
  memory: PhysicalMemory,
  pair: Pair,
  system: LiveSystem,
  request: { readonly generation: number; readonly timeoutMs: number },
): TakeOverResult {
  const { generation } = request;
  try {
    const deadlineNs = system.nowNs() + BigInt(Math.ceil(request.timeoutMs)) * 1_000_000n;
    const { descriptors, record } = withinDescriptorLimit("its connections", () =>
      pair.receiveFrozen(deadlineNs),
    );
    const stream = handedOver(memory, generation);
    const streamBytes = stream.length;
    parts.registry.load(stream, { undo: false }); // the process is the undo
    const webSockets = countLoaded(parts, "webSockets");
    const sockets = adoptConnections(parts, descriptors);
    // Last of all: nothing of the program runs between here and the verdict.
    const { take, giveUp } = memory.prepareToOwn(parts.collections.room(memory));
    if (memory.verdicts.decide(generation, "COMMITTED") === "CANCELLED") {
      giveUp();
      throw new KstateError("UPDATE_CANCELLED", "cannot take over: the update was cancelled meanwhile", {
        reason: "verdict",
      });
    }
    take();
    const begin = (): Settle => {
      parts.collections.openAll(memory); // what it finds was compared before the pause, and what it makes has room
      const httpConnections = beginHttp(parts, sockets);
      for (const connections of parts.moving) connections.begin();
      const nowNs = system.nowNs();
      return () => {
        // Not before: waking the old program would keep the processor from the first clients. It looks for itself, later.
        harmless("tell the program before", () => pair.sendVerdict(null));
        let freedFolios = 0;
        harmless("settle the memory", () => {
          memory.endReserve();
          // Until this program makes a checkpoint, what was handed over is one; it may have made one already.
          memory.settle(memory.superblock().state === "PENDING" ? CHECKPOINT : undefined);
          freedFolios = freeUnclaimedFolios(memory, parts.registry);
        });
        return {
          quiesceMs: milliseconds(BigInt(record.frozenAtNs) - BigInt(record.quiescedAtNs)),
          blackoutMs: milliseconds(nowNs - BigInt(record.frozenAtNs)),
          streamBytes,
          preCopy: record.preCopy,
          freedFolios,
          httpConnections,
          webSockets,
          otherConnections: sockets.length - httpConnections - webSockets,
          droppedConnections: record.dropped ?? 0,
        };
      };
    };
    return { verdict: "COMMITTED", begin };
  } catch (thrown) {
    const error = toErrorRecord(thrown);
    if (memory.verdicts.decide(generation, "CANCELLED") === "COMMITTED") throw thrown;
    harmless("tell the program before", () => pair.sendVerdict(error));
    return { verdict: "CANCELLED", error };
  }
}

function handedOver(memory: PhysicalMemory, generation: number): Uint8Array {
  const { superblock, table } = memory.snapshot();
  const { state } = superblock;
  const stream = table.streams.find(({ name }) => name === HANDOVER);
  if (state === "PENDING" && stream?.generation === generation)
    return memory.bytesAt(stream.address, stream.length);
  throw new KstateError(
    "MEMORY_INVALID",
    `cannot take over generation ${generation}: the memory is ${state} and holds ${stream === undefined ? "no stream" : `generation ${stream.generation}`}`,
    {},
  );
}

/** Puts a paused socket around every descriptor, and refuses those that no server here is for. */
function adoptConnections(
  { listeners, moving, httpRecords }: Parts,
  descriptors: readonly number[],
): Socket[] {
  const servers = new Map(listeners.servers.map((server) => [server.key, server]));
  const known = httpRecords.listeners.filter((key) => servers.has(key)).length;
  const claimed = known + moving.reduce((sum, { loaded }) => sum + loaded, 0);
  if (claimed !== descriptors.length) {
    throw new KstateError(
      "CONNECTIONS_UNCLAIMED",
      `cannot take over ${descriptors.length} connections: this version has servers for ${claimed} of them; ` +
        "listen on the same addresses and hand in the same servers to `webSockets` and `connections` as the version before",
      { connections: descriptors.length, claimed },
    );
  }
  const sockets = descriptors.map(adopt);
  let at = httpRecords.listeners.length;
  for (const connections of moving) {
    const end = at + connections.loaded;
    connections.revive(sockets.slice(at, end));
    at = end;
  }
  return sockets;
}

function beginHttp({ listeners, httpRecords, httpPending }: Parts, sockets: readonly Socket[]): number {
  const servers = new Map(listeners.servers.map((server) => [server.key, server]));
  const keys = httpRecords.listeners;
  const pending = new Map(httpPending.pending.map((each) => [each.index, each]));
  httpRecords.listeners = [];
  httpPending.pending = [];
  for (const [index, key] of keys.entries())
    handToProgram(() => servers.get(key)!.adopt(sockets[index]!, pending.get(index)));
  return keys.length;
}

function countLoaded({ moving }: Parts, kind: MovingConnections["kind"]): number {
  return moving
    .filter((connections) => connections.kind === kind)
    .reduce((sum, { loaded }) => sum + loaded, 0);
}

function milliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e6;
}
