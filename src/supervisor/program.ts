import type { Socket } from "node:net";
import {
  type ErrorRecord,
  fromErrorRecord,
  isKstateError,
  KstateError,
  toErrorRecord,
  toSupervisorRecord,
} from "../error/index.ts";
import {
  commonProtocol,
  formatMessage,
  LineSplitter,
  PROTOCOL,
  parseMessage,
  type ToProgram,
  type ToSupervisor,
} from "../live/protocol.ts";
import type { LaunchedProcess } from "./launched-process.ts";
import { cannotStart } from "./start-failure.ts";
import type { SupervisorSystem } from "./system.ts";
import { UndoSteps } from "./undo-steps.ts";
import type { ProcessEnd } from "./watched-process.ts";

const LAST_WORDS_MS = 500;

export interface Command {
  readonly argv: readonly string[];
  /** Added to the supervisor's environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Absolute paths of files of `KEY=VALUE` lines, read at each start, before `environment`. None unless given. */
  readonly environmentFiles?: readonly string[];
}

/** How to reach a program: its process, its control socket and its channel. */
export interface Contact {
  readonly process: LaunchedProcess;
  readonly controlPath: string;
  readonly socket: Socket;
  readonly channel: number;
  readonly startedAt: Date;
  /** What it speaks; undefined until it has said so. */
  readonly protocol?: number;
}

export interface ProgramEvents {
  message(message: ToSupervisor): void;
  /** It ended, or could not be started. After that there are no messages. */
  exited(error: ErrorRecord): void;
}

/** One program under the supervisor: its process, its control socket and its channel. */
export class Program {
  readonly command: Command;
  phase: "running" | "joined" | "serving" | "ended" = "running";
  /** Its exit status when it has ended; null after a signal, and when nobody knows. */
  exitCode: number | null = null;
  /** Why it ended. */
  end: ErrorRecord | undefined;
  /** When it began to serve, on the monotonic clock, ms; null until then. */
  servingSinceMs: number | null = null;
  /** The record of its descriptions, from `ready` on. */
  lock: unknown;
  /** The keys of the listeners that it uses, from `ready` on. */
  listeners: readonly string[] = [];
  /** What it threw, when it said so before it ended. */
  failure: ErrorRecord | undefined;
  readonly #system: SupervisorSystem;
  /** Null when it could not be started. */
  readonly #contact: Contact | null;
  #events: ProgramEvents;
  readonly #made = new Date();
  #exited = false;
  #protocol: number | undefined;
  /** Who waits for a saved state, first come first served. */
  readonly #saving: ((error: ErrorRecord | null) => void)[] = [];

