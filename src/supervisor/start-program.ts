import { randomBytes } from "node:crypto";
import { ENVIRONMENT_VARIABLE, type LiveEnvironment, PROTOCOL } from "../live/protocol.ts";
import type { Command, Contact } from "./program.ts";
import { socketPath } from "./runtime-directory.ts";
import type { SupervisorSystem } from "./system.ts";
import type { SpawnOptions } from "./watched-process.ts";

export interface StartOptions {
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

/** A path for the control socket of one program, which no other program ever has. */
export function newControlPath(runtimeDirectory: string, name: string): string {
  return socketPath(runtimeDirectory, `${name}.${randomBytes(4).toString("hex")}`);
}

/** Starts a program with all that it inherits, and dials it. */
export function startProgram(system: SupervisorSystem, options: StartOptions): Contact {
  const { controlPath } = options;
  const control = system.bindControl(controlPath);
  const [channel, theirChannel] = system.socketPair();
  try {
    const process = system.spawn(spawnOptions(options, control, theirChannel));
    const socket = system.dial(controlPath);
    return { process, controlPath, socket, channel, startedAt: new Date() };
  } finally {
    system.close(control);
    system.close(theirChannel);
  }
}

function spawnOptions(options: StartOptions, control: number, channel: number): SpawnOptions {
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
      ...withoutTransformThread(command.argv),
      ...process.env,
      PWD: cwd,
      ...command.environment,
      [ENVIRONMENT_VARIABLE]: JSON.stringify(live),
    },
    descriptors: [...descriptors, ...listeners.map(({ descriptor }) => descriptor)],
  };
}

/**
 * The esbuild of tsx transforms in a worker thread of the program, which would go on while the state is saved
 * (`LIVE_RESOURCE`), unless it is told not to before the program begins. Whoever has set the variable keeps it.
 */
function withoutTransformThread(argv: readonly string[]): Readonly<Record<string, string>> {
  return argv.some((text) => /(^|[/=])tsx([/@]|$)/.test(text)) ? { ESBUILD_WORKER_THREADS: "0" } : {};
}
