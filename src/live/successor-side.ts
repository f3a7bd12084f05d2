import { type ErrorRecord, toErrorRecord } from "../error/index.ts";
import { HANDOVER } from "../memory/index.ts";
import { type SpareDescriptors, spareDescriptors, withinDescriptorLimit } from "./descriptor-limit.ts";
import type { Parts } from "./freeze.ts";
import { harmless } from "./harmless.ts";
import type { ProgramEffect } from "./machine.ts";
import { nurseryEmptier } from "./nursery.ts";
import { Pair } from "./pair.ts";
import { verifyTrial } from "./rehearsal.ts";
import type { SupervisorLink } from "./supervisor-link.ts";
import type { LiveSystem } from "./system.ts";
import { type Settle, type TakeOverResult, takeOver } from "./take-over.ts";
import { PreCopyReceiver } from "./tracked/pre-copy-receiver.ts";
import { warmLoad } from "./warm-state.ts";

/** How long the old program stays, idle: taking its heap down would keep the processor from the first clients, ms. */
const REST_MS = 20;

type SuccessorResult =
  | { readonly verdict: "COMMITTED"; readonly listening: Promise<void>; readonly begin: () => Settle }
  | Extract<TakeOverResult, { verdict: "CANCELLED" }>;

/** What a program does as somebody's successor, from `ready` until it serves or gives up. */
export class SuccessorSide {
  readonly #parts: Parts;
  readonly #link: SupervisorLink;
  readonly #system: LiveSystem;
  readonly #pair: Pair;
  readonly #emptyNursery = nurseryEmptier();
  #receiver: PreCopyReceiver | undefined;

  constructor(parts: Parts, link: SupervisorLink, system: LiveSystem, pair: number) {
    this.#parts = parts;
    this.#link = link;
    this.#system = system;
    this.#pair = new Pair(system, pair);
  }

  /** Takes what the old program sends ahead, from now on. */
  begin(): void {
    this.#receiver = new PreCopyReceiver(this.#parts.tracked, this.#link.memory, this.#pair);
  }

  /** Takes nothing more. */
  end(): void {
    this.#receiver?.end();
  }

  /** Throws what loading the trial stream would throw, and changes nothing. */
  verify(generation: number): void {
    verifyTrial(this.#link.memory, this.#parts.registry, generation);
  }

  /**
   * Warms up and listens, then blocks until the verdict is known. Nothing is accepted meanwhile, for that takes a turn of the
   * event loop; when the update is cancelled nobody listens any more.
   */
  takeOver(request: Extract<ProgramEffect, { type: "takeOver" }>): SuccessorResult {
    let spares: SpareDescriptors | undefined;
    try {
      this.end();
      const descriptors = withinDescriptorLimit("its listeners", () => this.#link.duplicateListeners());
      const listening = this.#parts.listeners.open(descriptors);
      listening.catch(() => {}); // a program that is refused does not look
      spares = spareDescriptors(this.#system, this.#link.channel);
      const result = this.#receive(request);
      if (result.verdict === "COMMITTED") {
        const { release } = spares;
        return { ...result, listening, begin: () => this.#lettingGo(result.begin(), release) };
      }
      return this.#refused(result.error, spares);
    } catch (error) {
      if (this.#link.memory.verdicts.decide(request.generation, "CANCELLED") === "COMMITTED") throw error;
      return this.#refused(toErrorRecord(error), spares);
    }
  }

  #refused(error: ErrorRecord, spares: SpareDescriptors | undefined): SuccessorResult {
    spares?.release();
    this.#parts.listeners.close();
    this.#pair.close();
    return { verdict: "CANCELLED", error };
  }

  #receive(request: Extract<ProgramEffect, { type: "takeOver" }>): TakeOverResult {
    const { registry } = this.#parts;
    const { memory } = this.#link;
    registry.prepare("load", request.versionIds);
    const sample = this.#pair.receiveSample();
    if (sample !== undefined) warmLoad(registry, sample);
    memory.stream(HANDOVER); // there is none yet, but this is where it will be looked for
    this.#emptyNursery();
    this.#link.send({ type: "receiving", generation: request.generation });
    return takeOver(this.#parts, memory, this.#pair, this.#system, request);
  }

  /** Lets the old program go some time after it was told. */
  #lettingGo(settle: Settle, releaseSpares: () => void): Settle {
    return () => {
      harmless("close spare descriptors", releaseSpares);
      const figures = settle();
      setTimeout(() => harmless("let the program before go", () => this.#pair.close()), REST_MS).unref();
      return figures;
    };
  }
}
