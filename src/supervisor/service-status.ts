import { shownCommand } from "./command-text.ts";
import type { SupervisorStatus } from "./control-protocol.ts";
import type { HostedService } from "./hosted-service.ts";
import { descriptionsOf } from "./program-facts.ts";
import type { Standby } from "./standby.ts";
import type { Suspension } from "./suspension.ts";
import type { UpdateSeries } from "./update-series.ts";

/** What `kstate status` shows. */
export function statusOf(
  service: HostedService,
  updates: UpdateSeries,
  standby: Standby,
  suspension: Suspension,
): SupervisorStatus {
  const { options, memory, system, current, generation, previous, listening } = service;
  const { pid, command, startedAt, phase, lock } = current;
  return {
    name: options.name,
    supervisorPid: process.pid,
    generation,
    program: {
      pid,
      command: shownCommand(command.argv),
      startedAt: startedAt.toISOString(),
      phase,
      descriptions: descriptionsOf(lock),
    },
    memory: {
      capacityBytes: memory.superblock().capacity,
      usedBytes: system.allocatedBytes(memory.descriptor),
    },
    listeners: listening.texts(),
    previousCommand: previous === null ? null : shownCommand(previous.argv),
    standby: standbyStatus(standby),
    updating: updates.current !== undefined,
    suspending: suspension.progress,
    suspendedIn: suspension.place,
    lastUpdate: updates.last ?? null,
  };
}

function standbyStatus({ program, until }: Standby): SupervisorStatus["standby"] {
  if (program === undefined || until === undefined) return null;
  const { pid, command, lock } = program;
  return {
    pid,
    command: shownCommand(command.argv),
    waiting: lock !== undefined,
    until: until.toISOString(),
  };
}