  /** `start` is how to reach it, or why it could not be started: then it has ended, and that is told a moment later. */
  constructor(
    system: SupervisorSystem,
    command: Command,
    start: Contact | KstateError<"SPAWN_FAILED">,
    events: ProgramEvents,
  ) {
    this.#system = system;
    this.command = command;
    this.#events = events;
    if (isKstateError(start)) {
      this.#contact = null;
      this.#exited = true;
      this.phase = "ended";
      this.end = toErrorRecord(start);
      queueMicrotask(() => this.#events.exited(this.end!));
      return;
    }
    this.#contact = start;
    this.#protocol = start.protocol;
    start.process.onEnd((end) => {
      if (end.error === undefined)
        return this.#drain(start, () => this.#exit(exitedError(this.pid, end), end.exitCode));
      this.failure = toErrorRecord(cannotStart(command.argv, end.error));
      this.#exit(this.failure, null);
    });
    this.#listen(start);
  }

  /** The process that has joined, which a launcher may have started; -1 when it could not be started. */
  get pid(): number {
    return this.#contact?.process.pid ?? -1;
  }

  /** The process that its command was started as. */
  get spawnedPid(): number {
    return this.#contact?.process.spawnedPid ?? -1;
  }

  /** Of the protocol, in which they speak; the lowest until it has said what it speaks. */
  get protocol(): number {
    return this.#protocol ?? PROTOCOL[0];
  }

  get startedAt(): Date {
    return this.#contact?.startedAt ?? this.#made;
  }

  /** Empty when it could not be started. */
  get controlPath(): string {
    return this.#contact?.controlPath ?? "";
  }

  /** Who is told from now on. */
  set events(events: ProgramEvents) {
    this.#events = events;
  }

  #listen({ socket, process: watched }: Contact): void {
    const lines = new LineSplitter();
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      for (const message of this.#read(lines, text)) {
        try {
          this.#receive(message);
        } catch (error) {
          // Not the program's fault: it may have all clients.
          const { message: why } = error as Error;
          process.emitWarning(
            `"${message.type}" of program ${this.pid} was not taken: ${why}`,
            "KstateWarning",
          );
        }
      }
    });
    let reached = !socket.connecting; // one that is adopted has been dialled
    socket.on("connect", () => {
      reached = true;
    });
    socket.on("error", (error) => {
      if (!reached) this.#misbehaves(cannotStart(this.command.argv, error)); // nobody would ever hear of it
      // otherwise its end says it all, and that is watched
    });
    socket.on("close", () => watched.look());
  }

  /** What it says. Whoever does not speak the protocol is ended; what was understood before that counts. */
  *#read(lines: LineSplitter, text: string): Generator<ToSupervisor> {
    try {
      for (const line of lines.push(text)) {
        const message = parseMessage(line, this.#protocol) as ToSupervisor;
        if (message.type === "hello") this.#protocol = commonProtocol(PROTOCOL, message.protocol);
        yield message;
      }
    } catch (error) {
      this.#misbehaves(error);
    }
  }

  #misbehaves(error: unknown): void {
    this.failure = toSupervisorRecord(error);
    this.kill("SIGKILL");
  }

  #receive(message: ToSupervisor): void {
    if (message.type === "hello") {
      this.phase = "joined";
      this.#contact?.process.introduce(message.pid);
    }
    if (message.type === "ready") {
      this.lock = message.lock;
      this.listeners = message.listeners;
    }
    if (message.type === "saved") return this.#saving.shift()?.(message.error);
    if (message.type === "serving") {
      this.phase = "serving";
      this.servingSinceMs = this.#system.nowMs();
    }
    this.#events.message(message);
  }

  /** Reads what an ended program had still said. Somebody it started may hold its end open: not for ever. */
  #drain({ socket }: Contact, done: () => void): void {
    if (socket.closed) return done();
    const patience = setTimeout(done, LAST_WORDS_MS);
    socket.once("close", () => {
      clearTimeout(patience);
      done();
    });
  }

  /** It is told in any case that the program has ended: what is left of it may be lost. */
  #exit(error: ErrorRecord, exitCode: number | null): void {
    if (this.#exited || this.#contact === null) return;
    this.#exited = true;
    const { socket, channel, controlPath } = this.#contact;
    const left = new UndoSteps();
    left.add(controlPath, this.#system.unlink);
    left.add(channel, this.#system.close);
    left.add(channel, () => this.#readLastWords(channel));
    left.undo();
    socket.destroy();
    this.phase = "ended";
    this.exitCode = exitCode;
    this.end = this.failure ?? error;
    for (const saved of this.#saving.splice(0)) saved(this.end);
    this.#events.exited(this.end);
  }

  #readLastWords(channel: number): void {
    const line = this.#system.receiveText(channel);
    if (line === null) return;
    try {
      const message = parseMessage(line);
      if (message.type === "failed") this.failure ??= message.error;
    } catch {
      // cut, or nothing that it should have said there; its end is known all the same
    }
  }

  /** Resolves when the program has saved its state into a new file; rejects with the reason when it could not. */
  save(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#exited) return reject(fromErrorRecord(this.end!));
      this.#saving.push((error) => (error === null ? resolve() : reject(fromErrorRecord(error))));
      this.send({ type: "save", path });
    });
  }

  send(message: ToProgram): void {
    this.#contact?.socket.write(formatMessage(message));
  }

  /** Puts a descriptor on the channel; announce it with the next message. It stays open here. */
  sendDescriptor(descriptor: number): void {
    if (this.#exited || this.#contact === null) return;
    if (!this.#system.sendDescriptor(this.#contact.channel, descriptor)) this.kill("SIGKILL"); // it has stopped taking them
  }

  /** Says something on the channel, to a program that is frozen and waits there. */
  sendWord(word: string): void {
    if (!this.#exited && this.#contact !== null) this.#system.sendWord(this.#contact.channel, word);
  }

  get exited(): boolean {
    return this.#exited;
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.#exited) this.#contact?.process.kill(signal);
  }
}

function exitedError(pid: number, { exitCode, signal }: ProcessEnd): ErrorRecord {
  const code = exitCode === null ? "ended" : `ended with exit code ${exitCode}`;
  const how = signal === null ? code : `was ended by ${signal}`;
  return toErrorRecord(
    new KstateError("PROGRAM_EXITED", `program ${pid} ${how}; its own output says why`, {
      pid,
      exitCode,
      signal,
    }),
  );
}
