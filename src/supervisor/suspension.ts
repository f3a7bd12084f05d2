import type { Stored, Waiting } from "../carrier/index.ts";
import { type ErrorRecord, fromErrorRecord, KstateError } from "../error/index.ts";
import type { ResumeFigures, ToSupervisor } from "../live/protocol.ts";
import type { ResumeResult, SupervisorStatus, SuspendResult } from "./control-protocol.ts";
import type { Command, Program } from "./program.ts";
import { Suspend, type SuspendContext } from "./suspend.ts";

/** What a suspension needs of the supervisor. */
export interface SuspensionHost {
  readonly name: string;
  current(): Program;
  /** Starts a program on the memory as it is. */
  start(command: Command): Program;
  /** Stops listening: nobody would answer for a while. */
  closeListeners(): void;
  /** The service has ended, and its state is elsewhere. */
  end(): void;
  log(text: string): void;
}

/** A state that no program has: in the memory, and in a carrier that is told when a program has it. */
interface Held {
  readonly carrier: string;
  /** A program serves with the state: nobody shall have it a second time. */
  settle(): void;
  /** Whether the state is lost when the supervisor ends. */
  readonly isHeld: boolean;
}

/**
 * The part of a service's life in which no program has its state: suspends it, holds what would be lost, and resumes it.
 *
 * ```
 * running ── suspend ──→ ended, when the carrier keeps the state without us
 *                   └──→ holding ── resume ──→ resuming ── serving ──→ running
 * resuming (also the first start from a carrier) ── the program ends or refuses ──→ holding, or ended
 * ```
 */
export class Suspension {
  readonly #host: SuspensionHost;
  #suspend: Suspend | undefined;
  #held: Held | undefined;
  /** Somebody waits for a program to serve. */
  #resuming:
    | { readonly program: Program; resolve(result: ResumeResult): void; reject(error: unknown): void }
    | undefined;
  #refusal: ErrorRecord | undefined;

  constructor(host: SuspensionHost, waiting: Waiting | undefined) {
    this.#host = host;
    if (waiting === undefined) return;
    const { name, isHeld } = waiting;
    this.#held = { carrier: name, isHeld, settle: () => waiting.finish() };
  }

  /** Where the state is while no program runs; null while one does. */
  get place(): string | null {
    return this.#held !== undefined && this.#host.current().exited ? this.#held.carrier : null;
  }

  /** How much of the state a suspend has kept, bytes; null when none is under way. */
  get progress(): SupervisorStatus["suspending"] {
    return this.#suspend?.kept ?? null;
  }

  /** Resolves when no suspend is under way any more. */
  async settled(): Promise<void> {
    await this.#suspend?.outcome;
  }

  /** `NOT_ALLOWED_NOW` unless a program has the state, or is about to. */
  assertNone(call: string): void {
    if (this.#suspend !== undefined) throw notAllowed(call, "being suspended");
    if (this.#held !== undefined) throw notAllowed(call, "suspended; kstate resume brings it back");
  }

  /**
   * Suspends the service. Rejects with the reason when it goes on instead; a program that ended before its state was
   * kept is started again, from the memory.
   */
  async suspend(context: SuspendContext, startedAtMs: number): Promise<SuspendResult> {
    this.#suspend = new Suspend(context);
    const outcome = await this.#suspend.outcome;
    this.#suspend = undefined;
    const { name, log } = this.#host;
    if (outcome.outcome === "failed") {
      log(`${name}: not suspended: ${outcome.error.message}`);
      if (context.program.exited) this.#startAgain(context.program.command);
      throw fromErrorRecord(outcome.error);
    }
    const { stored, figures, keepMs } = outcome;
    log(`${name}: suspended`);
    this.#settleDown(stored);
    const totalMs = context.system.nowMs() - startedAtMs;
    return {
      ...figures,
      generation: context.generation,
      image: stored.record,
      isHeld: stored.isHeld,
      keepMs,
      totalMs,
    };
  }

  #settleDown(stored: Stored): void {
    if (!stored.isHeld) return this.#host.end();
    this.#host.closeListeners();
    this.#held = { carrier: stored.name, isHeld: true, settle: () => stored.discard() };
  }

  #startAgain(command: Command): void {
    this.#held = { carrier: "the memory", isHeld: true, settle: () => {} };
    this.#host.start(command);
  }

  /** Starts a program that takes up the state that is held. Resolves when it serves. */
  resume(command: Command | null): Promise<ResumeResult> {
    if (this.#suspend !== undefined) throw notAllowed("resume", "being suspended; wait for its end");
    if (this.place === null) {
      const { name } = this.#host;
      const message = `cannot resume ${name}: it is not suspended, a program serves`;
      throw new KstateError("NOTHING_SUSPENDED", message, { carrier: name });
    }
    const program = this.#host.start(command ?? this.#host.current().command);
    return new Promise((resolve, reject) => {
      this.#resuming = { program, resolve, reject };
    });
  }

  /** A message of the current program; whether it was for us. */
  receive(message: ToSupervisor): boolean {
    if (this.#suspend !== undefined) this.#suspend.fromProgram(message);
    else if (message.type === "serving" && this.#held !== undefined) this.#resumed(message.resumed ?? null);
    else if (message.type === "refused" && this.#held !== undefined) {
      this.#refusal = message.error;
      this.#host.current().kill("SIGKILL");
    } else return false;
    return message.type !== "serving";
  }

  #resumed(figures: ResumeFigures | null): void {
    const { carrier, settle } = this.#held!;
    const { name, log } = this.#host;
    this.#held = undefined;
    try {
      settle();
    } catch (error) {
      log(`${name}: resumed, but ${carrier} still has the state: ${(error as Error).message}`);
    }
    if (figures !== null) log(`${name}: resumed from ${carrier}, loaded in ${figures.loadMs.toFixed(1)} ms`);
    this.#resuming?.resolve({ pid: this.#host.current().pid, carrier, figures });
    this.#resuming = undefined;
  }

  /** The current program has ended; whether that is no reason to end the service. */
  exited(error: ErrorRecord): boolean {
    if (this.#suspend !== undefined) {
      this.#suspend.exited(error);
      return true;
    }
    if (this.#held === undefined) return false;
    const reason = this.#refusal ?? error;
    this.#refusal = undefined;
    const { carrier, isHeld } = this.#held;
    const { name, log } = this.#host;
    this.#resuming?.reject(fromErrorRecord(reason));
    this.#resuming = undefined;
    log(`${name}: not resumed, the state is still in ${carrier}: ${reason.message}`);
    if (!isHeld) return false;
    this.#host.closeListeners();
    log(
      `${name}: held here until "kstate resume --name ${name} [-- COMMAND]" or "kstate stop --name ${name}"`,
    );
    return true;
  }
}

function notAllowed(call: string, phase: string): KstateError {
  return new KstateError("NOT_ALLOWED_NOW", `cannot ${call}: the service is ${phase}`, { call, phase });
}
