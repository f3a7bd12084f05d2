import type { Socket } from "node:net";
import { type LockRecord, negotiate, type VersionIds } from "../description/index.ts";
import { type ErrorRecord, fromErrorRecord, KstateError, toErrorRecord } from "../error/index.ts";
import {
  type CollectionRecord,
  type Folio,
  openDescriptor,
  PhysicalMemory,
  REHEARSAL,
  setCloseOnExec,
} from "../memory/index.ts";
import { checkSuccessor } from "./check-successor.ts";
import { type Checkpoints, loadCheckpoint } from "./checkpoints.ts";
import { ControlLink } from "./control-link.ts";
import { freeze, type Parts } from "./freeze.ts";
import { linger, staying } from "./linger.ts";
import {
  type ProgramEffect,
  type ProgramEvent,
  type ProgramState,
  programAfter,
  programStep,
} from "./machine.ts";
import { Pair } from "./pair.ts";
import {
  formatMessage,
  type HandoverFigures,
  type ListenAddress,
  type LiveEnvironment,
  PROTOCOL,
  type ResumeFigures,
  type ToProgram,
} from "./protocol.ts";
import { Quiesce } from "./quiesce.ts";
import { saveTrial, verifyTrial } from "./rehearsal.ts";
import { saveFile } from "./save-file.ts";
import { allocRoom } from "./save-into.ts";
import { WebSockets } from "./sockets/web-sockets.ts";
import type { StartContext } from "./starters.ts";
import { resume, type SuspendRequest, suspend } from "./suspend.ts";
import type { LiveSystem } from "./system.ts";
import { takeOver } from "./take-over.ts";
import { type PreCopied, preCopy } from "./tracked/pre-copy.ts";
import { PreCopyReceiver } from "./tracked/pre-copy-receiver.ts";
import { warmSave, warmUp } from "./warm-up.ts";

/** A listener that the supervisor was asked for. */
interface ListenRequest {
  readonly address: ListenAddress;
  answer(error: ErrorRecord | null): void;
}

/** What a successor says of its state. */
type ProgramRecord = LockRecord & { readonly collections?: readonly CollectionRecord[] };

type Quiescing = Extract<ProgramEffect, { type: "quiesce" }>;

/** The program's side of its supervision: carries out what `programStep` decides. */
export class Supervised {
  readonly #parts: Parts;
  readonly #system: LiveSystem;
  readonly #environment: LiveEnvironment;
  readonly #checkpoints: Checkpoints;
  readonly #memory: PhysicalMemory;
  readonly #control: ControlLink;
  readonly #descriptors: Map<string, number>;
  readonly #listening = new Map<string, ListenRequest>();
  #channel: number;
  #state: ProgramState = { phase: "booting" };
  #abandoned: ErrorRecord | undefined;
  /** Told why an update ended with this program serving on. */
  readonly blocked: ((error: KstateError) => void)[] = [];
  #pair: Pair | undefined;
  /** For the stream of the next freeze. */
  #room: Folio | undefined;
  #isWarm = false;
  #preparation: AbortController | undefined;
  #preCopied: PreCopied | undefined;
  /** Of a successor that waits. */
  #receiver: PreCopyReceiver | undefined;
  #versionIds: VersionIds = {};
  /** When the first request of this update was held back. */
  #quiescedAtNs = 0n;
  #quiescing: { readonly quiesce: Quiesce; readonly effect: Quiescing } | undefined;
  #serving: { resolve(): void; reject(error: unknown): void } | undefined;

