import type { Carrier, Waiting } from "../carrier/index.ts";
import { type ErrorRecord, KstateError, toSupervisorRecord } from "../error/index.ts";
import type { ToSupervisor } from "../live/protocol.ts";
import { adoptService } from "./adopt-service.ts";
import { commandText } from "./command-text.ts";
import type {
  ResumeResult,
  StopResult,
  SupervisorStatus,
  SuspendRequest,
  SuspendResult,
  UpdateResult,
  UpdateTimeouts,
} from "./control-protocol.ts";
import { type Beginning, HostedService, type SupervisorOptions } from "./hosted-service.ts";
import { LostProgram } from "./lost-program.ts";
import type { Command, Program } from "./program.ts";
import { sweepSockets } from "./runtime-directory.ts";
import { ServiceRecordFile } from "./service-record.ts";
import { statusOf } from "./service-status.ts";
import { Standby } from "./standby.ts";
import { NOTHING_LOST, stopResult } from "./stop-result.ts";
import { Suspension } from "./suspension.ts";
import type { SupervisorSystem } from "./system.ts";
import { UndoSteps } from "./undo-steps.ts";
import { commandAfter, type NextProgram, type UpdateExtras, UpdateSeries } from "./update-series.ts";

/** How long a program may take to end after SIGTERM, ms. */
const STOP_MS = 10_000;

/**
 * Runs one service: holds its memory and its listening sockets, starts its programs, and brokers one update at
 * a time. It never accepts a connection and never looks into the state.
 */
export class Supervisor {
  readonly #service: HostedService;
  readonly #updates: UpdateSeries;
  readonly #standby: Standby;
  readonly #lost: LostProgram;
  readonly #suspension: Suspension;
  #stopping: ((result: StopResult) => void)[] | undefined;
  /** Programs that did not end when they were told to. */
  readonly #killed = new Set<Program>();
  #isFinished = false;
  /** A signal has asked for an update, which begins after the one that is under way. */
  #reloadWaits = false;

  /**
   * Starts a service: with a suspended state, or with new memory of so many bytes, of which is allocated what is used.
   */
  static start(
    options: SupervisorOptions,
    system: SupervisorSystem,
    command: Command,
    from: Waiting | number,
  ): Supervisor {
    const isNew = typeof from === "number";
    return new Supervisor(options, system, {
      memory: isNew ? system.createMemory(from) : from.restore(),
      command,
      previous: null,
      generation: isNew ? 0 : from.record.generation,
      listeners: new Map(),
      contact: null,
      waiting: isNew ? undefined : from,
    });
  }

  /**
   * Takes over a service whose supervisor has ended; null when nothing is left of it. Blocks while a program is
   * frozen. `ADOPTION_FAILED` when a program is there and does not answer.
   */
  static adopt(options: SupervisorOptions, system: SupervisorSystem): Supervisor | null {
    const record = new ServiceRecordFile(options.runtimeDirectory, options.name).read();
    const adopted = record === null ? null : adoptService(system, record);
    if (record === null || adopted === null) return null;
    const { verdict, contact } = adopted;
    const { name, log } = options;
    if (verdict !== null) log(`${name}: update ${record.generation} had been ${verdict.toLowerCase()}`);
    if (contact === null) log(`${name}: its program has ended, and its memory was kept`);
    else log(`${name}: adopted ${contact.process.pid}: ${commandText(adopted.command.argv)}`);
    const { generation, cwd } = record;
    return new Supervisor({ ...options, cwd }, system, { ...adopted, generation });
  }

