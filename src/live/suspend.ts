import type { VersionIds } from "../description/index.ts";
import { type ErrorRecord, toErrorRecord } from "../error/index.ts";
import { CHECKPOINT, HANDOVER, type PhysicalMemory, POLL } from "../memory/index.ts";
import { collectConnections, type Parts, thaw } from "./freeze.ts";
import { isStaleWord, type ResumeFigures, type SuspendFigures } from "./protocol.ts";
import { allocRoom, saveInto } from "./save-into.ts";
import type { LiveSystem } from "./system.ts";
import { freeUnclaimedFolios } from "./unclaimed-folios.ts";

export interface SuspendRequest {
  readonly generation: number;
  readonly freezeMs: number;
  readonly versionIds: VersionIds;
  readonly quiescedAtNs: bigint;
}

/**
 * Leaves everything in the memory, CLEAN, in one synchronous turn that lasts until the supervisor has decided. Returns
 * null when the state is kept and this program has to end, or else the reason why not: then it serves as before.
 *
 *  1. end activities, stop reading      undo: start again, read again
 *  2. save into the memory: CLEAN       undo: RUNNING
 *  3. report, wait on the channel       undo: none
 *  4. COMMITTED: end                    CANCELLED: undo 2 and 1
 */
export function suspend(
  parts: Parts,
  memory: PhysicalMemory,
  system: LiveSystem,
  request: SuspendRequest,
  supervisor: { readonly channel: number; report(figures: SuspendFigures): void },
): ErrorRecord | null {
  let error: ErrorRecord | null = null;
  try {
    const frozenAtNs = system.nowNs();
    const figures = leaveClean(parts, memory, request);
    const saveMs = Number(system.nowNs() - frozenAtNs) / 1e6;
    supervisor.report({
      ...figures,
      saveMs,
      quiesceMs: Number(frozenAtNs - request.quiescedAtNs) / 1e6,
    });
    const deadlineNs = frozenAtNs + BigInt(Math.ceil(request.freezeMs)) * 1_000_000n;
    awaitWord(system, supervisor.channel, request.generation, deadlineNs);
  } catch (thrown) {
    error = toErrorRecord(thrown);
  }
  if (memory.verdicts.decide(request.generation, "CANCELLED") === "COMMITTED") return null;
  thaw(parts, memory);
  return error ?? notKept(request.freezeMs);
}

/** Ends activities and saves into the memory, which nobody changes from then on. */
export function leaveClean(
  parts: Parts,
  memory: PhysicalMemory,
  { versionIds, generation }: Pick<SuspendRequest, "versionIds" | "generation">,
): Pick<SuspendFigures, "streamBytes" | "folios" | "connections"> {
  parts.starters.stop();
  parts.resources.workers.park();
  const connections = collectConnections(parts).length;
  for (const moving of parts.moving) moving.forget();
  parts.httpRecords.listeners = [];
  parts.httpPending.pending = [];
  saveInto(memory, parts.registry, allocRoom(memory), {
    name: HANDOVER,
    state: "CLEAN",
    generation,
    versionIds,
    dataChecksum: true,
  });
  const { folios } = memory.preserved();
  return { streamBytes: memory.stream(HANDOVER)!.bytes.length, folios: folios.length, connections };
}

/** Blocks until the supervisor says something or ends, or the time is over; what was decided is in the verdict word. */
function awaitWord(system: LiveSystem, channel: number, generation: number, deadlineNs: bigint): void {
  for (;;) {
    const leftMs = Number(deadlineNs - system.nowNs()) / 1e6;
    if (leftMs <= 0) return;
    if (system.poll([{ fd: channel, events: POLL.in }], leftMs)[0] === 0) continue;
    const word = system.receive(channel);
    if (word === "empty") continue;
    if (word === "closed" || !isStaleWord(Buffer.from(word.payload).toString(), generation)) return;
  }
}

/**
 * Loads the state of a suspended program. The memory is only read until everything has been loaded; then it is this
 * program's. What is returned is called when the program serves.
 */
export function resume(parts: Parts, memory: PhysicalMemory, system: LiveSystem): () => ResumeFigures {
  const startedAtNs = system.nowNs();
  const stream = memory.stream(HANDOVER);
  parts.registry.load(stream?.bytes ?? new Uint8Array(), {
    undo: false, // the process is the undo
    requireDataChecksum: true,
  });
  const streamBytes = stream?.bytes.length ?? 0;
  const loadMs = Number(system.nowNs() - startedAtNs) / 1e6;
  memory.own({ room: parts.collections.room(memory) });
  return () => {
    parts.collections.openAll(memory);
    memory.endReserve();
    memory.settle(CHECKPOINT); // until this program makes one: it may crash at once
    const freedFolios = freeUnclaimedFolios(memory, parts.registry);
    return { loadMs, streamBytes, freedFolios };
  };
}

function notKept(freezeMs: number): ErrorRecord {
  return {
    code: "UPDATE_CANCELLED",
    message: `the state was not kept within ${freezeMs} ms, or the supervisor ended or gave it up; this program goes on`,
    detail: { reason: "not kept" },
  };
}
