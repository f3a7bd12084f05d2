import type { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { type LockRecord, negotiate, type VersionIds } from "../description/index.ts";
import { type ErrorRecord, toErrorRecord } from "../error/index.ts";
import type { CollectionRecord, Folio } from "../memory/index.ts";
import { checkSuccessor } from "./check-successor.ts";
import type { Checkpoints } from "./checkpoints.ts";
import { farewell } from "./farewell.ts";
import { type FreezeResult, freeze, letGo, type Parts } from "./freeze.ts";
import { linger, staying } from "./linger.ts";
import type { ProgramEffect } from "./machine.ts";
import { Pair } from "./pair.ts";
import { Quiesce } from "./quiesce.ts";
import { saveTrial } from "./rehearsal.ts";
import { allocRoom } from "./save-into.ts";
import { httpPendingState } from "./sockets/records.ts";
import { WebSockets } from "./sockets/web-sockets.ts";
import type { SupervisorLink } from "./supervisor-link.ts";
import { type SuspendRequest, suspend } from "./suspend.ts";
import type { LiveSystem } from "./system.ts";
import { type PreCopied, preCopy } from "./tracked/pre-copy.ts";
import { sampleOf, warmSave } from "./warm-state.ts";
import { warmUp } from "./warm-up.ts";

/** How long this program waits for its successor to let it go, after the commit. */
const REST_NS = 1_000_000_000n;

/** How many connections of each kind are in a sample. */
const SAMPLED_CONNECTIONS = 64;

/** What a successor says of its state. */
export type ProgramRecord = LockRecord & { readonly collections?: readonly CollectionRecord[] };

type Quiescing = Extract<ProgramEffect, { type: "quiesce" }>;

/** Free blocks that are given back in one turn of the loop, a system call each. */
const SWEEP_STEPS = 64;

/** What a program does to be replaced or suspended; each step is undone if the program serves on. */
export class OldSide {
  readonly #parts: Parts;
  readonly #link: SupervisorLink;
  readonly #system: LiveSystem;
  readonly #checkpoints: Checkpoints;
  #preparation: AbortController | undefined;
  #pair: Pair | undefined;
  #versionIds: VersionIds = {};
  /** For the stream of the next freeze. */
  #room: Folio | undefined;
  #isWarm = false;
  /** Whether the successor takes bytes that are on their way to or from HTTP clients. */
  #carriesBytes = false;
  /** Whether a successor that was refused after the freeze may have allocated pages. */
  #mayLeavePages = false;
  #preCopied: PreCopied | undefined;
  /** When the first request of this update was held back. */
  #quiescedAtNs = 0n;
  /** How long detached responses may take after a suspend; null after another freeze. */
  #detachedMs: number | null = null;
  #quiescing: { readonly quiesce: Quiesce; readonly effect: Quiescing } | undefined;

  constructor(parts: Parts, link: SupervisorLink, system: LiveSystem, checkpoints: Checkpoints) {
    this.#parts = parts;
    this.#link = link;
    this.#system = system;
    this.#checkpoints = checkpoints;
  }

  /**
   * Gets everything ready that needs no freeze, while the program serves. Null when it was forgotten meanwhile; throws
   * when the successor cannot have the state.
   */
  async prepare(generation: number, lock: ProgramRecord, force: boolean): Promise<VersionIds | null> {
    this.forgetSuccessor(); // of an update that ended before it froze anybody
    const preparation = new AbortController();
    this.#preparation = preparation;
    try {
      const pair = new Pair(this.#system, this.#link.fetchDescriptor());
      this.#pair = pair;
      const { registry, resources } = this.#parts;
      const serveOn = async (): Promise<void> => {
        await setImmediate();
        preparation.signal.throwIfAborted();
      };
      resources.assertUpdatable();
      await serveOn();
      checkSuccessor(registry.lockRecord(), lock, force);
      registry.assertCarriedFits(lock);
      await serveOn();
      this.#versionIds = this.#versionsFor(lock);
      this.#mayLeavePages = (lock.collections ?? []).length > 0;
      this.#carriesBytes = lock.descriptions.some(({ name }) => name === httpPendingState.name);
      registry.prepare("save", this.#versionIds);
      await serveOn();
      await this.#parts.collections.prepareFor(lock.collections ?? [], this.#link.memory);
      await this.#warmUpOnce();
      preparation.signal.throwIfAborted();
      await this.#preCopy(generation, lock, pair, preparation.signal);
      const length = await this.#warmSave(pair);
      preparation.signal.throwIfAborted();
      this.#room = allocRoom(this.#link.memory, length);
      return this.#versionIds;
    } catch (error) {
      if (preparation.signal.aborted) return null; // nobody waits for it any more
      this.forgetSuccessor();
      throw error;
    }
  }

  #versionsFor(lock: LockRecord | null): VersionIds {
    return lock === null ? {} : negotiate(this.#parts.registry.lockRecord(), lock).versionIds;
  }

  /** A program that thawed and is asked again has run all of it. */
  async #warmUpOnce(): Promise<void> {
    if (this.#isWarm) return;
    await warmUp(this.#system, "old", webSocketsOf(this.#parts));
    this.#isWarm = true;
  }

  /** Sends tracked maps that the successor has too. */
  async #preCopy(base: number, lock: ProgramRecord, pair: Pair, signal: AbortSignal): Promise<void> {
    const names = new Set(lock.descriptions.map(({ name }) => name));
    const maps = this.#parts.tracked.filter(({ description }) => names.has(description.name));
    if (maps.length > 0) {
      const progress = (text: string): void => this.#link.send({ type: "progress", generation: base, text });
      const context = {
        memory: this.#link.memory,
        pair,
        base,
        versionIds: this.#versionIds,
        signal,
        progress,
      };
      this.#preCopied = await preCopy(maps, context);
    }
    pair.sendSlice(null);
  }

  /** Saves a part of what the freeze will, and lets the successor load a part. */
  async #warmSave(pair: Pair): Promise<number | undefined> {
    const { registry, moving } = this.#parts;
    const versionIds = this.#versionIds;
    const attempt = <T>(trial: () => T): T => {
      this.#preCopied?.present(); // so that it is what the freeze will be
      try {
        for (const connections of moving) connections.sample(SAMPLED_CONNECTIONS);
        return trial();
      } finally {
        for (const connections of moving) connections.forget();
        this.#preCopied?.presentAll(); // a checkpoint may come next
      }
    };
    const sample = attempt(() => sampleOf(registry, versionIds));
    if (sample !== undefined) pair.sendSample(sample);
    await setImmediate();
    return await warmSave(registry, versionIds, attempt);
  }

  /** Saves a trial stream of the live state; its bytes. */
  rehearse(generation: number): number {
    return saveTrial(this.#link.memory, this.#parts.registry, this.#versionIds, generation);
  }

  /** Brings connections to rest; throws when the program must not be suspended as it is. */
  quiesce(effect: Quiescing, outcome: { quiet(): void; busy(error: ErrorRecord): void }): void {
    if (effect.suspendFor !== undefined) {
      this.#parts.resources.assertUpdatable();
      this.#versionIds = this.#versionsFor(effect.suspendFor as LockRecord | null);
    }
    this.#checkpoints.held = true;
    const { listeners, moving, quiesceHooks: hooks } = this.#parts;
    const { servers, datagrams } = listeners;
    const { quiesceMs, dropStalled = false, suspendFor } = effect;
    const carriesBytes = suspendFor === undefined && this.#carriesBytes;
    const limits = { quiesceMs, dropStalled, carriesBytes };
    const quiesce = new Quiesce({ servers, datagrams, moving, hooks }, limits, {
      holding: () => {
        this.#quiescedAtNs = this.#system.nowNs();
        if (effect.suspendFor === undefined) this.#pair?.sendFreezing(); // mostly it is: waking up takes as long
      },
      quiet: outcome.quiet,
      busy: (error) => outcome.busy(toErrorRecord(error)),
    });
    this.#quiescing = { quiesce, effect };
  }

  unquiesce(): void {
    this.#checkpoints.held = false;
    this.#quiescing?.quiesce.cancel();
    this.#quiescing = undefined;
    this.forgetSuccessor();
  }

  /** Blocks until the verdict is known. */
  freeze(): FreezeResult {
    const { effect, quiesce } = this.#quiescing!;
    this.#quiescing = undefined;
    const common = { ...effect, versionIds: this.#versionIds, quiescedAtNs: this.#quiescedAtNs };
    const result =
      effect.suspendFor === undefined
        ? this.#handOver(common, quiesce.dropped)
        : this.#suspend(common, quiesce.dropped);
    this.#detachedMs = effect.suspendFor === undefined ? null : (effect.detachedMs ?? 0);
    if (result.verdict === "CANCELLED") {
      this.#checkpoints.held = false;
      this.forgetSuccessor();
      if (this.#mayLeavePages) void this.#sweep();
    }
    return result;
  }

  /** Gives back what the successor had made room in, a little at a time, while clients are served again. */
  async #sweep(): Promise<void> {
    const { memory } = this.#link;
    try {
      await setImmediate();
      let steps = 0;
      for (const _ of memory.isOwned ? memory.sweep() : []) {
        steps += 1;
        if (steps % SWEEP_STEPS === 0) await setImmediate();
        if (!memory.isOwned) return; // the next update was committed meanwhile
      }
    } catch (error) {
      const text = `pages of a refused update stay allocated: ${(error as Error).message}`;
      process.emitWarning(text, "KstateWarning");
    }
  }

  #handOver(common: SuspendRequest, dropped: number): FreezeResult {
    const request = { ...common, dropped, room: this.#room!, preCopied: this.#preCopied };
    this.#room = undefined;
    return freeze(this.#parts, this.#link.memory, this.#pair!, this.#system, request);
  }

  #suspend(request: SuspendRequest, droppedConnections: number): FreezeResult {
    const error = suspend(this.#parts, this.#link.memory, this.#system, request, {
      channel: this.#link.channel,
      report: (figures) =>
        this.#link.send({
          type: "suspended",
          generation: request.generation,
          figures: { ...figures, droppedConnections },
        }),
    });
    if (error !== null) return { verdict: "CANCELLED", error };
    letGo(this.#parts, this.#link.memory, this.#system);
    return { verdict: "COMMITTED", left: [] };
  }

  /** Whether the last freeze that was committed was that of a suspend: the state is kept somewhere else. */
  get isSuspended(): boolean {
    return this.#detachedMs !== null;
  }

  /**
   * Ends this program after a commit: at once, or when the last connection that stays here has closed. One that was
   * suspended ends the others as well, and has not for ever.
   */
  leave(generation: number, left: readonly Socket[]): void {
    const connections = staying(this.#parts.listeners).length;
    const exit = (): void => this.#system.exit(0);
    if (connections > 0) this.#link.send({ type: "left", generation, connections });
    if (this.#detachedMs !== null) return void farewell(this.#parts, this.#detachedMs).then(exit);
    if (connections === 0) {
      try {
        this.#pair?.awaitEnd(this.#system.nowNs() + REST_NS);
      } finally {
        exit();
      }
      return;
    }
    this.#closePair();
    linger(this.#parts.listeners, left, this.#parts.detached.limitMs, exit);
  }

  /** Gives back what was prepared for a successor. */
  forgetSuccessor(): void {
    this.#preparation?.abort();
    this.#preCopied?.end();
    this.#preCopied = undefined;
    this.#closePair();
    if (this.#room !== undefined) this.#link.memory.free(this.#room);
    this.#room = undefined;
  }

  #closePair(): void {
    this.#pair?.close();
    this.#pair = undefined;
  }
}

export function webSocketsOf({ moving }: Parts): WebSockets<object, unknown>[] {
  return moving.filter((connections) => connections instanceof WebSockets);
}