  constructor(environment: LiveEnvironment, parts: Parts, checkpoints: Checkpoints, system: LiveSystem) {
    this.#environment = environment;
    this.#checkpoints = checkpoints;
    this.#parts = parts;
    this.#system = system;
    const { memory, channel, pair, control, listeners, role } = environment;
    this.#channel = channel;
    for (const descriptor of [
      memory,
      channel,
      control,
      pair ?? memory,
      ...listeners.map((entry) => entry.descriptor),
    ]) {
      setCloseOnExec(descriptor);
    }
    this.#memory = PhysicalMemory.attach(openDescriptor(memory));
    if (role === "first" && !this.#isSuspended) {
      this.#memory.own();
      this.#memory.settle(); // what a program that crashed while it was frozen had left is no state to begin with
    }
    this.#descriptors = new Map(listeners.map(({ key, descriptor }) => [key, descriptor]));
    if (pair !== null) this.#pair = new Pair(system, pair);
    this.#control = new ControlLink(control, system, {
      message: (message) => this.#receive(message),
      left: () => {
        if (role === "successor") this.#step({ type: "abandoned" });
      },
    });
    this.#control.send({ type: "hello", protocol: PROTOCOL, pid: process.pid });
    process.on("uncaughtExceptionMonitor", (error) => {
      if (process.listenerCount("uncaughtException") > 0) return; // the program lives on
      this.#system.send(this.#channel, lastWords(error), []);
    });
  }

  get memory(): PhysicalMemory {
    return this.#memory;
  }

  /** Whether a program before this one left its state to whoever comes next. */
  get #isSuspended(): boolean {
    return this.#memory.superblock().state === "CLEAN";
  }

  get phase(): ProgramState["phase"] {
    return this.#state.phase;
  }

  /** Gets a descriptor for every listener, then waits until this program has to serve, and serves. */
  async ready(): Promise<void> {
    this.#control.hold(true);
    this.#assertNotAbandoned();
    await this.#bindListeners();
    if (this.#environment.role === "successor")
      await warmUp(this.#system, "successor", webSocketsOf(this.#parts));
    this.#assertNotAbandoned();
    await new Promise<void>((resolve, reject) => {
      this.#serving = { resolve, reject };
      this.#step({ type: "ready" });
    });
    this.#control.hold(false);
  }

  #assertNotAbandoned(): void {
    if (this.#abandoned !== undefined) throw fromErrorRecord(this.#abandoned);
  }

  async #bindListeners(): Promise<void> {
    const wanted = this.#parts.listeners.addresses().filter(({ key }) => !this.#descriptors.has(key));
    for (const { key, address } of wanted) {
      const answer = new Promise<ErrorRecord | null>((resolve) =>
        this.#listening.set(key, { address, answer: resolve }),
      );
      this.#control.send({ type: "listen", key, address });
      const error = await answer;
      if (error !== null) throw fromErrorRecord(error);
      this.#descriptors.set(key, this.#fetchDescriptor());
    }
  }

  /** The descriptor that the supervisor put on the channel before it announced it. */
  #fetchDescriptor(): number {
    const message = this.#system.receive(this.#channel);
    const descriptor = typeof message === "string" ? undefined : message.descriptors[0];
    if (descriptor !== undefined) return descriptor;
    throw new KstateError("PROTOCOL_ERROR", "the supervisor announced a descriptor and sent none", {
      problem: "no descriptor",
    });
  }

  #receive(message: ToProgram): void {
    if (message.type !== "listening") return this.#step(message);
    this.#listening.get(message.key)?.answer(message.error);
    this.#listening.delete(message.key);
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
        this.#receiver?.end();
        this.#abandoned = effect.error;
        return this.#serving?.reject(fromErrorRecord(effect.error));
      case "serve":
        return this.#isSuspended ? this.#resume() : this.#serve();
      case "takeOver":
        return this.#takeOver(effect);
      case "prepare":
        return void this.#prepare(effect.generation, effect.lock as ProgramRecord, effect.force ?? false);
      case "save":
        return this.#control.send({ type: "saved", error: saveFile(this.#parts.registry, effect.path) });
      case "rehearse":
        return this.#attempt(() => {
          const streamBytes = saveTrial(
            this.#memory,
            this.#parts.registry,
            this.#versionIds,
            effect.generation,
          );
          this.#control.send({ type: "rehearsed", streamBytes });
        });
      case "verify":
        return this.#attempt(() => {
          verifyTrial(this.#memory, this.#parts.registry, effect.generation);
          this.#control.send({ type: "verified" });
        });
      case "forget":
        return this.#memory.dropStream(REHEARSAL);
      case "forgetSuccessor":
        return this.#forgetSuccessor();
      case "quiesce":
        return this.#quiesce(effect);
      case "freeze":
        return this.#freeze();
      case "unquiesce":
        this.#checkpoints.held = false;
        this.#quiescing?.quiesce.cancel();
        this.#quiescing = undefined;
        return this.#forgetSuccessor();
      case "refuse":
        return this.#refuse(effect.error);
    }
  }

  #refuse(error: ErrorRecord): void {
    this.#control.send({ type: "refused", error });
    this.#tellBlocked(error);
  }

  #thawed(error: ErrorRecord): void {
    this.#control.send({ type: "thawed", error });
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

  #attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#refuse(toErrorRecord(error));
    }
  }

  /** Gives back the folios of a program that crashed: nothing that is left refers to them. */
  #forgetLost(): null {
    this.#memory.dropStream(REHEARSAL);
    if (this.#memory.preserved().streams.length === 0)
      this.#memory.freeUnclaimed(({ owner }) => owner !== "");
    return null;
  }

  /** Each server listens on a duplicate: closing a server closes its descriptor for good. */
  #open(): Promise<void> {
    const duplicates = [...this.#descriptors].map(
      ([key, descriptor]) => [key, this.#system.duplicate(descriptor)] as const,
    );
    return this.#parts.listeners.open(new Map(duplicates));
  }

  #takeOver(request: Extract<ProgramEffect, { type: "takeOver" }>): void {
    this.#receiver?.end();
    this.#parts.registry.prepare("load", request.versionIds);
    const result = takeOver(this.#parts, this.#memory, this.#pair!, this.#system, request);
    this.#closePair();
    this.#state = programAfter("takeOver", result.verdict);
    if (result.verdict === "CANCELLED") {
      this.#refuse(result.error);
      this.#serving?.reject(fromErrorRecord(result.error));
    } else {
      this.#beginServing("restore", () => ({ figures: result.begin() }));
    }
  }

  #resume(): void {
    try {
      const begin = resume(this.#parts, this.#memory, this.#system);
      this.#beginServing("restore", () => ({ figures: null, resumed: begin() }));
    } catch (error) {
      this.#state = { phase: "refused" };
      this.#refuse(toErrorRecord(error));
      this.#serving?.reject(error);
    }
  }

  #announce(): void {
    const listeners = this.#parts.listeners.addresses().map(({ key }) => key);
    for (const [key, descriptor] of this.#descriptors) {
      if (listeners.includes(key)) continue;
      this.#system.close(descriptor); // the previous version's, which this one does not serve
      this.#descriptors.delete(key);
    }
    if (this.#pair !== undefined)
      this.#receiver = new PreCopyReceiver(this.#parts.tracked, this.#memory, this.#pair);
    this.#sendReady();
  }

  #sendReady(): void {
    const listeners = this.#parts.listeners.addresses().map(({ key }) => key);
    this.#control.send({ type: "ready", lock: this.#record(), listeners });
  }

  #record(): ProgramRecord {
    return { ...this.#parts.registry.lockRecord(), collections: this.#parts.collections.records() };
  }

  /** Gives a new supervisor all that the one before had. */
  #introduce(): void {
    const [channel, theirs] = this.#system.socketPair();
    const listeners = [...this.#descriptors];
    this.#control.sendWith(
      {
        type: "adopted",
        protocol: PROTOCOL,
        pid: process.pid,
        listeners: listeners.map(([key]) => key),
      },
      [theirs, this.#memory.descriptor, ...listeners.map(([, descriptor]) => descriptor)],
      () => {
        this.#system.close(theirs);
        this.#system.close(this.#channel);
        this.#channel = channel;
        for (const [key, { address }] of this.#listening)
          this.#control.send({ type: "listen", key, address });
        const { phase } = this.#state;
        if (phase !== "booting") this.#sendReady();
        if (phase === "serving" || phase === "quiescing")
          this.#control.send({ type: "serving", figures: null });
      },
    );
  }

  /** As the first program, which may come after one that has crashed. */
  #serve(): void {
    try {
      const from = loadCheckpoint(this.#parts, this.#memory) ? "recover" : "boot";
      this.#beginServing(from, () => ({ figures: this.#forgetLost() }));
    } catch (error) {
      this.#serving?.reject(error);
    }
  }

  /** Node's HTTP server keeps its list of connections from the moment it listens: connections come after that. */
  #beginServing(
    from: StartContext["from"],
    begin: () => { readonly figures: HandoverFigures | null; readonly resumed?: ResumeFigures },
  ): void {
    const serve = (): void => {
      const figures = begin();
      this.#parts.starters.start({ from });
      this.#control.send({ type: "serving", ...figures });
      this.#serving?.resolve();
      setImmediate(() => this.#checkpoints.begin()); // after the clients that waited
    };
    this.#open().then(serve).catch(this.#serving?.reject);
  }

  async #prepare(generation: number, lock: ProgramRecord, force: boolean): Promise<void> {
    this.#forgetSuccessor(); // of an update that ended before it froze anybody
    const preparation = new AbortController();
    this.#preparation = preparation;
    try {
      const pair = new Pair(this.#system, this.#fetchDescriptor());
      this.#pair = pair;
      this.#parts.resources.assertUpdatable();
      checkSuccessor(this.#parts.registry.lockRecord(), lock, force);
      this.#versionIds = negotiate(this.#parts.registry.lockRecord(), lock).versionIds;
      this.#parts.registry.prepare("save", this.#versionIds);
      await this.#parts.collections.prepareFor(lock.collections ?? [], this.#memory);
      await this.#warmUpOnce();
      preparation.signal.throwIfAborted();
      await this.#preCopy(generation, lock, pair, preparation.signal);
      const length = warmSave(this.#parts.registry, this.#versionIds);
      this.#preCopied?.presentAll();
      this.#room = allocRoom(this.#memory, length);
      this.#control.send({ type: "prepared", versionIds: this.#versionIds });
    } catch (error) {
      if (preparation.signal.aborted) return; // nobody waits for it any more
      this.#forgetSuccessor();
      this.#refuse(toErrorRecord(error));
    }
  }

  /** Sends tracked maps that the successor has too. */
  async #preCopy(base: number, lock: ProgramRecord, pair: Pair, signal: AbortSignal): Promise<void> {
    const names = new Set(lock.descriptions.map(({ name }) => name));
    const maps = this.#parts.tracked.filter(({ description }) => names.has(description.name));
    if (maps.length > 0) {
      const progress = (text: string): void => this.#control.send({ type: "progress", text });
      const versionIds = this.#versionIds;
      this.#preCopied = await preCopy(maps, {
        memory: this.#memory,
        pair,
        base,
        versionIds,
        signal,
        progress,
      });
      this.#preCopied.present(); // so that the trial that follows is what the freeze will be
    }
    pair.sendSlice(null);
  }

  #quiesce(effect: Extract<ProgramEffect, { type: "quiesce" }>): void {
    if (effect.suspendFor !== undefined) {
      try {
        this.#parts.resources.assertUpdatable();
        this.#versionIds = this.#versionsFor(effect.suspendFor as LockRecord | null);
      } catch (error) {
        return this.#step({ type: "busy", error: toErrorRecord(error) });
      }
    }
    this.#checkpoints.held = true;
    const { listeners, moving, quiesceHooks: hooks } = this.#parts;
    const { servers, datagrams } = listeners;
    const quiesce = new Quiesce({ servers, datagrams, moving, hooks }, effect.quiesceMs, {
      holding: () => {
        this.#quiescedAtNs = this.#system.nowNs();
      },
      quiet: () => this.#step({ type: "quiet" }),
      busy: (error) => this.#step({ type: "busy", error: toErrorRecord(error) }),
    });
    this.#quiescing = { quiesce, effect };
  }

  #versionsFor(lock: LockRecord | null): VersionIds {
    return lock === null ? {} : negotiate(this.#parts.registry.lockRecord(), lock).versionIds;
  }

  #suspend(request: SuspendRequest): void {
    const error = suspend(this.#parts, this.#memory, this.#system, request, {
      channel: this.#channel,
      report: (figures) => this.#control.send({ type: "suspended", figures }),
    });
    this.#state = programAfter("freeze", error === null ? "COMMITTED" : "CANCELLED");
    this.#checkpoints.held = false;
    if (error === null) this.#system.exit(0);
    else this.#thawed(error);
  }

  #freeze(): void {
    const { effect } = this.#quiescing!;
    this.#quiescing = undefined;
    const common = { ...effect, versionIds: this.#versionIds, quiescedAtNs: this.#quiescedAtNs };
    if (effect.suspendFor !== undefined) return this.#suspend(common);
    const request = { ...common, room: this.#room!, preCopied: this.#preCopied };
    this.#room = undefined;
    const result = freeze(this.#parts, this.#memory, this.#pair!, this.#system, request);
    this.#state = programAfter("freeze", result.verdict);
    if (result.verdict === "COMMITTED") return this.#leave(result.left);
    this.#checkpoints.held = false;
    this.#forgetSuccessor();
    this.#thawed(result.error);
  }

  /** Ends this program: at once, or when the last connection that stays here has closed. */
  #leave(left: readonly Socket[]): void {
    const connections = staying(this.#parts.listeners).length;
    const exit = (): void => this.#system.exit(0);
    if (connections === 0) return exit();
    this.#closePair();
    this.#control.send({ type: "left", connections });
    linger(this.#parts.listeners, left, exit);
  }

  /** A program that thawed and is asked again has run all of it. */
  async #warmUpOnce(): Promise<void> {
    if (this.#isWarm) return;
    await warmUp(this.#system, "old", webSocketsOf(this.#parts));
    this.#isWarm = true;
  }

  #forgetSuccessor(): void {
    this.#preparation?.abort();
    this.#preCopied?.end();
    this.#preCopied = undefined;
    this.#closePair();
    if (this.#room !== undefined) this.#memory.free(this.#room);
    this.#room = undefined;
  }

  #closePair(): void {
    this.#pair?.close();
    this.#pair = undefined;
  }
}

function webSocketsOf({ moving }: Parts): WebSockets<object, unknown>[] {
  return moving.filter((connections) => connections instanceof WebSockets);
}

/** What the supervisor reads from the channel when this program has ended. */
function lastWords(error: unknown): Uint8Array {
  const { code, message, detail } = toErrorRecord(error);
  const short = {
    code,
    message: message.slice(0, 2000),
    detail: JSON.stringify(detail).length < 8000 ? detail : {},
  };
  return Buffer.from(formatMessage({ type: "failed", error: short }));
}
