import type { Stored, StoreOptions, StoreProgress } from "../carrier/index.ts";
import { type ErrorRecord, KstateError, toErrorRecord, toSupervisorRecord } from "../error/index.ts";
import { decidedWord, type SuspendFigures, type ToSupervisor } from "../live/protocol.ts";
import { isOfAnother } from "../live/update-messages.ts";
import type { PhysicalMemory } from "../memory/index.ts";
import type { UpdateTimeouts } from "./control-protocol.ts";
import type { Program } from "./program.ts";
import { type SuspendEffect, type SuspendEvent, type SuspendState, suspendStep } from "./suspend-machine.ts";
import type { SupervisorSystem } from "./system.ts";

/** What the supervisor allows itself beyond the program's own time-outs before it decides. */
const PATIENCE_MS = 5_000;
/** For the program to say that it serves again, or to leave after the commit. */
const SETTLE_MS = 5_000;
/** How often whoever asked is told how far the carrier is. */
const TELL_MS = 1_000;
const MIB = 1024 * 1024;

export interface SuspendContext {
  readonly system: SupervisorSystem;
  readonly memory: PhysicalMemory;
  readonly generation: number;
  readonly timeouts: UpdateTimeouts;
  /** How long responses that are detached may take to finish, ms. */
  readonly detachedMs: number;
  /** Whether connections that wait for their clients alone are closed when `quiesceMs` is over. */
  readonly dropStalled: boolean;
  readonly program: Program;
  /** For whom the state is written: a lock record, or null for the newest versions. */
  readonly lock: unknown;
  /** Keeps the memory, which nobody changes meanwhile. */
  readonly keep: (options: StoreOptions) => Promise<Stored>;
  readonly progress: (text: string) => void;
}

export type SuspendOutcome =
  | {
      readonly outcome: "suspended";
      readonly stored: Stored;
      readonly figures: SuspendFigures;
      readonly keepMs: number;
    }
  | { readonly outcome: "failed"; readonly error: ErrorRecord };

/** One suspend, from the request to its outcome: carries out what `suspendStep` decides. */
export class Suspend {
  readonly #context: SuspendContext;
  #state: SuspendState = { phase: "freezing" };
  #timer: NodeJS.Timeout | undefined;
  #figures: SuspendFigures | undefined;
  #stored: Stored | undefined;
  #keepMs = 0;
  readonly #abandoned = new AbortController();
  /** How much of the state is kept, bytes; zeros until that is known. */
  kept = { doneBytes: 0, totalBytes: 0 };
  #resolve!: (outcome: SuspendOutcome) => void;
  readonly outcome = new Promise<SuspendOutcome>((resolve) => {
    this.#resolve = resolve;
  });

  constructor(context: SuspendContext) {
    this.#context = context;
    const { memory, generation, timeouts, detachedMs, dropStalled, program, lock, progress } = context;
    const { quiesceMs, freezeMs } = timeouts;
    memory.verdicts.open(generation);
    progress("quiescing, then freezing");
    const drop = dropStalled ? { dropStalled } : {};
    program.send({ type: "suspend", generation, quiesceMs, freezeMs, lock, detachedMs, ...drop });
    this.#startTimer(quiesceMs + PATIENCE_MS);
  }

  fromProgram(message: ToSupervisor): void {
    if (isOfAnother(message, this.#context.generation)) return;
    if (message.type === "suspended") {
      this.#figures = message.figures;
      this.#feed({ type: "suspended" });
    }
    if (message.type === "left")
      this.#context.progress(`the state is kept; waiting for ${message.connections} detached connections`);
    if (message.type === "refused" || message.type === "thawed")
      this.#feed({ type: message.type, error: message.error });
  }

  exited(error: ErrorRecord): void {
    this.#feed({ type: "exited", error });
  }

  #feed(event: SuspendEvent): void {
    const [state, effects] = suspendStep(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#attempt(effect);
  }

  /** What fails is said; the program finds the verdict by itself, and the time-outs go on. */
  #attempt(effect: SuspendEffect): void {
    try {
      this.#carryOut(effect);
    } catch (error) {
      this.#context.progress(`cannot ${effect.type}: ${(error as Error).message}`);
    }
  }

  #carryOut(effect: SuspendEffect): void {
    const { memory, generation, program } = this.#context;
    switch (effect.type) {
      case "keep":
        return void this.#keep();
      case "decide":
        return this.#feed({ type: "verdict", verdict: memory.verdicts.decide(generation, effect.verdict) });
      case "tell":
        program.send({ type: "cancel", generation }); // one that has not frozen yet
        return program.sendWord(decidedWord(generation));
      case "discard":
        return this.#stored?.discard();
      case "abandon":
        return this.#abandoned.abort(lostPatience());
      case "kill":
        return program.kill("SIGKILL");
      case "timer":
        clearTimeout(this.#timer);
        if (effect.phase === "settling") this.#startTimer(SETTLE_MS + this.#context.detachedMs);
        return;
      case "done":
        return this.#resolve({
          outcome: "suspended",
          stored: this.#stored!,
          figures: this.#figures!,
          keepMs: this.#keepMs,
        });
      case "failed":
        return this.#resolve({ outcome: "failed", error: effect.error });
    }
  }

  async #keep(): Promise<void> {
    const { system, keep, progress } = this.#context;
    const startedAtMs = system.nowMs();
    try {
      progress("keeping the state");
      this.#stored = await keep({ signal: this.#abandoned.signal, progress: this.#teller(startedAtMs) });
      this.#keepMs = system.nowMs() - startedAtMs;
      this.#feed({ type: "kept" });
    } catch (error) {
      this.#feed({ type: "notKept", error: toSupervisorRecord(error) });
    }
  }

  /** Says now and then how far the carrier is. */
  #teller(startedAtMs: number): StoreProgress {
    const { system, progress } = this.#context;
    let toldAtMs = startedAtMs;
    return (doneBytes, totalBytes) => {
      this.kept = { doneBytes, totalBytes };
      if (system.nowMs() - toldAtMs < TELL_MS) return;
      toldAtMs = system.nowMs();
      progress(`kept ${Math.floor(doneBytes / MIB)} of ${Math.ceil(totalBytes / MIB)} MiB`);
    };
  }

  #startTimer(timeoutMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const message = `the suspend was cancelled: ${this.#state.phase} took more than ${timeoutMs} ms; the program goes on`;
      const error = new KstateError("UPDATE_TIMEOUT", message, { phase: this.#state.phase, timeoutMs });
      this.#feed({ type: "timeout", error: toErrorRecord(error) });
    }, timeoutMs);
  }
}

function lostPatience(): KstateError {
  const message = "the program lost patience before its state was kept; it goes on";
  return new KstateError("UPDATE_CANCELLED", message, { reason: "patience" });
}