  private constructor(options: SupervisorOptions, system: SupervisorSystem, beginning: Beginning) {
    this.#service = new HostedService(options, system, beginning, {
      message: (program, message) => this.#receive(program, message),
      exited: (program, error) => this.#exited(program, error),
    });
    this.#standby = new Standby(this.#service);
    this.#lost = new LostProgram(this.#service, (exitCode) => this.#finish(exitCode));
    this.#updates = new UpdateSeries(this.#service, this.#standby, {
      assertUpdatable: () => this.#assertUpdatable(),
      lost: () => this.#currentEnded(),
    });
    this.#suspension = this.#makeSuspension(beginning.waiting);
    this.#begin(beginning);
    const { runtimeDirectory, name, log } = options;
    sweepSockets(runtimeDirectory, name, this.#service.current.controlPath).catch((error: Error) => {
      log(`${name}: what programs before have left is not swept: ${error.message}`);
    });
  }

  #makeSuspension(waiting: Waiting | undefined): Suspension {
    const service = this.#service;
    const { name, log } = service.options;
    const host = {
      name,
      log,
      current: () => service.current,
      start: (command: Command) => service.startFirst(command),
      closeListeners: () => service.listening.close(),
      end: () => this.#finish(0),
    };
    return new Suspension(host, waiting);
  }

  #begin({ command, contact, verdict, generation }: Beginning): void {
    if (verdict !== undefined) this.#lost.served(); // it would not have been there to adopt
    if (verdict != null) this.#service.tell({ kind: "resolved", generation, verdict });
    if (contact !== null) return this.#service.adopt(command, contact);
    this.#service.announceFirst(command, verdict === undefined ? "started" : "restarted");
  }

  #receive(program: Program, message: ToSupervisor): void {
    const { current: update } = this.#updates;
    if (message.type === "hello" && program.pid !== program.spawnedPid)
      this.#service.write(update?.successor ?? null);
    if (message.type === "listen") void this.#listen(program, message);
    else if (program === update?.successor) update.receive("successor", message);
    else if (program === this.#standby.program) this.#standby.receive(message);
    else if (program === this.#service.current && this.#suspension.receive(message)) return;
    else if (message.type === "ready") program.send({ type: "boot" });
    else if (message.type === "serving") this.#serves();
    else update?.receive("old", message);
  }

  #serves(): void {
    this.#lost.served();
    this.#service.log(`${this.#service.current.pid} serves`);
    this.#service.notifyReady();
  }

  async #listen(
    program: Program,
    { key, address }: Extract<ToSupervisor, { type: "listen" }>,
  ): Promise<void> {
    try {
      program.sendDescriptor(await this.#service.listening.open(key, address));
      program.send({ type: "listening", key, error: null });
    } catch (error) {
      program.send({ type: "listening", key, error: toSupervisorRecord(error) });
    }
  }

  #exited(program: Program, error: ErrorRecord): void {
    const { current: update } = this.#updates;
    if (program === update?.successor) update.exited("successor", error);
    else if (program === this.#standby.program) this.#standby.exited(error.message);
    else if (program === this.#service.current) {
      if (update !== undefined) update.exited("old", error);
      else if (this.#stopping !== undefined || !this.#suspension.exited(error)) this.#currentEnded();
    }
  }

  #currentEnded(): void {
    if (this.#stopping === undefined) return this.#lost.decide();
    const { current } = this.#service;
    const result = stopResult(current, this.#killed.has(current));
    const { error } = result;
    if (error !== null) this.#service.log(`its state was not kept: ${error.message} [${error.code}]`);
    this.#finish(error === null ? 0 : 1, result);
  }

  #finish(exitCode: number, result = NOTHING_LOST): void {
    this.#isFinished = true;
    const last = new UndoSteps(); // the end is told whatever fails
    last.add(exitCode, this.#service.options.ended);
    for (const stopped of this.#stopping ?? []) last.add(result, stopped);
    last.add(this.#service, (service) => service.close());
    last.add(this.#standby, (standby) => standby.end());
    last.undo();
  }

  /**
   * Replaces the program by its next version. Resolves when the next version serves and the old one has left; rejects
   * with the reason when the old one goes on, `UPDATE_IN_PROGRESS`, `NOT_JOINED`, or when the service was lost.
   */
  update(
    next: NextProgram,
    timeouts: UpdateTimeouts,
    progress: (text: string) => void,
    extras: UpdateExtras = {},
  ): Promise<UpdateResult> {
    return this.#updates.update(next, { ...extras, timeouts, progress });
  }

  /**
   * An update to the same command, as a signal asks for it: one that comes while another update is under way begins when
   * that has ended; several become one. Nobody waits for it: what becomes of it is logged. A service manager that sent the
   * signal hears RELOADING at once, and READY when it is over, also when nothing could be updated.
   */
  async reload(signal: NodeJS.Signals, timeouts: UpdateTimeouts): Promise<void> {
    const { reloads } = this.#service;
    try {
      if (this.#reloadWaits) return reloads.announce();
      await reloads.during(async () => {
        this.#reloadWaits = true;
        await this.#updates.ended().finally(() => {
          this.#reloadWaits = false;
        });
        await this.update({ command: null, environment: {} }, timeouts, () => {});
      }, true);
    } catch (error) {
      const { code, message } = toSupervisorRecord(error);
      this.#service.log(`${signal}: ${message} [${code}]`);
    }
  }

  /** An update to the previous version's command; `NO_PREVIOUS_VERSION` when there is none. */
  rollback(
    timeouts: UpdateTimeouts,
    progress: (text: string) => void,
    extras: UpdateExtras = {},
  ): Promise<UpdateResult> {
    return this.#updates.rollback({ ...extras, timeouts, progress });
  }

  /** Ends the version that stands by for a rollback; null when there is none. */
  commit(): { readonly pid: number } | null {
    const pid = this.#standby.program?.pid;
    this.#standby.end();
    return pid === undefined ? null : { pid };
  }

  /**
   * Freezes the program, lets `keep` have the memory, and ends the program; the service ends too, unless what was kept
   * is lost with the supervisor. Rejects when the program goes on instead.
   */
  async suspend(
    {
      lock,
      timeouts,
      detachedMs,
      dropStalled = false,
    }: Pick<SuspendRequest, "lock" | "timeouts" | "detachedMs" | "dropStalled">,
    keep: Carrier["store"],
    progress: (text: string) => void,
  ): Promise<SuspendResult> {
    const service = this.#service;
    const { system, memory, current: program } = service;
    const startedAtMs = system.nowMs();
    this.#assertUpdatable();
    service.generation += 1;
    const { generation } = service;
    const facts = { service: service.options.name, generation };
    const context = {
      system,
      memory,
      generation,
      timeouts,
      detachedMs,
      dropStalled,
      program,
      lock,
      progress,
    };
    return this.#suspension.suspend(
      { ...context, keep: (options) => keep(memory, facts, options) },
      startedAtMs,
    );
  }

  /** Starts a program with the state that is held here: the command before, unless another is given. */
  async resume(
    next: Pick<NextProgram, "command" | "environment" | "environmentFiles">,
  ): Promise<ResumeResult> {
    return this.#suspension.resume(commandAfter(this.#service.current.command, next));
  }

  #assertUpdatable(): void {
    this.#suspension.assertNone("update or suspend");
    if (this.#updates.current !== undefined) {
      throw new KstateError(
        "UPDATE_IN_PROGRESS",
        "an update is under way; wait for its end, then try again",
        {},
      );
    }
    if (this.#stopping !== undefined) {
      throw new KstateError("UPDATE_CANCELLED", "the service is being stopped", { reason: "stop" });
    }
    const { phase, pid } = this.#service.current;
    if (phase === "serving") return;
    const missing = phase === "joined" ? "ready()" : "joinLiveUpdate()";
    const why =
      phase === "ended"
        ? "it has ended and is being started again"
        : `it has not called ${missing} of kstate/live yet`;
    throw new KstateError("NOT_JOINED", `program ${pid} cannot be updated: ${why}`, { pid });
  }

  /** The lock record of the program that serves, as it gave it; null until it has. */
  get lock(): unknown {
    return this.#service.current.lock ?? null;
  }

  /** Has the program save its state into a new file and serve on. Errors: those of an update, and of a save. */
  save(path: string): Promise<void> {
    this.#assertUpdatable();
    return this.#service.current.save(path);
  }

  get memoryDescriptor(): number {
    return this.#service.memory.descriptor;
  }

  status(): SupervisorStatus {
    return statusOf(this.#service, this.#updates, this.#standby, this.#suspension);
  }

  /** The processes that the supervisor waits for itself. */
  get pids(): ReadonlySet<number> {
    return this.#service.pids;
  }

  /** Passes a signal on to the program that serves. */
  signal(signal: NodeJS.Signals): void {
    this.#service.current.kill(signal);
  }

  /**
   * Ends the service: SIGTERM, and SIGKILL for what is still there after a while. Resolves when it has ended, with what
   * became of its state. A state that is being kept is kept first.
   */
  async stop(): Promise<StopResult> {
    await this.#suspension.settled();
    if (this.#isFinished) return NOTHING_LOST;
    const { options, leaving, current } = this.#service;
    const ended = new Promise<StopResult>((resolve) => {
      if (this.#stopping === undefined) this.#stopping = [resolve];
      else this.#stopping.push(resolve);
    });
    options.notify?.("STOPPING=1");
    this.#standby.end();
    this.#lost.cancel();
    const { current: update } = this.#updates;
    const programs = [update?.successor, current, ...leaving].filter((program) => program !== undefined);
    for (const program of programs) program.kill("SIGTERM");
    if (current.exited && update === undefined) this.#finish(0); // it was suspended, or about to be started again
    setTimeout(() => {
      for (const program of programs) {
        if (!program.exited) this.#killed.add(program);
        program.kill("SIGKILL");
      }
    }, STOP_MS).unref();
    return ended;
  }
}
