import { type ErrorRecord, KstateError, toErrorRecord, toSupervisorRecord } from "../error/index.ts";
import { type BrokerEffect, type BrokerEvent, type BrokerState, brokerStep } from "../live/machine.ts";
import type { HandoverFigures, ToSupervisor, VersionIds } from "../live/protocol.ts";
import {
  brokerEvent,
  brokerMessages,
  endEvent,
  handoverMs,
  isOfAnother,
  type UpdateFacts,
  type UpdateSide,
} from "../live/update-messages.ts";
import type { PhysicalMemory } from "../memory/index.ts";
import { commandText } from "./command-text.ts";
import type { UpdateTimeouts } from "./control-protocol.ts";
import type { Program } from "./program.ts";
import type { SupervisorSystem } from "./system.ts";

/** For the old program to compare descriptions and to warm up, in slices between its requests. */
const PREPARE_MS = 15_000;
/** For both programs to save and to check a trial stream. */
const REHEARSE_MS = 60_000;
/** For the successor to warm up. */
const RECEIVE_MS = 15_000;
/** For the old program to say that it serves again, and for it to leave after a commit. */
const SETTLE_MS = 5_000;

export type UpdateOutcome =
  | { readonly outcome: "committed"; readonly figures: HandoverFigures | null }
  | { readonly outcome: "cancelled"; readonly error: ErrorRecord }
  | { readonly outcome: "crashed"; readonly error: ErrorRecord };

/** A program that was started as somebody's successor, and the other end of its pair. */
export interface BootingProgram {
  readonly program: Program;
  /** Null when the program could not be started. */
  readonly pairEnd: number | null;
}

export interface UpdateContext {
  readonly system: SupervisorSystem;
  readonly memory: PhysicalMemory;
  readonly generation: number;
  readonly timeouts: UpdateTimeouts;
  /** The successor also reads and checks the live state before anybody waits. */
  readonly rehearse: boolean;
  /** Connections that wait for their clients alone are closed in the end. */
  readonly dropStalled: boolean;
  readonly old: Program;
  /** Whether a rollback may be impossible or lose state afterwards. */
  readonly force: boolean;
  readonly progress: (text: string) => void;
  readonly log: (text: string) => void;
}

/** One update, from the start of the successor to its outcome: carries out what `brokerStep` decides. */
export class Update {
  readonly #context: UpdateContext;
  readonly #facts: UpdateFacts;
  readonly #successor: Program;
  /** The old program's end of the pair, until it has been sent. */
  #pairEnd: number | null;
  /** What the old program has chosen to write. */
  #versionIds: VersionIds = {};
  #state: BrokerState = { phase: "booting" };
  #timer: NodeJS.Timeout | undefined;
  #phaseStartedAtMs: number;
  readonly #phases: Record<string, number> = {};
  #resolve!: (outcome: UpdateOutcome) => void;
  /** Resolves when the update has ended, one way or the other. */
  readonly outcome = new Promise<UpdateOutcome>((resolve) => {
    this.#resolve = resolve;
  });

  /** `successor` may have booted long ago. */
  constructor(context: UpdateContext, successor: BootingProgram) {
    this.#context = context;
    const { generation, rehearse, dropStalled, force, timeouts } = context;
    this.#facts = { generation, rehearse, dropStalled, force, ...timeouts };
    this.#pairEnd = successor.pairEnd;
    this.#successor = successor.program;
    this.#phaseStartedAtMs = context.system.nowMs();
    const { bootMs } = timeouts;
    this.#startTimer(bootMs, () => bootTimeout(bootMs, this.#successor.phase !== "running"));
    const { pid, command, lock } = this.#successor;
    const how = lock === undefined ? "booting" : "standing by:";
    context.progress(`${how}${pid === -1 ? "" : ` ${pid}`}: ${commandText(command.argv)}`);
    if (this.#successor.exited) this.#feed({ type: "successorFailed", error: this.#successor.end! });
    else if (lock !== undefined) this.#feed({ type: "ready" }); // it stands by
  }

  get successor(): Program {
    return this.#successor;
  }

  /** A message of one of its programs. */
  receive(from: UpdateSide, message: ToSupervisor): void {
    const { generation, log, progress } = this.#context;
    if (isOfAnother(message, generation)) {
      const { pid } = this.#program(from);
      return log(
        `${pid} says "${message.type}" of an update that has ended; it has no part in update ${generation}`,
      );
    }
    if (from === "old" && message.type === "prepared") this.#versionIds = message.versionIds;
    if (from === "old" && message.type === "rehearsed")
      progress(`rehearsing: the successor checks ${message.streamBytes} bytes`);
    if (from === "old" && message.type === "progress" && this.#state.phase === "preparing") {
      progress(message.text);
      this.#phaseTimer("preparing"); // it is not silent
    }
    const event = brokerEvent(from, message, this.#facts);
    if (event !== null) this.#feed(event);
  }

  exited(who: UpdateSide, error: ErrorRecord): void {
    this.#feed(endEvent(who, error));
  }

  #program(side: UpdateSide): Program {
    return side === "old" ? this.#context.old : this.#successor;
  }

  #feed(event: BrokerEvent): void {
    const [state, effects] = brokerStep(this.#state, event);
    if (state.phase !== this.#state.phase) this.#clock(this.#state.phase);
    this.#state = state;
    for (const effect of effects) this.#attempt(effect);
  }

  /** An effect that fails is a reason to lose patience: before the commit that is a cancel, afterwards it is nothing. */
  #attempt(effect: BrokerEffect): void {
    try {
      this.#carryOut(effect);
    } catch (error) {
      this.#context.log(`cannot ${effect.type}: ${(error as Error).message}`);
      this.#feed({ type: "timeout", error: toSupervisorRecord(error) });
    }
  }

  #clock(phase: BrokerState["phase"]): void {
    if (phase === "deciding") return; // the verdict word answers at once
    const nowMs = this.#context.system.nowMs();
    this.#phases[phase] = (this.#phases[phase] ?? 0) + nowMs - this.#phaseStartedAtMs;
    this.#phaseStartedAtMs = nowMs;
  }

