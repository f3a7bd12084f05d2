/**
 * Starting a program, the happy path and what undoes each step when a later one fails:
 * ```
 * 1 the runtime directory    made again if somebody has removed it; stays
 * 2 control socket           closed, its directory entry removed
 * 3 channel                  both ends closed
 * 4 pair (of a successor)    both ends closed
 * 5 the process              killed
 * 6 dialling it              the connection destroyed
 * ```
 * Afterwards the control socket and the program's ends of channel and pair are closed here in any case.
 *
 * Nothing is thrown: whoever starts a program has a service to keep, so a failure is a result like any other.
 */
import { randomBytes } from "node:crypto";
import type { KstateError } from "../error/index.ts";
import { ENVIRONMENT_VARIABLE, type LiveEnvironment, PROTOCOL } from "../live/protocol.ts";
import { environmentOf } from "./environment-file.ts";
import { LaunchedProcess } from "./launched-process.ts";
import type { Command, Contact } from "./program.ts";
import { socketPath } from "./runtime-directory.ts";
import { cannotStart } from "./start-failure.ts";
import type { SupervisorSystem } from "./system.ts";
import { UndoSteps } from "./undo-steps.ts";
import type { SpawnOptions } from "./watched-process.ts";

export interface StartOptions {
  readonly command: Command;
  readonly cwd: string;
  readonly name: string;
  readonly role: LiveEnvironment["role"];
  /** The path of its control socket, made here. */
  readonly controlPath: string;
  readonly memory: number;
  readonly listeners: readonly { readonly key: string; readonly descriptor: number }[];
}

/** A program that was started, or why it could not be. */
export type StartResult =
  | {
      readonly kind: "started";
      readonly contact: Contact;
      /** The other end of a successor's pair; null for a first program. */
      readonly pairEnd: number | null;
    }
  | { readonly kind: "failed"; readonly error: KstateError<"SPAWN_FAILED"> };

/** A path for the control socket of one program, which no other program ever has. */
export function newControlPath(runtimeDirectory: string, name: string): string {
  return socketPath(runtimeDirectory, `${name}.${randomBytes(4).toString("hex")}`);
}

/** Starts a program with all that it inherits, and dials it. */
export function startProgram(system: SupervisorSystem, options: StartOptions): StartResult {
  const { controlPath, role, command } = options;
  const made = new UndoSteps();
  const handed = new UndoSteps();
  const pairOf = (): [number, number] => {
    const [ours, theirs] = system.socketPair();
    made.add(ours, system.close);
    return [ours, handed.add(theirs, system.close)];
  };
  try {
    system.prepareDirectory(controlPath);
    const control = handed.add(system.bindControl(controlPath), system.close);
    made.add(controlPath, system.unlink);
    const [channel, theirChannel] = pairOf();
    const [pairEnd, theirPair] = role === "successor" ? pairOf() : [null, null];
    const inherited = { control, channel: theirChannel, pair: theirPair };
    const spawned = system.spawn(spawnOptions(options, inherited));
    const process = made.add(new LaunchedProcess(system, controlPath, spawned), (it) => it.kill("SIGKILL"));
    const socket = system.dial(controlPath);
    return {
      kind: "started",
      contact: { process, controlPath, socket, channel, startedAt: new Date() },
      pairEnd,
    };
  } catch (cause) {
    made.undo();
    return { kind: "failed", error: cannotStart(command.argv, cause) };
  } finally {
    handed.undo();
  }
}

interface Inherited {
  readonly control: number;
  readonly channel: number;
  readonly pair: number | null;
}

function spawnOptions(options: StartOptions, { control, channel, pair }: Inherited): SpawnOptions {
  const { command, cwd, name, role, controlPath, memory, listeners } = options;
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
    controlPath,
  };
  return {
    command: command.argv,
    cwd,
    environment: {
      ...withoutTransformThread(command.argv),
      ...process.env,
      PWD: cwd,
      ...environmentOf(command),
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
