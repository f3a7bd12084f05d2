import {
  type ErrorRecord,
  fromErrorRecord,
  isKstateError,
  KstateError,
  toErrorRecord,
} from "../error/index.ts";
import { type BackEnd, openDescriptor, PhysicalMemory, setCloseOnExec } from "../memory/index.ts";
import { ControlLink } from "./control-link.ts";
import {
  formatMessage,
  type ListenAddress,
  type LiveEnvironment,
  PROTOCOL,
  type ToProgram,
  type ToSupervisor,
} from "./protocol.ts";
import type { LiveSystem } from "./system.ts";

/** A listener that the supervisor was asked for. */
interface ListenRequest {
  readonly address: ListenAddress;
  answer(error: ErrorRecord | null): void;
}

interface Listener {
  readonly key: string;
  readonly address: ListenAddress;
}

type ForMachine = Exclude<ToProgram, { readonly type: "listening" }>;

/** What a program has from its supervisor: the memory, listening sockets, and the ways to talk. */
export class SupervisorLink {
  readonly memory: PhysicalMemory;
  readonly #system: LiveSystem;
  readonly #control: ControlLink;
  readonly #listeners: Map<string, number>;
  readonly #unanswered = new Map<string, ListenRequest>();
  #channel: number;

  constructor(
    environment: LiveEnvironment,
    system: LiveSystem,
    events: { message(message: ForMachine): void; left(): void },
    /** Fills new memory with what was kept for the service. */
    fill: (backEnd: BackEnd, memory: PhysicalMemory) => PhysicalMemory = (_, memory) => memory,
  ) {
    const { memory, channel, pair, control, listeners } = environment;
    this.#system = system;
    this.#channel = channel;
    const descriptors = [memory, channel, control, ...listeners.map(({ descriptor }) => descriptor)];
    const [backEnd, attached] = inherited(() => {
      for (const descriptor of pair === null ? descriptors : [...descriptors, pair])
        setCloseOnExec(descriptor);
      const found = openDescriptor(memory);
      return [found, PhysicalMemory.attach(found)] as const;
    });
    this.memory = fill(backEnd, attached);
    this.#listeners = new Map(listeners.map(({ key, descriptor }) => [key, descriptor]));
    this.#control = new ControlLink(control, system, {
      message: (message) => (message.type === "listening" ? this.#answer(message) : events.message(message)),
      left: events.left,
    });
    this.send({ type: "hello", protocol: PROTOCOL, pid: process.pid });
    process.on("uncaughtExceptionMonitor", (error) => {
      if (process.listenerCount("uncaughtException") > 0) return; // the program lives on
      this.sendLastWords(error);
    });
  }

  /** Changes when another supervisor adopts the program. */
  get channel(): number {
    return this.#channel;
  }

  send(message: ToSupervisor): void {
    this.#control.send(message);
  }

  /** Says why this program ends badly: the supervisor looks for it when it has ended. */
  sendLastWords(error: unknown): void {
    this.#system.send(this.#channel, lastWords(error), []);
  }

  /** Keeps the program alive while it waits for the supervisor's word, or lets it end by itself. */
  hold(held: boolean): void {
    this.#control.hold(held);
  }

  /** Gets a listening socket for every address that has none yet. Throws what binding it threw. */
  async bind(listeners: readonly Listener[]): Promise<void> {
    for (const { key, address } of listeners.filter(({ key }) => !this.#listeners.has(key))) {
      const answer = new Promise<ErrorRecord | null>((resolve) =>
        this.#unanswered.set(key, { address, answer: resolve }),
      );
      this.send({ type: "listen", key, address });
      const error = await answer;
      if (error !== null) throw fromErrorRecord(error);
      this.#listeners.set(key, this.fetchDescriptor());
    }
  }

  #answer({ key, error }: Extract<ToProgram, { type: "listening" }>): void {
    this.#unanswered.get(key)?.answer(error);
    this.#unanswered.delete(key);
  }

  /** The descriptor that the supervisor put on the channel before it announced it. */
  fetchDescriptor(): number {
    for (;;) {
      const message = this.#system.receive(this.#channel);
      if (typeof message === "string") break;
      const [descriptor] = message.descriptors;
      if (descriptor !== undefined) return descriptor; // else it is a word about a suspend that has ended
    }
    throw new KstateError("PROTOCOL_ERROR", "the supervisor announced a descriptor and sent none", {
      problem: "no descriptor",
    });
  }

  /** Closes the listening sockets of the previous version that this one does not serve. */
  keepListeners(keys: readonly string[]): void {
    for (const [key, descriptor] of this.#listeners) {
      if (keys.includes(key)) continue;
      this.#system.close(descriptor);
      this.#listeners.delete(key);
    }
  }

  /** A duplicate of every listening socket: closing a server closes its descriptor for good. */
  duplicateListeners(): Map<string, number> {
    const duplicates = new Map<string, number>();
    try {
      for (const [key, descriptor] of this.#listeners)
        duplicates.set(key, this.#system.duplicate(descriptor));
      return duplicates;
    } catch (error) {
      for (const duplicate of duplicates.values()) this.#system.close(duplicate);
      throw error;
    }
  }

  /** Gives a new supervisor all that the one before had; `sayRest` says where the program stands. */
  introduce(sayRest: () => void): void {
    const [channel, theirs] = this.#system.socketPair();
    const listeners = [...this.#listeners];
    const keys = listeners.map(([key]) => key);
    this.#control.sendWith(
      { type: "adopted", protocol: PROTOCOL, pid: process.pid, listeners: keys },
      [theirs, this.memory.descriptor, ...listeners.map(([, descriptor]) => descriptor)],
      () => {
        this.#system.close(theirs);
        this.#system.close(this.#channel);
        this.#channel = channel;
        for (const [key, { address }] of this.#unanswered) this.send({ type: "listen", key, address });
        sayRest();
      },
    );
  }
}

/** Whatever starts the program in between (npm, npx, the command tsx) keeps what the supervisor hands over. */
function inherited<T>(attach: () => T): T {
  try {
    return attach();
  } catch (cause) {
    if (!isKstateError(cause, "SYSTEM_CALL")) throw cause;
    const message =
      "cannot join live updates: what the supervisor hands over did not reach this program, as something that started it " +
      "in between (npm, npx, the command tsx, nodemon) kept it; give kstate run the program itself: kstate run -- node app.js";
    throw new KstateError("NOT_INHERITED", message, {}, { cause });
  }
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
