import type { Waiting } from "../carrier/index.ts";
import type { ErrorRecord, KstateError } from "../error/index.ts";
import type { ToSupervisor } from "../live/protocol.ts";
import type { PhysicalMemory } from "../memory/index.ts";
import { commandText } from "./command-text.ts";
import { type HistoryEntry, HistoryFile } from "./history.ts";
import { ListeningSockets } from "./listening-sockets.ts";
import { type Command, type Contact, Program } from "./program.ts";
import { factsOf, recordOf } from "./program-facts.ts";
import { Reloads } from "./reloads.ts";
import type { RestartOptions } from "./restarts.ts";
import { type ProgramRecord, ServiceRecordFile } from "./service-record.ts";
import type { ActivatedSocket } from "./socket-activation.ts";
import { newControlPath, startProgram } from "./start-program.ts";
import type { SupervisorSystem } from "./system.ts";
import type { BootingProgram } from "./update.ts";

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

export interface SupervisorOptions {
  readonly name: string;
  /** Where programs run: the path as it was given, resolved anew for each version. */
  readonly cwd: string;
  readonly runtimeDirectory: string;
  /** What a successor needs beside the program that serves; as much as that has unless given, and 0 is not looked at. */
  readonly updateMemoryBytes?: number | null;
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
export interface Beginning {
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

export interface HostedEvents {
  message(program: Program, message: ToSupervisor): void;
  exited(program: Program, error: ErrorRecord): void;
}

/** What a supervisor holds of its service: memory, listening sockets, programs, and what is written down about them. */
export class HostedService {
  readonly options: SupervisorOptions;
  readonly system: SupervisorSystem;
  readonly memory: PhysicalMemory;
  readonly listening: ListeningSockets;
  /** The program that serves, or should. */
  current!: Program;
  /** What a rollback would start. */
  previous: Command | null;
  /** Of the last update or suspend. */
  generation: number;
  readonly reloads: Reloads;
  /** Programs that have handed over and finish what stays with them. */
  readonly leaving = new Set<Program>();
  readonly #record: ServiceRecordFile;
  readonly #history: HistoryFile;
  readonly #events: HostedEvents;
  /** All that have not ended. */
  readonly #programs = new Set<Program>();

  constructor(
    options: SupervisorOptions,
    system: SupervisorSystem,
    beginning: Beginning,
    events: HostedEvents,
  ) {
    const { name, runtimeDirectory, activated } = options;
    this.options = options;
    this.system = system;
    this.memory = beginning.memory;
    this.previous = beginning.previous;
    this.generation = beginning.generation;
    this.listening = new ListeningSockets(system, activated);
    for (const [key, descriptor] of beginning.listeners) this.listening.adopt(key, descriptor);
    this.#record = new ServiceRecordFile(runtimeDirectory, name);
    this.#history = new HistoryFile(runtimeDirectory, name);
    this.#events = events;
    this.reloads = new Reloads(
      (state) => options.notify?.(state),
      () => system.monotonicUs(),
      () => {
        if (this.current.phase === "serving") this.notifyReady();
      },
    );
  }

  log(text: string): void {
    this.options.log(`${this.options.name}: ${text}`);
  }

  /** Writes an entry into the history. */
  tell(entry: DistributiveOmit<HistoryEntry, "at">): void {
    try {
      this.#history.add({ at: new Date().toISOString(), ...entry } as HistoryEntry);
    } catch (error) {
      this.log(`cannot write its history: ${(error as Error).message}`);
    }
  }

  /** Tells whoever manages services that this one serves. */
  notifyReady(): void {
    const { pid, command } = this.current;
    const status = `STATUS=${pid} serves: ${commandText(command.argv).replaceAll("\n", " ")}`;
    this.options.notify?.(`READY=1\nMAINPID=${process.pid}\n${status}`);
  }

  /** Starts a program that follows nobody: it is the current one. */
  startFirst(command: Command): Program {
    this.current = this.start(command, "first").program;
    return this.current;
  }

  /** The same, and says so. */
  announceFirst(command: Command, kind: "started" | "restarted"): void {
    const program = this.startFirst(command);
    if (program.exited) return; // it could not be started, which is told as its end
    this.log(`${kind} ${program.pid}: ${commandText(command.argv)}`);
    this.tell({ kind, program: factsOf(program) });
  }

  /** Takes up the program that another supervisor had started: it is the current one. */
  adopt(command: Command, contact: Contact): void {
    this.current = this.#program(command, contact);
    this.write(null);
    this.tell({ kind: "adopted", program: factsOf(this.current) });
  }

  /** A program that cannot be started is one that has ended: that is told as of any other, a moment later. */
  start(command: Command, part: "first" | "successor" | "standby"): BootingProgram {
    const { name, cwd, runtimeDirectory } = this.options;
    const controlPath = newControlPath(runtimeDirectory, name);
    const write = (program: ProgramRecord): void => {
      if (part === "first") this.#write(program, null);
      if (part === "successor") this.#write(recordOf(this.current, this.system), program);
    };
    write({ controlPath, command, startedAt: new Date().toISOString(), process: null });
    const { descriptor: memory } = this.memory;
    const listeners = this.listening.entries();
    const role = part === "first" ? part : "successor";
    const result = startProgram(this.system, { command, cwd, name, role, controlPath, memory, listeners });
    const program = this.#program(command, result.kind === "started" ? result.contact : result.error);
    if (result.kind === "started") write(recordOf(program, this.system));
    return { program, pairEnd: result.kind === "started" ? result.pairEnd : null };
  }

  #program(command: Command, start: Contact | KstateError<"SPAWN_FAILED">): Program {
    const program: Program = new Program(this.system, command, start, {
      message: (message) => this.#safely(() => this.#events.message(program, message)),
      exited: (error) => {
        this.leaving.delete(program);
        this.#programs.delete(program);
        this.#safely(() => this.#events.exited(program, error));
      },
    });
    if (!program.exited) this.#programs.add(program);
    return program;
  }

  /** What fails here is no fault of the program that said something, and no reason to end the service. */
  #safely(handle: () => void): void {
    try {
      handle();
    } catch (error) {
      this.log(`it goes on after an error in its supervisor: ${(error as Error).stack}`);
    }
  }

  /** The children that have not ended and are waited for. */
  get pids(): ReadonlySet<number> {
    return new Set([...this.#programs].map(({ spawnedPid }) => spawnedPid));
  }

  /** Writes down which programs there are, for whoever has to adopt the service. */
  write(successor: Program | null): void {
    this.#write(
      recordOf(this.current, this.system),
      successor === null ? null : recordOf(successor, this.system),
    );
  }

  #write(program: ProgramRecord, successor: ProgramRecord | null): void {
    const { name, cwd } = this.options;
    const { generation, previous } = this;
    const supervisor = { pid: process.pid, startTicks: this.system.startTicks(process.pid) ?? 0 };
    const update = successor === null ? null : { generation, successor };
    try {
      this.#record.write({ name, supervisor, cwd, generation, program, previous, update });
    } catch (error) {
      this.log(`nobody could adopt this service: ${(error as Error).message}`);
    }
  }

  /** The service has ended, and nothing of it is left to adopt. */
  close(): void {
    this.listening.close();
    this.#record.remove();
  }
}
