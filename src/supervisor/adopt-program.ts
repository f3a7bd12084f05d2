import { KstateError } from "../error/index.ts";
import {
  commonProtocol,
  formatMessage,
  LineSplitter,
  PROTOCOL,
  parseMessage,
  type ToSupervisor,
} from "../live/protocol.ts";
import { LaunchedProcess } from "./launched-process.ts";
import type { Contact } from "./program.ts";
import type { SupervisorSystem } from "./system.ts";
import { UndoSteps } from "./undo-steps.ts";

/** A program that frozen waits for its verdict cannot answer before that, ms. */
const ANSWER_MS = 20_000;

/** What a program gives to a supervisor that adopts it; the descriptors are the supervisor's from now on. */
export interface AdoptedProgram {
  readonly contact: Contact;
  readonly memory: number;
  readonly listeners: ReadonlyMap<string, number>;
}

type Introduction = Extract<ToSupervisor, { type: "adopted" }>;

/**
 * Dials a program whose supervisor has ended, and takes over what it holds. Blocks. Null when the program has ended;
 * `ADOPTION_FAILED` when it is there and says nothing, or something else.
 */
export function adoptProgram(
  system: SupervisorSystem,
  controlPath: string,
  startedAt: Date,
): AdoptedProgram | null {
  const descriptor = system.dialRaw(controlPath);
  if (descriptor === null) return null;
  const made = new UndoSteps();
  made.add(descriptor, system.close);
  const received: number[] = [];
  made.add(received, (all) => {
    for (const each of all) system.close(each);
  });
  try {
    system.sendText(descriptor, formatMessage({ type: "adopt" }));
    const answer = readIntroduction(system, descriptor, controlPath, received);
    const found = answer === null ? null : system.watch(answer.introduction.pid);
    if (answer === null || found === null) {
      made.undo();
      return null;
    }
    const watched = new LaunchedProcess(system, controlPath, found);
    made.add(watched, (process) => process.forget());
    const { introduction, rest } = answer;
    const [channel, memory, ...listeners] = received;
    if (channel === undefined || memory === undefined || listeners.length !== introduction.listeners.length) {
      throw failed(controlPath, `it sent ${received.length} descriptors`);
    }
    const protocol = commonProtocol(PROTOCOL, introduction.protocol);
    const socket = system.socketOf(descriptor); // the last step: from now on Node closes it
    socket.unshift(rest);
    return {
      contact: { process: watched, controlPath, socket, channel, startedAt, protocol },
      memory,
      listeners: new Map(introduction.listeners.map((key, index) => [key, listeners[index]!])),
    };
  } catch (error) {
    made.undo();
    throw error;
  }
}

/** Lets go of what a program has given, but for its memory: it serves on, and another supervisor may dial it. */
export function letGo(system: SupervisorSystem, { contact, listeners }: AdoptedProgram): void {
  const all = new UndoSteps();
  all.add(contact.process, (process) => process.forget());
  for (const descriptor of [contact.channel, ...listeners.values()]) all.add(descriptor, system.close);
  contact.socket.on("error", () => {}); // it is left on purpose
  all.add(contact.socket, (socket) => socket.destroy());
  all.undo();
}

/** Reads lines up to the introduction; null when the program ends instead. What it said before does not count. */
function readIntroduction(
  system: SupervisorSystem,
  descriptor: number,
  controlPath: string,
  received: number[],
): { introduction: Introduction; rest: Uint8Array } | null {
  const lines = new LineSplitter();
  for (;;) {
    const message = system.receive(descriptor, ANSWER_MS);
    if (message === "closed") return null;
    if (message === null) throw failed(controlPath, `it said nothing within ${ANSWER_MS} ms`);
    received.push(...message.descriptors);
    const found = lines.push(Buffer.from(message.payload).toString("latin1"));
    for (const [index, line] of found.entries()) {
      const said = parseMessage(Buffer.from(line, "latin1").toString("utf8")) as ToSupervisor;
      if (said.type !== "adopted") continue;
      const rest = [...found.slice(index + 1), lines.rest].join("\n");
      return { introduction: said, rest: Buffer.from(rest, "latin1") };
    }
  }
}

function failed(path: string, problem: string): KstateError {
  return new KstateError(
    "ADOPTION_FAILED",
    `cannot adopt the program behind ${path}: ${problem}; end it if it hangs, then start the service anew`,
    { path, problem },
  );
}
