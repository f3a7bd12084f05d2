import { HANDOVER } from "../memory/index.ts";
import type { Parts } from "./freeze.ts";
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

  /** Warms up, then blocks until the verdict is known. */
  takeOver(request: Extract<ProgramEffect, { type: "takeOver" }>): TakeOverResult {
    this.end();
    const { registry } = this.#parts;
    const { memory } = this.#link;
    registry.prepare("load", request.versionIds);
    const sample = this.#pair.receiveSample();
    if (sample !== undefined) warmLoad(registry, sample);
    memory.stream(HANDOVER); // there is none yet, but this is where it will be looked for
    this.#emptyNursery();
    this.#link.send({ type: "receiving", generation: request.generation });
    const result = takeOver(this.#parts, memory, this.#pair, this.#system, request);
    if (result.verdict === "COMMITTED") return { ...result, begin: () => this.#lettingGo(result.begin()) };
    this.#pair.close();
    return result;
  }

  /** Lets the old program go some time after it was told. */
  #lettingGo(settle: Settle): Settle {
    return () => {
      const figures = settle();
      setTimeout(() => this.#pair.close(), REST_MS).unref();
      return figures;
    };
  }
}
