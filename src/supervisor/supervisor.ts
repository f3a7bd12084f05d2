import type { Carrier, Stored, Waiting } from "../carrier/index.ts";
import { type ErrorRecord, fromErrorRecord, KstateError, toErrorRecord } from "../error/index.ts";
import type { LiveEnvironment, ToSupervisor } from "../live/protocol.ts";
import type { PhysicalMemory } from "../memory/index.ts";
import { adoptService } from "./adopt-service.ts";
import type {
  LastUpdate,
  ResumeResult,
  SupervisorStatus,
  SuspendResult,
  UpdateResult,
  UpdateTimeouts,
} from "./control-protocol.ts";
import {
  type HistoryEntry,
  HistoryFile,
  type ProgramFacts,
  type Requester,
  type UpdateEntry,
} from "./history.ts";
import { ListeningSockets } from "./listening-sockets.ts";
import { type Command, type Contact, Program } from "./program.ts";
import { type RestartOptions, Restarts } from "./restarts.ts";
import { sweepSockets } from "./runtime-directory.ts";
import { type ProgramRecord, ServiceRecordFile } from "./service-record.ts";
import type { ActivatedSocket } from "./socket-activation.ts";
import { Standby } from "./standby.ts";
import { newControlPath, startProgram } from "./start-program.ts";
import { Suspension } from "./suspension.ts";
import type { SupervisorSystem } from "./system.ts";
import { type BootingProgram, bootSuccessor, Update, type UpdateOutcome } from "./update.ts";

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** How long a program may take to end after SIGTERM, ms. */
const STOP_MS = 10_000;

export interface SupervisorOptions {
  readonly name: string;
  /** Where programs run: the path as it was given, resolved anew for each version. */
  readonly cwd: string;
  readonly runtimeDirectory: string;
  /** Told in words what happens. */
  readonly log: (text: string) => void;
  readonly restarts: RestartOptions;
  /** Listening sockets that were bound for the service before it was started. */
  readonly activated?: readonly ActivatedSocket[];
  /** Told what systemd wants to know (`sd_notify`). */
  readonly notify?: (state: string) => void;
  /** Called once, when the service has ended. */
  readonly ended: (exitCode: number) => void;
}

/** What a supervisor begins with: nothing but a command, or a service that another one has left. */
interface Beginning {
  readonly memory: PhysicalMemory;
  readonly command: Command;
  readonly previous: Command | null;
  readonly generation: number;
  readonly listeners: ReadonlyMap<string, number>;
  /** Null: the program has to be started. */
  readonly contact: Contact | null;
  /** The suspended state that is in the memory. */
  readonly waiting?: Waiting | undefined;
  /** What became of the update that was under way; undefined unless the service is adopted. */
  readonly verdict?: "COMMITTED" | "CANCELLED" | null;
}

/** What is not said in most updates. */
export interface UpdateExtras {
  /** The successor also reads and checks the live state before anybody waits. */
  readonly rehearse?: boolean;
  /** Keeps the previous version booted for a rollback, this long, ms. */
  readonly standbyMs?: number | null;
  readonly by?: Requester | null;
}

