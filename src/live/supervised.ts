import { type ErrorRecord, fromErrorRecord, type KstateError, toErrorRecord } from "../error/index.ts";
import { CHECKPOINT, HANDOVER, type PhysicalMemory, REHEARSAL } from "../memory/index.ts";
import type { Checkpoints } from "./checkpoints.ts";
import { dropAsTold } from "./drop-collections.ts";
import type { Parts } from "./freeze.ts";
import {
  type ProgramEffect,
  type ProgramEvent,
  type ProgramState,
  programAfter,
  programStep,
} from "./machine.ts";
import { OldSide, type ProgramRecord, webSocketsOf } from "./old-side.ts";
import type { LiveEnvironment } from "./protocol.ts";
import { RunEnd } from "./run-end.ts";
import { saveFile } from "./save-file.ts";
import { ServingStart } from "./serving-start.ts";
import type { AfterCrash, FoundState, StateDirectory } from "./state-directory.ts";
import { SuccessorSide } from "./successor-side.ts";
import { SupervisorLink } from "./supervisor-link.ts";
import type { LiveSystem } from "./system.ts";
import { warmUp } from "./warm-up.ts";

/** Where a program's state is kept from run to run; without a directory it is not. */
export interface KeptStates {
  readonly directory: StateDirectory | undefined;
  readonly afterCrash: AfterCrash;
}

/** The program's side of its supervision: carries out what `programStep` decides. */
export class Supervised {
  readonly #parts: Parts;
  readonly #system: LiveSystem;
  readonly #link: SupervisorLink;
  readonly #start: ServingStart;
  readonly #old: OldSide;
  /** Undefined in a first program. */
  readonly #successor: SuccessorSide | undefined;
  readonly #end: RunEnd;
  #state: ProgramState = { phase: "booting" };
  #abandoned: ErrorRecord | undefined;
  /** Told why an update ended with this program serving on. */
  readonly blocked: ((error: KstateError) => void)[] = [];

