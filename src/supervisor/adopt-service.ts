import { formatMessage } from "../live/protocol.ts";
import type { PhysicalMemory } from "../memory/index.ts";
import { type AdoptedProgram, adoptProgram } from "./adopt-program.ts";
import type { Command, Contact } from "./program.ts";
import type { ProgramRecord, ServiceRecord } from "./service-record.ts";
import type { SupervisorSystem } from "./system.ts";

/** What is left of a service whose supervisor has ended. */
export interface AdoptedService {
  readonly memory: PhysicalMemory;
  readonly listeners: ReadonlyMap<string, number>;
  readonly command: Command;
  readonly previous: Command | null;
  /** Null when the program that should serve has ended, and only another one kept the memory. */
  readonly contact: Contact | null;
  /** What became of the update that was under way. */
  readonly verdict: "COMMITTED" | "CANCELLED" | null;
}

/**
 * Takes over a service from its record: dials its programs, decides the update that was under way, and ends the one
 * that does not count. Null when no program is there any more, so that nothing is left.
 */
export function adoptService(system: SupervisorSystem, record: ServiceRecord): AdoptedService | null {
  const { program, update } = record;
  const old = dial(system, program);
  if (old === null) return update === null ? null : adoptSuccessor(system, record, update);
  const memory = system.attachMemory(old.memory);
  const verdict = update === null ? null : memory.verdicts.decide(update.generation, "CANCELLED");
  if (update !== null && verdict === "COMMITTED") {
    dismiss(system, old);
    const successor = dial(system, update.successor);
    if (successor !== null) system.close(successor.memory);
    const listeners = chosen(system, successor, old);
    return adopted(memory, listeners, update.successor.command, program.command, successor, verdict);
  }
  if (update !== null) {
    old.contact.socket.write(formatMessage({ type: "cancel", generation: update.generation }));
    endProcess(system, update.successor);
  }
  return adopted(memory, old.listeners, program.command, record.previous, old, verdict);
}

/** The old program has ended: because its successor has taken over, or before it could. */
function adoptSuccessor(
  system: SupervisorSystem,
  { program, previous }: ServiceRecord,
  update: NonNullable<ServiceRecord["update"]>,
): AdoptedService | null {
  const successor = dial(system, update.successor);
  if (successor === null) return null;
  const memory = system.attachMemory(successor.memory);
  const verdict = memory.verdicts.decide(update.generation, "CANCELLED");
  const { listeners } = successor;
  if (verdict === "COMMITTED")
    return adopted(memory, listeners, update.successor.command, program.command, successor, verdict);
  dismiss(system, successor);
  return adopted(memory, listeners, program.command, previous, null, verdict);
}

function adopted(
  memory: PhysicalMemory,
  listeners: ReadonlyMap<string, number>,
  command: Command,
  previous: Command | null,
  program: AdoptedProgram | null,
  verdict: AdoptedService["verdict"],
): AdoptedService {
  return { memory, listeners, command, previous, contact: program?.contact ?? null, verdict };
}

/** The listeners of the program that serves, and only if it has ended those of the other one. */
function chosen(
  system: SupervisorSystem,
  successor: AdoptedProgram | null,
  old: AdoptedProgram,
): ReadonlyMap<string, number> {
  if (successor === null) return old.listeners;
  for (const descriptor of old.listeners.values()) system.close(descriptor);
  return successor.listeners;
}

function dial(system: SupervisorSystem, { controlPath, startedAt }: ProgramRecord): AdoptedProgram | null {
  return adoptProgram(system, controlPath, new Date(startedAt));
}

/** Ends a program that does not count. */
function dismiss(system: SupervisorSystem, { contact }: AdoptedProgram): void {
  contact.process.kill("SIGKILL");
  contact.socket.on("error", () => {}); // it has just been ended
  contact.socket.destroy();
  system.close(contact.channel);
  system.unlink(contact.controlPath);
  contact.process.look();
}

/** Ends a successor that was cancelled; it may hang, so it is not asked. */
function endProcess(system: SupervisorSystem, { process, controlPath }: ProgramRecord): void {
  if (process !== null && system.startTicks(process.pid) === process.startTicks) {
    const found = system.watch(process.pid);
    found?.kill("SIGKILL");
    found?.look();
  }
  system.unlink(controlPath); // one that is just being started finds itself abandoned
}