  /** How long each phase took, ms, in order; only those that were reached. */
  get phases(): Readonly<Record<string, number>> {
    return this.#phases;
  }

  #carryOut(effect: BrokerEffect): void {
    const { old, memory, generation, progress } = this.#context;
    switch (effect.type) {
      case "timer":
        return this.#phaseTimer(effect.phase);
      case "prepare":
        progress("preparing: comparing descriptions");
        old.sendDescriptor(this.#pairEnd!);
        this.#closePairEnd();
        return this.#say(effect);
      case "rehearse":
        progress("rehearsing: the running program saves a trial");
        return this.#say(effect);
      case "receive":
        memory.verdicts.open(generation);
        this.#say(effect);
        if (this.#successor.protocol < 2) this.#feed({ type: "receiving" });
        return;
      case "freeze":
        progress("quiescing, then handing over");
        return this.#say(effect);
      case "verify":
      case "cancelOld":
        return this.#say(effect);
      case "decideCancelled":
        return this.#feed({ type: "verdict", verdict: memory.verdicts.decide(generation, "CANCELLED") });
      case "endSuccessor":
        return this.#successor.kill("SIGKILL");
      case "endOld":
        return old.kill("SIGKILL");
      case "committed":
        return this.#end({ outcome: "committed", figures: effect.figures });
      case "crashed":
        return this.#end({ outcome: "crashed", error: effect.error });
      case "cancelled":
        return this.#end({ outcome: "cancelled", error: effect.error });
    }
  }

  #say(effect: BrokerEffect): void {
    const said = { lock: this.#successor.lock, versionIds: this.#versionIds };
    const messages = brokerMessages(effect, this.#facts, said);
    for (const [to, message] of messages) this.#program(to).send(message);
  }

  #phaseTimer(phase: Extract<BrokerEffect, { type: "timer" }>["phase"]): void {
    clearTimeout(this.#timer);
    if (phase === "none") return;
    const { timeouts } = this.#context;
    const limits = {
      preparing: PREPARE_MS,
      rehearsing: REHEARSE_MS,
      receiving: RECEIVE_MS,
      handover: handoverMs(timeouts),
      thawing: SETTLE_MS,
      finishing: SETTLE_MS,
    };
    const timeoutMs = limits[phase];
    this.#startTimer(timeoutMs, () => updateTimeout(phase, timeoutMs));
  }

  #startTimer(timeoutMs: number, error: () => KstateError): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#feed({ type: "timeout", error: toErrorRecord(error()) }), timeoutMs);
  }

  #closePairEnd(): void {
    if (this.#pairEnd !== null) this.#context.system.close(this.#pairEnd);
    this.#pairEnd = null;
  }

  #end(outcome: UpdateOutcome): void {
    clearTimeout(this.#timer);
    this.#resolve(outcome); // whatever is left open
    this.#closePairEnd();
  }
}

function bootTimeout(timeoutMs: number, joined: boolean): KstateError {
  const what = joined ? "did not call ready()" : "did not call joinLiveUpdate()";
  return new KstateError(
    "BOOT_TIMEOUT",
    `the successor ${what} within ${timeoutMs} ms and was ended; the running program goes on. ` +
      "Look at its output, or give it more time with --boot-timeout",
    { timeoutMs, joined },
  );
}

function updateTimeout(phase: string, timeoutMs: number): KstateError {
  return new KstateError(
    "UPDATE_TIMEOUT",
    `the update was cancelled: ${phase} took more than ${timeoutMs} ms; the running program goes on`,
    { phase, timeoutMs },
  );
}
