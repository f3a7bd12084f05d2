import type { ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import { type ErrorRecord, KstateError, toErrorRecord } from "../error/index.ts";
import {
  commonProtocol,
  ENVIRONMENT_VARIABLE,
  formatMessage,
  LineSplitter,
  type LiveEnvironment,
  PROTOCOL,
  parseMessage,
  type ToProgram,
  type ToSupervisor,
} from "../live/protocol.ts";
import type { SupervisorSystem } from "./system.ts";

const LAST_WORDS_MS = 500;

export interface Command {
  readonly argv: readonly string[];
  /** Added to the supervisor's environment. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface ProgramOptions {
  readonly command: Command;
  readonly cwd: string;
  readonly name: string;
  readonly role: LiveEnvironment["role"];
  /** The path of its control socket, made here. */
  readonly controlPath: string;
  readonly memory: number;
  readonly pair: number | null;
  readonly listeners: readonly { readonly key: string; readonly descriptor: number }[];
}

export interface ProgramEvents {
  message(message: ToSupervisor): void;
  /** It ended, or could not be started. After that there are no messages. */
  exited(error: ErrorRecord): void;
}

/** One program under the supervisor: its process, its control socket and its channel. */
export class Program {
  readonly command: Command;
  readonly startedAt = new Date();
  phase: "running" | "joined" | "serving" = "running";
  /** The record of its descriptions, from `ready` on. */
  lock: unknown;
  /** The keys of the listeners that it uses, from `ready` on. */
  listeners: readonly string[] = [];
  /** What it threw, when it said so before it ended. */
  failure: ErrorRecord | undefined;
  readonly #system: SupervisorSystem;
  readonly #options: ProgramOptions;
  readonly #channel: number;
  readonly #process: ChildProcess;
  readonly #socket: Socket;
  #events: ProgramEvents;
  #exited = false;

  constructor(system: SupervisorSystem, options: ProgramOptions, events: ProgramEvents) {
    this.#system = system;
    this.#options = options;
    this.command = options.command;
    this.#events = events;
    const control = system.bindControl(options.controlPath);
    const [channel, theirChannel] = system.socketPair();
    this.#channel = channel;
    try {
      this.#process = system.spawn(spawnOptions(options, control, theirChannel));
    } finally {
      system.close(control);
      system.close(theirChannel);
    }
    this.#process.once("error", (error: NodeJS.ErrnoException) =>
      this.#exit(spawnFailed(options.command, error)),
    );
    this.#socket = this.#dial();
    this.#process.once("exit", (code, signal) =>
      this.#drain(() => this.#exit(exitedError(this.pid, code, signal))),
    );
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** Who is told from now on. */
  set events(events: ProgramEvents) {
    this.#events = events;
  }

  #dial(): Socket {
    const socket = this.#system.dial(this.#options.controlPath);
    const lines = new LineSplitter();
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      try {
        for (const line of lines.push(text)) this.#receive(parseMessage(line) as ToSupervisor);
      } catch (error) {
        this.failure = toErrorRecord(error);
        this.kill("SIGKILL");
      }
    });
    socket.on("error", () => {}); // its end says it all, and that is watched
    return socket;
  }

  #receive(message: ToSupervisor): void {
    if (message.type === "hello") {
      commonProtocol(PROTOCOL, message.protocol);
      this.phase = "joined";
    }
    if (message.type === "ready") {
      this.lock = message.lock;
      this.listeners = message.listeners;
    }
    if (message.type === "serving") this.phase = "serving";
    this.#events.message(message);
  }

  /** Reads what an ended program had still said. Somebody it started may hold its end open: not for ever. */
  #drain(done: () => void): void {
    if (this.#socket.closed) return done();
    const patience = setTimeout(done, LAST_WORDS_MS);
    this.#socket.once("close", () => {
      clearTimeout(patience);
      done();
    });
  }

  #exit(error: ErrorRecord): void {
    if (this.#exited) return;
    this.#exited = true;
    this.#readLastWords();
    this.#socket.destroy();
    this.#system.close(this.#channel);
    this.#system.unlink(this.#options.controlPath);
    this.#events.exited(this.failure ?? error);
  }

  #readLastWords(): void {
    const line = this.#system.receiveText(this.#channel);
    const message = line === null ? null : parseMessage(line);
    if (message?.type === "failed") this.failure ??= message.error;
  }

  send(message: ToProgram): void {
    this.#socket.write(formatMessage(message));
  }

  /** Puts a descriptor on the channel; announce it with the next message. It stays open here. */
  sendDescriptor(descriptor: number): void {
    if (this.#exited) return;
    if (!this.#system.sendDescriptor(this.#channel, descriptor)) this.kill("SIGKILL"); // it has stopped taking them
  }

  get exited(): boolean {
    return this.#exited;
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.#exited) this.#process.kill(signal);
  }
}

function spawnOptions(
  options: ProgramOptions,
  control: number,
  channel: number,
): Parameters<SupervisorSystem["spawn"]>[0] {
  const { command, cwd, name, role, memory, pair, listeners } = options;
  const descriptors = [control, memory, channel, ...(pair === null ? [] : [pair])];
  const live: LiveEnvironment = {
    protocol: PROTOCOL,
    name,
    role,
    control: 3,
    memory: 4,
    channel: 5,
    pair: pair === null ? null : 6,
    listeners: listeners.map(({ key }, index) => ({ key, descriptor: 3 + descriptors.length + index })),
  };
  return {
    command: command.argv,
    cwd,
    environment: {
      ...process.env,
      PWD: cwd,
      ...command.environment,
      [ENVIRONMENT_VARIABLE]: JSON.stringify(live),
    },
    descriptors: [...descriptors, ...listeners.map(({ descriptor }) => descriptor)],
  };
}

function spawnFailed({ argv }: Command, error: NodeJS.ErrnoException): ErrorRecord {
  const detail = { command: argv.join(" "), errno: error.code ?? "?" };
  return toErrorRecord(
    new KstateError("SPAWN_FAILED", `cannot start ${argv.join(" ")}: ${error.message}`, detail),
  );
}

function exitedError(pid: number, exitCode: number | null, signal: NodeJS.Signals | null): ErrorRecord {
  const how = signal === null ? `ended with exit code ${exitCode}` : `was ended by ${signal}`;
  return toErrorRecord(
    new KstateError("PROGRAM_EXITED", `program ${pid} ${how}; its own output says why`, {
      pid,
      exitCode,
      signal,
    }),
  );
}
