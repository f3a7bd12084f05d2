import { formatMessage } from "../live/protocol.ts";
import type { PhysicalMemory } from "../memory/index.ts";
import { type AdoptedProgram, adoptProgram, letGo } from "./adopt-program.ts";
import {
  type AdoptionEffect,
  type AdoptionEvent,
  type AdoptionState,
  adoptionStep,
  dialOld,
} from "./adoption-machine.ts";
import { LaunchedProcess } from "./launched-process.ts";
import type { Command, Contact } from "./program.ts";
import type { ProgramRecord, ServiceRecord } from "./service-record.ts";
import type { SupervisorSystem } from "./system.ts";
import { UndoSteps } from "./undo-steps.ts";

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
  return new Adoption(system, record).run();
}

/** Carries out what `adoptionStep` decides. */
class Adoption {
  readonly #system: SupervisorSystem;
  readonly #record: ServiceRecord;
  #state: AdoptionState;
  #effects: AdoptionEffect[];
  #old: AdoptedProgram | null = null;
  #successor: AdoptedProgram | null = null;
  #memory: PhysicalMemory | undefined;
  readonly #made = new UndoSteps();
  #verdict: AdoptedService["verdict"] = null;
  #adopted: AdoptedService | null = null;
  /** The programs that have answered and have not been ended. */
  readonly #found = new Set<AdoptedProgram>();

  constructor(system: SupervisorSystem, record: ServiceRecord) {
    const [state, effects] = dialOld;
    this.#system = system;
    this.#record = record;
    this.#state = state;
    this.#effects = [...effects];
  }

  /** What fails in the middle leaves the programs as they were found, but for those that do not count. */
  run(): AdoptedService | null {
    try {
      for (let effect = this.#effects.shift(); effect !== undefined; effect = this.#effects.shift())
        this.#carryOut(effect);
      return this.#adopted;
    } catch (error) {
      for (const program of this.#found) letGo(this.#system, program);
      this.#made.undo();
      throw error;
    }
  }

  #feed(event: AdoptionEvent): void {
    const [state, effects] = adoptionStep(this.#state, event, this.#record.update !== null);
    this.#state = state;
    this.#effects.push(...effects);
  }

  #carryOut(effect: AdoptionEffect): void {
    const { program, update } = this.#record;
    const system = this.#system;
    switch (effect.type) {
      case "dialOld":
        this.#old = this.#dial(program);
        return this.#feed({ type: this.#old === null ? "gone" : "answered" });
      case "dialSuccessor":
        this.#successor = this.#dial(update!.successor);
        return this.#feed({ type: this.#successor === null ? "gone" : "answered" });
      case "decideCancelled":
        this.#verdict = this.#memory!.verdicts.decide(update!.generation, "CANCELLED");
        return this.#feed({ type: "verdict", verdict: this.#verdict });
      case "cancelOld": {
        const message = formatMessage({ type: "cancel", generation: update!.generation });
        return void this.#old!.contact.socket.write(message);
      }
      case "dismissOld":
        return this.#dismiss(this.#old!);
      case "dismissSuccessor":
        return this.#dismiss(this.#successor!);
      case "endSuccessor":
        return endProcess(system, update!.successor);
      case "keep":
        this.#adopted = this.#keep(effect.who);
        return;
      case "nothingLeft":
        return;
    }
  }

  /** The first one that answers gives us the memory. */
  #dial(record: ProgramRecord): AdoptedProgram | null {
    const found = dial(this.#system, record);
    if (found === null) return null;
    this.#found.add(found);
    if (this.#memory !== undefined) this.#system.close(found.memory);
    else {
      this.#made.add(found.memory, this.#system.close);
      this.#memory = this.#system.attachMemory(found.memory);
    }
    return found;
  }

  /** Ends a program that does not count. */
  #dismiss(program: AdoptedProgram): void {
    const { contact } = program;
    this.#found.delete(program);
    contact.process.kill("SIGKILL");
    contact.socket.on("error", () => {}); // it has just been ended
    contact.socket.destroy();
    const left = new UndoSteps();
    left.add(contact.controlPath, this.#system.unlink);
    left.add(contact.channel, this.#system.close);
    left.undo();
    contact.process.look();
  }

  #keep(who: "old" | "successor"): AdoptedService {
    const { program, previous, update } = this.#record;
    const kept = who === "old" ? this.#old : this.#successor;
    const commands =
      who === "old"
        ? { command: program.command, previous }
        : { command: update!.successor.command, previous: program.command };
    return {
      ...commands,
      memory: this.#memory!,
      listeners: this.#listeners(kept),
      contact: kept?.contact ?? null,
      verdict: this.#verdict,
    };
  }

  /** Those of the program that serves, and only if it has ended those of the other one. */
  #listeners(kept: AdoptedProgram | null): ReadonlyMap<string, number> {
    const other = kept === this.#old ? this.#successor : this.#old;
    if (kept === null) return other!.listeners;
    for (const descriptor of other?.listeners.values() ?? []) this.#system.close(descriptor);
    return kept.listeners;
  }
}

function dial(system: SupervisorSystem, { controlPath, startedAt }: ProgramRecord): AdoptedProgram | null {
  return adoptProgram(system, controlPath, new Date(startedAt));
}

/** Ends a successor that was cancelled; it may hang, so it is not asked. */
function endProcess(system: SupervisorSystem, { process, controlPath }: ProgramRecord): void {
  if (process !== null && system.startTicks(process.pid) === process.startTicks) {
    const found = system.watch(process.pid);
    const launched = found === null ? null : new LaunchedProcess(system, controlPath, found);
    launched?.kill("SIGKILL");
    launched?.look();
  }
  system.unlink(controlPath); // one that is just being started finds itself abandoned
}