  constructor(
    environment: LiveEnvironment,
    parts: Parts,
    checkpoints: Checkpoints,
    system: LiveSystem,
    kept: KeptStates,
  ) {
    const { role, pair } = environment;
    const { directory } = kept;
    let found: FoundState | undefined;
    this.#parts = parts;
    this.#system = system;
    const link = new SupervisorLink(
      environment,
      system,
      {
        message: (message) => this.#step(message),
        left: () => {
          if (role === "successor") this.#step({ type: "abandoned" });
        },
      },
      (backEnd, memory) => {
        if (role === "first" && memory.isNew) found = directory?.load(kept.afterCrash, () => backEnd);
        if (found !== undefined) dropAsTold(found.memory);
        return found?.memory ?? memory;
      },
    );
    this.#link = link;
    if (role === "first" && !this.#isSuspended) {
      link.memory.own();
      settleAfterCrash(link.memory);
    }
    this.#end = new RunEnd(
      parts,
      directory,
      checkpoints,
      () => link.memory,
      system,
      (error) => link.sendLastWords(error),
    );
    this.#start = new ServingStart(parts, link, checkpoints, { directory, found: found?.kind }, this.#end);
    this.#old = new OldSide(parts, link, system, checkpoints);
    this.#successor = pair === null ? undefined : new SuccessorSide(parts, link, system, pair);
  }

  get memory(): PhysicalMemory {
    return this.#link.memory;
  }

  /** Whether a program before this one left its state to whoever comes next. */
  get #isSuspended(): boolean {
    return this.memory.superblock().state === "CLEAN";
  }

  get phase(): ProgramState["phase"] {
    return this.#state.phase;
  }

  /** Gets a descriptor for every listener, then waits until this program has to serve, and serves. */
  async ready(): Promise<void> {
    this.#link.hold(true);
    this.#assertNotAbandoned();
    await this.#link.bind(this.#parts.listeners.addresses());
    if (this.#successor !== undefined) {
      this.memory.prepareViews();
      await warmUp(this.#system, "successor", webSocketsOf(this.#parts));
    }
    this.#assertNotAbandoned();
    await this.#start.await(() => this.#step({ type: "ready" }));
    this.#link.hold(false);
  }

  #assertNotAbandoned(): void {
    if (this.#abandoned !== undefined) throw fromErrorRecord(this.#abandoned);
  }

  #step(event: ProgramEvent): void {
    const [state, effects] = programStep(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: ProgramEffect): void {
    switch (effect.type) {
      case "announce":
        return this.#announce();
      case "introduce":
        return this.#introduce();
      case "giveUp":
        this.#successor?.end();
        this.#abandoned = effect.error;
        return this.#start.fail(fromErrorRecord(effect.error));
      case "serve":
        return this.#isSuspended ? this.#resume() : this.#start.boot();
      case "takeOver":
        return this.#takeOver(effect);
      case "prepare":
        return void this.#prepare(effect);
      case "save":
        return this.#link.send({ type: "saved", error: saveFile(this.#parts.registry, effect.path) });
      case "rehearse":
        return this.#attempt(effect, ({ generation }) => {
          const streamBytes = this.#old.rehearse(generation);
          this.#link.send({ type: "rehearsed", generation, streamBytes });
        });
      case "verify":
        return this.#attempt(effect, ({ generation }) => {
          this.#successor?.verify(generation);
          this.#link.send({ type: "verified", generation });
        });
      case "forget":
        return this.memory.dropStream(REHEARSAL);
      case "forgetSuccessor":
        return this.#old.forgetSuccessor();
      case "quiesce":
        return this.#quiesce(effect);
      case "freeze":
        return this.#freeze(effect.generation);
      case "unquiesce":
        return this.#old.unquiesce();
      case "refuse":
        return this.#refuse(effect.generation, effect.error);
    }
  }

  #attempt<T extends { readonly generation: number }>(effect: T, step: (effect: T) => void): void {
    try {
      step(effect);
    } catch (error) {
      this.#refuse(effect.generation, toErrorRecord(error));
    }
  }

  #announce(): void {
    this.#link.keepListeners(this.#listenerKeys());
    this.#successor?.begin();
    this.#sendReady();
  }

  #sendReady(): void {
    const lock: ProgramRecord = {
      ...this.#parts.registry.lockRecord(),
      collections: this.#parts.collections.records(),
    };
    this.#link.send({ type: "ready", lock, listeners: this.#listenerKeys() });
  }

  #listenerKeys(): string[] {
    return this.#parts.listeners.addresses().map(({ key }) => key);
  }

  /** Tells a new supervisor what the one before knew. */
  #introduce(): void {
    this.#link.introduce(() => {
      const { phase } = this.#state;
      if (phase !== "booting") this.#sendReady();
      if (phase === "serving" || phase === "quiescing") this.#link.send({ type: "serving", figures: null });
    });
  }

  #resume(): void {
    try {
      this.#start.resume(this.#system);
    } catch (error) {
      this.#state = { phase: "refused" };
      this.#refuse(this.memory.superblock().generation, toErrorRecord(error));
      this.#start.fail(error);
    }
  }

  #takeOver(request: Extract<ProgramEffect, { type: "takeOver" }>): void {
    const result = this.#successor!.takeOver(request);
    this.#state = programAfter("takeOver", result.verdict);
    if (result.verdict === "COMMITTED") return this.#start.takeOver(result.listening, result.begin);
    this.#refuse(request.generation, result.error);
    this.#start.fail(fromErrorRecord(result.error));
  }

  async #prepare({ generation, lock, force }: Extract<ProgramEffect, { type: "prepare" }>): Promise<void> {
    try {
      const versionIds = await this.#old.prepare(generation, lock as ProgramRecord, force ?? false);
      if (versionIds !== null) this.#link.send({ type: "prepared", generation, versionIds });
    } catch (error) {
      this.#refuse(generation, toErrorRecord(error));
    }
  }

  #quiesce(effect: Extract<ProgramEffect, { type: "quiesce" }>): void {
    try {
      this.#old.quiesce(effect, {
        quiet: () => this.#step({ type: "quiet" }),
        busy: (error) => this.#step({ type: "busy", error }),
      });
    } catch (error) {
      this.#step({ type: "busy", error: toErrorRecord(error) });
    }
  }

  #freeze(generation: number): void {
    const result = this.#old.freeze();
    this.#state = programAfter("freeze", result.verdict);
    if (result.verdict === "COMMITTED") {
      this.#end.forgo(this.#old.isSuspended);
      return this.#old.leave(generation, result.left);
    }
    this.#link.send({ type: "thawed", generation, error: result.error });
    this.#tellBlocked(result.error);
  }

  #refuse(generation: number, error: ErrorRecord): void {
    this.#link.send({ type: "refused", generation, error });
    this.#tellBlocked(error);
  }

  /** The program that goes on serving is told why; one that could not take over has nothing to do about it. */
  #tellBlocked(error: ErrorRecord): void {
    if (this.#state.phase !== "serving") return;
    for (const listener of this.blocked) {
      try {
        listener(fromErrorRecord(error));
      } catch (thrown) {
        process.emitWarning(`a function given to onBlocked() threw: ${String(thrown)}`, "KstateWarning");
      }
    }
  }
}

/**
 * What a program that crashed while it was frozen had left is no state to begin with. What its successor had committed
 * to is, though it crashed at once.
 */
function settleAfterCrash(memory: PhysicalMemory): void {
  const handover = memory.stream(HANDOVER);
  const isCommitted = handover !== undefined && memory.verdicts.read(handover.generation) === "COMMITTED";
  memory.settle(isCommitted && memory.superblock().state === "PENDING" ? CHECKPOINT : undefined);
}