/**
 * Runs one service: holds its memory and its listening sockets, starts its programs, and brokers one update at
 * a time. It never accepts a connection and never looks into the state.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #system: SupervisorSystem;
  readonly #memory: PhysicalMemory;
  readonly #listening: ListeningSockets;
  readonly #record: ServiceRecordFile;
  #current: Program;
  #previous: Command | null;
  #update: Update | undefined;
  #lastUpdate: LastUpdate | undefined;
  #standby: Standby | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  readonly #restarts: Restarts;
  readonly #history: HistoryFile;
  #generation: number;
  #stopping: (() => void)[] | undefined;
  readonly #suspension: Suspension;
  /** Programs that have handed over and finish what stays with them. */
  readonly #leaving = new Set<Program>();
  /** All that have not ended. */
  readonly #programs = new Set<Program>();

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
    else log(`${name}: adopted ${contact.process.pid}: ${adopted.command.argv.join(" ")}`);
    const { generation, cwd } = record;
    return new Supervisor({ ...options, cwd }, system, { ...adopted, generation });
  }

  private constructor(options: SupervisorOptions, system: SupervisorSystem, beginning: Beginning) {
    this.#options = options;
    this.#system = system;
    this.#memory = beginning.memory;
    this.#previous = beginning.previous;
    this.#generation = beginning.generation;
    this.#record = new ServiceRecordFile(options.runtimeDirectory, options.name);
    this.#listening = new ListeningSockets(system, options.activated);
    this.#history = new HistoryFile(options.runtimeDirectory, options.name);
    for (const [key, descriptor] of beginning.listeners) this.#listening.adopt(key, descriptor);
    this.#suspension = this.#makeSuspension(beginning.waiting);
    const { command, contact, verdict, generation } = beginning;
    this.#restarts = new Restarts(options.restarts);
    if (verdict !== undefined) this.#restarts.served(); // it would not have been there to adopt
    if (verdict != null) this.#tell({ kind: "resolved", generation, verdict });
    if (contact === null) {
      this.#current = this.#startFirst(command, verdict === undefined ? "started" : "restarted");
    } else {
      this.#current = this.#program(command, contact);
      this.#writeRecord(recordOf(this.#current, this.#system), null);
      this.#tell({ kind: "adopted", program: factsOf(this.#current) });
    }
    sweepSockets(options.runtimeDirectory, options.name, this.#current.controlPath);
  }

  #startFirst(command: Command, kind: "started" | "restarted"): Program {
    const program = this.#startProgram(command, "first", null);
    this.#options.log(`${this.#options.name}: ${kind} ${program.pid}: ${command.argv.join(" ")}`);
    this.#tell({ kind, program: factsOf(program) });
    return program;
  }

  /** Writes an entry into the history. */
  #tell(entry: DistributiveOmit<HistoryEntry, "at">): void {
    try {
      this.#history.add({ at: new Date().toISOString(), ...entry } as HistoryEntry);
    } catch (error) {
      this.#options.log(`${this.#options.name}: cannot write its history: ${(error as Error).message}`);
    }
  }

  #makeSuspension(waiting: Waiting | undefined): Suspension {
    const { name, log } = this.#options;
    const host = {
      name,
      log,
      current: () => this.#current,
      start: (command: Command) => {
        this.#current = this.#startProgram(command, "first", null);
        return this.#current;
      },
      closeListeners: () => this.#listening.close(),
      end: () => this.#finish(0),
    };
    return new Suspension(host, waiting);
  }

  #startProgram(command: Command, part: "first" | "successor" | "standby", pair: number | null): Program {
    const { name, cwd, runtimeDirectory } = this.#options;
    const controlPath = newControlPath(runtimeDirectory, name);
    const write = (program: ProgramRecord): void => {
      if (part === "first") this.#writeRecord(program, null);
      if (part === "successor") this.#writeRecord(recordOf(this.#current, this.#system), program);
    };
    write({ controlPath, command, startedAt: new Date().toISOString(), process: null });
    const { descriptor: memory } = this.#memory;
    const listeners = this.#listening.entries();
    const role: LiveEnvironment["role"] = part === "first" ? part : "successor";
    const options = { command, cwd, name, role, controlPath, memory, pair, listeners };
    const program = this.#program(command, startProgram(this.#system, options));
    write(recordOf(program, this.#system));
    return program;
  }

  #program(command: Command, contact: Contact): Program {
    const program: Program = new Program(this.#system, command, contact, {
      message: (message) => this.#receive(program, message),
      exited: (error) => this.#exited(program, error),
    });
    this.#programs.add(program);
    return program;
  }

  #writeRecord(program: ProgramRecord, successor: ProgramRecord | null): void {
    const { name, cwd, log } = this.#options;
    const generation = this.#generation;
    const supervisor = { pid: process.pid, startTicks: this.#system.startTicks(process.pid) ?? 0 };
    const update = successor === null ? null : { generation, successor };
    try {
      this.#record.write({ name, supervisor, cwd, generation, program, previous: this.#previous, update });
    } catch (error) {
      log(`${name}: nobody could adopt this service: ${(error as Error).message}`);
    }
  }

  #receive(program: Program, message: ToSupervisor): void {
    if (message.type === "listen") void this.#listen(program, message);
    else if (program === this.#update?.successor) this.#update.fromSuccessor(message);
    else if (program === this.#standby?.program) this.#fromStandby(message);
    else if (program === this.#current && this.#suspension.receive(message)) return;
    else if (message.type === "ready") program.send({ type: "boot" });
    else if (message.type === "serving") this.#serves();
    else this.#update?.fromOld(message);
  }

  #serves(): void {
    this.#restarts.served();
    this.#options.log(`${this.#options.name}: ${this.#current.pid} serves`);
    this.#notifyReady();
  }

  #notifyReady(): void {
    const { pid, command } = this.#current;
    const status = `STATUS=${pid} serves: ${command.argv.join(" ").replaceAll("\n", " ")}`;
    this.#options.notify?.(`READY=1\nMAINPID=${process.pid}\n${status}`);
  }

  #fromStandby(message: ToSupervisor): void {
    const { name, log } = this.#options;
    const { pid } = this.#standby!.program;
    if (message.type === "ready") log(`${name}: ${pid} stands by for a rollback`);
  }

  async #listen(
    program: Program,
    { key, address }: Extract<ToSupervisor, { type: "listen" }>,
  ): Promise<void> {
    try {
      program.sendDescriptor(await this.#listening.open(key, address));
      program.send({ type: "listening", key, error: null });
    } catch (error) {
      program.send({ type: "listening", key, error: toErrorRecord(error) });
    }
  }

  #exited(program: Program, error: ErrorRecord): void {
    const update = this.#update;
    this.#leaving.delete(program);
    this.#programs.delete(program);
    if (program === update?.successor) update.successorExited(error);
    else if (program === this.#standby?.program) {
      this.#options.log(`${this.#options.name}: the standby is gone: ${error.message}`);
      this.#endStandby();
    } else if (program === this.#current) {
      if (update !== undefined) update.oldExited(error);
      else if (this.#stopping !== undefined || !this.#suspension.exited(error)) this.#lost();
    }
  }

  /** The program that should serve has ended: starts it again, or ends the service. */
  #lost(): void {
    const { exitCode, servingSinceMs } = this.#current;
    const error = this.#current.end!;
    if (this.#stopping !== undefined) return this.#end(error);
    const servedMs = servingSinceMs === null ? null : this.#system.nowMs() - servingSinceMs;
    const decision = this.#restarts.decide({ exitCode, servedMs });
    this.#tell({
      kind: decision.kind === "over" ? "ended" : "crashed",
      program: factsOf(this.#current),
      error,
    });
    switch (decision.kind) {
      case "over":
        return this.#end(error);
      case "given up":
        return this.#end(givenUp(this.#options.name, decision.attempts, error));
      case "restart":
        return this.#restartIn(decision.delayMs, decision.attempt, error);
    }
  }

  #restartIn(delayMs: number, attempt: number, error: ErrorRecord): void {
    const { name, log } = this.#options;
    const when = delayMs === 0 ? "now" : `in ${delayMs / 1000} s`;
    log(`${name}: ${error.message}; starting it again ${when} (restart ${attempt})`);
    this.#restartTimer = setTimeout(() => {
      this.#restartTimer = undefined;
      this.#current = this.#startFirst(this.#current.command, "restarted");
    }, delayMs);
  }

  #endStandby(): void {
    const standby = this.#standby;
    this.#standby = undefined;
    standby?.end();
  }

  /** The service has ended: by itself, or because it was asked to. */
  #end(error: ErrorRecord): void {
    const { exitCode, signal } = exitOf(error);
    if (this.#stopping === undefined) this.#options.log(`${this.#options.name}: ${error.message}`);
    const asked = this.#stopping !== undefined;
    this.#finish(asked ? 0 : signal === null ? (exitCode ?? 1) : 1);
  }

  #finish(exitCode: number): void {
    this.#endStandby();
    this.#listening.close();
    this.#record.remove();
    for (const stopped of this.#stopping ?? []) stopped();
    this.#options.ended(exitCode);
  }

  /**
   * Replaces the program by its next version: `command`, or when it is null the same command again, with more
   * `environment`. Resolves when the next version serves and the old one has left; rejects with the reason when
   * the old one goes on, `UPDATE_IN_PROGRESS`, `NOT_JOINED`, or when the service was lost.
   */
  async update(
    next: {
      readonly command: readonly string[] | null;
      readonly environment: Command["environment"];
      readonly force?: boolean;
    },
    timeouts: UpdateTimeouts,
    progress: (text: string) => void,
    extras: UpdateExtras = {},
  ): Promise<UpdateResult> {
    const { argv, environment } = this.#current.command;
    const command =
      next.command === null
        ? { argv, environment: { ...environment, ...next.environment } }
        : { argv: next.command, environment: next.environment };
    return this.#replace("update", command, next.force ?? false, timeouts, progress, extras);
  }

  async #replace(
    kind: UpdateEntry["kind"],
    next: Command,
    force: boolean,
    timeouts: UpdateTimeouts,
    progress: (text: string) => void,
    extras: UpdateExtras,
  ): Promise<UpdateResult> {
    const old = this.#current;
    this.#assertUpdatable(old);
    const startedAtMs = this.#system.nowMs();
    this.#generation += 1;
    const generation = this.#generation;
    this.#options.notify?.(`RELOADING=1\nMONOTONIC_USEC=${this.#system.monotonicUs()}`);
    const { rehearse = false, standbyMs = null, by = null } = extras;
    const context = {
      system: this.#system,
      memory: this.#memory,
      generation,
      timeouts,
      rehearse,
      old,
      force,
      progress,
    };
    const update = new Update(context, this.#successor(kind, next));
    this.#update = update;
    const from = factsOf(old);
    const outcome = await update.outcome;
    this.#update = undefined;
    const totalMs = this.#system.nowMs() - startedAtMs;
    const error = outcome.outcome === "committed" ? null : outcome.error;
    const figures = outcome.outcome === "committed" ? outcome.figures : null;
    const { phases, successor } = update;
    this.#lastUpdate = { generation, at: new Date().toISOString(), outcome: outcome.outcome, figures, error };
    const facts = { generation, by, from, to: factsOf(successor), phases, totalMs, figures, error };
    this.#tell({ kind, outcome: outcome.outcome, ...facts });
    this.#settle(update, outcome, generation);
    if (this.#current.phase === "serving") this.#notifyReady();
    if (outcome.outcome !== "committed") throw fromErrorRecord(outcome.error);
    if (standbyMs !== null) this.#standBy(old.command, standbyMs);
    return { generation, pid: this.#current.pid, command: next.argv, figures, totalMs };
  }

  /** The next program: the one that stands by, if it is what a rollback goes back to. */
  #successor(kind: UpdateEntry["kind"], next: Command): BootingProgram {
    const standby = this.#standby;
    if (kind === "rollback" && standby !== undefined) {
      this.#standby = undefined;
      const booting = standby.take();
      this.#writeRecord(recordOf(this.#current, this.#system), recordOf(booting.program, this.#system));
      return booting;
    }
    this.#endStandby();
    return bootSuccessor(this.#system, (pair) => this.#startProgram(next, "successor", pair));
  }

  #standBy(command: Command, standbyMs: number): void {
    const { name, log } = this.#options;
    const booting = bootSuccessor(this.#system, (pair) => this.#startProgram(command, "standby", pair));
    this.#standby = new Standby(this.#system, booting, standbyMs, () => {
      log(`${name}: nobody went back: ${booting.program.pid} stands by no longer`);
      this.#endStandby();
    });
  }

  /** Ends the version that stands by for a rollback; null when there is none. */
  commit(): { readonly pid: number } | null {
    const pid = this.#standby?.program.pid;
    this.#endStandby();
    return pid === undefined ? null : { pid };
  }

  /**
   * Freezes the program, lets `keep` have the memory, and ends the program; the service ends too, unless what was kept
   * is lost with the supervisor. Rejects when the program goes on instead.
   */
  async suspend(
    { lock, timeouts }: { readonly lock: unknown; readonly timeouts: UpdateTimeouts },
    keep: (memory: PhysicalMemory, facts: Parameters<Carrier["store"]>[1]) => Promise<Stored>,
    progress: (text: string) => void,
  ): Promise<SuspendResult> {
    const startedAtMs = this.#system.nowMs();
    const program = this.#current;
    this.#assertUpdatable(program);
    this.#generation += 1;
    const generation = this.#generation;
    const facts = { service: this.#options.name, generation };
    const system = this.#system;
    const memory = this.#memory;
    const context = { system, memory, generation, timeouts, program, lock, progress };
    return this.#suspension.suspend({ ...context, keep: () => keep(memory, facts) }, startedAtMs);
  }

  /** Starts a program with the state that is held here: the command before, unless another is given. */
  async resume(
    command: readonly string[] | null,
    environment: Command["environment"],
  ): Promise<ResumeResult> {
    const before = this.#current.command;
    const argv = command ?? before.argv;
    const inherited = command === null ? before.environment : {};
    return this.#suspension.resume({ argv, environment: { ...inherited, ...environment } });
  }

  #assertUpdatable(old: Program): void {
    this.#suspension.assertNone("update or suspend");
    if (this.#update !== undefined) {
      throw new KstateError(
        "UPDATE_IN_PROGRESS",
        "an update is under way; wait for its end, then try again",
        {},
      );
    }
    if (this.#stopping !== undefined) {
      throw new KstateError("UPDATE_CANCELLED", "the service is being stopped", { reason: "stop" });
    }
    if (old.phase === "serving") return;
    const missing = old.phase === "joined" ? "ready()" : "joinLiveUpdate()";
    const why =
      old.phase === "ended"
        ? "it has ended and is being started again"
        : `it has not called ${missing} of kstate/live yet`;
    throw new KstateError("NOT_JOINED", `program ${old.pid} cannot be updated: ${why}`, { pid: old.pid });
  }

  #settle(update: Update, outcome: UpdateOutcome, generation: number): void {
    const { name, log } = this.#options;
    const old = this.#current;
    if (outcome.outcome === "cancelled") {
      log(`${name}: update ${generation} cancelled, ${old.pid} goes on: ${outcome.error.message}`);
      this.#writeRecord(recordOf(old, this.#system), null);
      if (old.exited) this.#lost();
      return;
    }
    this.#current = update.successor;
    if (!old.exited) this.#leaving.add(old);
    this.#listening.keep(this.#current.listeners);
    this.#previous = old.command;
    this.#writeRecord(recordOf(this.#current, this.#system), null);
    if (outcome.outcome === "committed")
      log(`${name}: update ${generation} committed, ${this.#current.pid} serves`);
    else
      log(
        `${name}: update ${generation} committed, but ${this.#current.pid} crashed: ${outcome.error.message}`,
      );
    if (this.#current.exited) this.#lost();
  }

  /** An update to the previous version's command; `NO_PREVIOUS_VERSION` when there is none. */
  async rollback(
    timeouts: UpdateTimeouts,
    progress: (text: string) => void,
    extras: UpdateExtras = {},
  ): Promise<UpdateResult> {
    if (this.#previous === null) {
      throw new KstateError("NO_PREVIOUS_VERSION", "cannot roll back: no update has been made yet", {});
    }
    // Whoever goes back is not asked whether he could go forward again.
    return this.#replace("rollback", this.#previous, true, timeouts, progress, extras);
  }

  /** The lock record of the program that serves, as it gave it; null until it has. */
  get lock(): unknown {
    return this.#current.lock ?? null;
  }

  /** Has the program save its state into a new file and serve on. Errors: those of an update, and of a save. */
  save(path: string): Promise<void> {
    this.#assertUpdatable(this.#current);
    return this.#current.save(path);
  }

  get memoryDescriptor(): number {
    return this.#memory.descriptor;
  }

  status(): SupervisorStatus {
    const { pid, command, startedAt, phase, lock } = this.#current;
    return {
      name: this.#options.name,
      supervisorPid: process.pid,
      generation: this.#generation,
      program: {
        pid,
        command: command.argv,
        startedAt: startedAt.toISOString(),
        phase,
        descriptions: descriptionsOf(lock),
      },
      memory: {
        capacityBytes: this.#memory.superblock().capacity,
        usedBytes: this.#system.allocatedBytes(this.#memory.descriptor),
      },
      listeners: this.#listening.texts(),
      previousCommand: this.#previous?.argv ?? null,
      standby:
        this.#standby === undefined
          ? null
          : {
              pid: this.#standby.program.pid,
              command: this.#standby.program.command.argv,
              waiting: this.#standby.program.lock !== undefined,
              until: this.#standby.until.toISOString(),
            },
      updating: this.#update !== undefined,
      suspendedIn: this.#suspension.place,
      lastUpdate: this.#lastUpdate ?? null,
    };
  }

  /** The processes that the supervisor waits for itself. */
  get pids(): ReadonlySet<number> {
    return new Set([...this.#programs].map(({ pid }) => pid));
  }

  /** Passes a signal on to the program that serves. */
  signal(signal: NodeJS.Signals): void {
    this.#current.kill(signal);
  }

  /** Ends the service: SIGTERM, and SIGKILL for what is still there after a while. Resolves when it has ended. */
  stop(): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      if (this.#stopping === undefined) this.#stopping = [resolve];
      else this.#stopping.push(resolve);
    });
    this.#options.notify?.("STOPPING=1");
    this.#endStandby();
    if (this.#restartTimer !== undefined) {
      clearTimeout(this.#restartTimer);
      this.#restartTimer = undefined;
      setImmediate(() => this.#end(this.#current.end!));
    }
    const programs = [this.#update?.successor, this.#current, ...this.#leaving].filter(
      (program) => program !== undefined,
    );
    for (const program of programs) program.kill("SIGTERM");
    if (this.#current.exited && this.#update === undefined) this.#finish(0); // it was suspended
    setTimeout(() => {
      for (const program of programs) program.kill("SIGKILL");
    }, STOP_MS).unref();
    return ended;
  }
}

function exitOf({ code, detail }: ErrorRecord): { exitCode: number | null; signal: string | null } {
  if (code !== "PROGRAM_EXITED") return { exitCode: 1, signal: null };
  return detail as { exitCode: number | null; signal: string | null };
}

function givenUp(name: string, attempts: number, error: ErrorRecord): ErrorRecord {
  return toErrorRecord(
    new KstateError(
      "RESTARTS_EXHAUSTED",
      `${name} is given up after ${attempts} restarts in a row: ${error.message}`,
      { name, attempts, last: error.code },
    ),
  );
}

/** A program, as the history tells of it. */
function factsOf({ pid, command, lock }: Program): ProgramFacts {
  return { pid, command: command.argv, descriptions: descriptionsOf(lock) };
}

/** What `status` shows of a lock record, which is not looked into otherwise. */
function descriptionsOf(lock: unknown): { name: string; versionId: number }[] {
  const descriptions =
    (lock as { descriptions?: { name: string; versionId: number }[] } | undefined)?.descriptions ?? [];
  return descriptions
    .filter(({ name }) => !name.startsWith("kstate."))
    .map(({ name, versionId }) => ({ name, versionId }));
}

function recordOf(program: Program, system: SupervisorSystem): ProgramRecord {
  const { pid, controlPath, command, startedAt } = program;
  const ticks = system.startTicks(pid);
  return {
    controlPath,
    command,
    startedAt: startedAt.toISOString(),
    process: ticks === null ? null : { pid, startTicks: ticks },
  };
}
