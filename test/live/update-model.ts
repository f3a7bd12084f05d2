/**
 * A model of a whole update: the supervisor's and the programs' machines as they are, and around them all that carries
 * them, made small: queues, the pair, the verdict word, blocking, time-outs, deaths, and a second supervisor that
 * adopts. What `update.ts`, `supervised.ts`, `freeze.ts`, `take-over.ts` and `adopt-service.ts` do is one step here for
 * each thing that others can see.
 */
import {
  type BrokerEffect,
  type BrokerEvent,
  type BrokerState,
  brokerStep,
  type ProgramEvent,
  type ProgramState,
  programAfter,
  programStep,
} from "#src/live/machine.js";

type ProgramName = "old" | "successor";
type Verdict = "UNOPENED" | "PENDING" | "COMMITTED" | "CANCELLED";

interface Program {
  alive: boolean;
  phase: ProgramState["phase"];
  /** What it is in the middle of, and reads no message meanwhile. */
  blocked: "" | "frozen" | "taking" | "committed";
  /** Whether it holds its end of the pair. */
  pair: boolean;
  /** What it has done for the freeze and has not undone, in order. */
  done: string[];
  /** From the supervisor; `EOF` when that has ended. */
  inbox: string[];
}

interface Supervisor {
  alive: boolean;
  broker: BrokerState | null;
  /** What is still to be carried out of the last step. */
  effects: BrokerEffect[];
  /** Whether it holds the old program's end of the pair. */
  pair: boolean;
  /** Which program it would say is the service. */
  current: ProgramName | "fresh";
  outcome: "" | "committed" | "cancelled" | "crashed";
  /** How far adopting has come. */
  adopting: "" | "dial" | "has old" | "has successor" | "old committed";
}

export interface World {
  supervisor: Supervisor;
  old: Program;
  successor: Program;
  /** A program that was started anew because the one that served had died. */
  fresh: boolean;
  verdict: Verdict;
  /** On the pair, by direction. */
  toSuccessor: string[];
  toOld: string[];
  /** From the programs; `EXIT` is the last that is ever heard. */
  fromOld: string[];
  fromSuccessor: string[];
  /** Failures that are left to happen. */
  failures: number;
  rehearse: boolean;
}

export interface Transition {
  readonly label: string;
  readonly next: World;
  /** Whether it is something going wrong, rather than things going on. */
  readonly isFailure: boolean;
}

const error = (code: string) => ({ code, message: "", detail: null });

export function beginning(failures: number, rehearse: boolean): World {
  const program = { alive: true, blocked: "", pair: false, done: [], inbox: [] } as const;
  return {
    supervisor: {
      alive: true,
      broker: { phase: "booting" },
      effects: [],
      pair: true,
      current: "old",
      outcome: "",
      adopting: "",
    },
    old: { ...program, done: [], inbox: [], phase: "serving" },
    successor: { ...program, done: [], inbox: [], phase: "booting", pair: true },
    fresh: false,
    verdict: "UNOPENED",
    toSuccessor: [],
    toOld: [],
    fromOld: [],
    fromSuccessor: [],
    failures,
    rehearse,
  };
}

/** The programs that clients are served by. */
export function serving(world: World): string[] {
  const { old, successor, fresh } = world;
  const serves = (program: Program): boolean =>
    program.alive && program.blocked === "" && ["serving", "quiescing"].includes(program.phase);
  return [
    ...(serves(old) ? ["old"] : []),
    ...(serves(successor) ? ["successor"] : []),
    ...(fresh ? ["fresh"] : []),
  ];
}

/** Whether everything has come to rest: a supervisor has one program, which serves, and nobody else is there. */
export function isSettled(world: World): boolean {
  const { alive, broker, adopting, current } = world.supervisor;
  const others = (["old", "successor"] as const).filter((name) => name !== current && world[name].alive);
  return (
    alive && broker === null && adopting === "" && serving(world).join() === current && others.length === 0
  );
}

/** Whether a successor waits for a supervisor that has ended, and has read that. */
function isAbandoned({ supervisor, successor }: World): boolean {
  const { alive, phase, blocked, inbox } = successor;
  return !supervisor.alive && alive && phase === "waiting" && blocked === "" && inbox.length === 0;
}

/** What must hold in every state; the sentences that do not. */
export function violations(world: World): string[] {
  const { verdict, old, supervisor } = world;
  const who = serving(world);
  const rules: [boolean, string][] = [
    [!isAbandoned(world), "a successor waits for ever"],
    [who.length <= 1, `two programs serve: ${who.join()}`],
    [verdict !== "COMMITTED" || !who.includes("old"), "the old program serves after the commit"],
    [verdict === "COMMITTED" || !who.includes("successor"), "the successor serves without a commit"],
    [
      !who.includes("old") || old.phase === "quiescing" || old.done.length === 0,
      "something of the freeze was not undone",
    ],
    [supervisor.outcome !== "cancelled" || verdict !== "COMMITTED", "a commit was taken back"],
    [
      !["committed", "crashed"].includes(supervisor.outcome) || verdict === "COMMITTED",
      "an update ended as committed without a commit",
    ],
  ];
  return rules.filter(([holds]) => !holds).map(([, sentence]) => sentence);
}

/** Everything that can happen next. */
export function transitions(world: World): Transition[] {
  const found: Transition[] = [];
  const add = (label: string, change: (next: World) => void, isFailure = false): void => {
    if (isFailure && world.failures === 0) return;
    const next = structuredClone(world);
    if (isFailure) next.failures -= 1;
    change(next);
    found.push({ label, next, isFailure });
  };
  programSteps(world, "old", add);
  programSteps(world, "successor", add);
  if (world.supervisor.alive) supervisorSteps(world, add);
  else
    add("another supervisor adopts", (next) => {
      next.supervisor = {
        ...next.supervisor,
        alive: true,
        broker: null,
        effects: [],
        pair: false,
        adopting: "dial",
      };
      // It reads what the programs say to it, and nothing of what they said before.
      next.fromOld = next.old.alive ? [] : ["EXIT"];
      next.fromSuccessor = next.successor.alive ? [] : ["EXIT"];
    });
  for (const name of ["old", "successor"] as const)
    if (world[name].alive) add(`${name} dies`, (next) => die(next, name), true);
  if (world.supervisor.alive) add("the supervisor dies", supervisorDies, true);
  return found;
}

type Add = (label: string, change: (next: World) => void, isFailure?: boolean) => void;

// ---- programs ----

function programSteps(world: World, name: ProgramName, add: Add): void {
  const program = world[name];
  if (!program.alive) return;
  if (program.phase === "refused" || program.phase === "left") {
    add(`${name} exits`, (next) => die(next, name));
    return;
  }
  if (name === "successor" && program.phase === "booting") {
    add("the successor has booted", (next) => feed(next, name, { type: "ready" }));
    add("the successor throws at boot", (next) => die(next, name), true);
  }
  if (program.blocked === "taking") takingSteps(world, add);
  if (program.blocked === "committed") {
    add("the successor begins to serve", (next) => {
      next.successor.blocked = "";
      next.toOld.push("committed");
      next.successor.pair = false;
      say(next, "successor", "serving");
    });
  }
  if (program.blocked === "frozen") frozenSteps(world, add);
  if (program.blocked !== "") return;
  if (program.phase === "quiescing") {
    add("the old program is quiet", (next) => feed(next, name, { type: "quiet" }));
    add(
      "a request stays busy",
      (next) => feed(next, name, { type: "busy", error: error("REQUESTS_BUSY") }),
      true,
    );
  }
  const [message] = program.inbox;
  if (message !== undefined) receiveSteps(name, message, add);
}

function receiveSteps(name: ProgramName, message: string, add: Add): void {
  const take = (next: World): void => void next[name].inbox.shift();
  const event = messageEvent(message);
  const deliver = (next: World): void => {
    take(next);
    if (message === "prepare") next.old.pair = true;
    if (message === "EOF" && name === "successor") feed(next, name, { type: "abandoned" });
    if (event !== null) feed(next, name, event);
  };
  if (!["prepare", "rehearse", "verify"].includes(message)) return add(`${name} reads ${message}`, deliver);
  const answer = { prepare: "prepared", rehearse: "rehearsed", verify: "verified" }[message]!;
  add(`${name} reads ${message}`, (next) => {
    deliver(next);
    say(next, name, answer);
  });
  add(
    `${name} refuses to ${message}`,
    (next) => {
      deliver(next);
      say(next, name, "refused");
      if (message === "prepare") next.old.pair = false;
    },
    true,
  );
}

function messageEvent(message: string): ProgramEvent | null {
  const generation = 1;
  switch (message) {
    case "receive":
      return { type: "receive", generation, timeoutMs: 1, versionIds: {} };
    case "freeze":
      return { type: "freeze", generation, quiesceMs: 1, freezeMs: 1 };
    case "cancel":
      return { type: "cancel", generation };
    default:
      return null;
  }
}

function feed(world: World, name: ProgramName, event: ProgramEvent): void {
  const program = world[name];
  const [state, effects] = programStep({ phase: program.phase }, event);
  program.phase = state.phase;
  for (const effect of effects) {
    switch (effect.type) {
      case "announce":
        say(world, name, "ready");
        break;
      case "takeOver":
        program.blocked = "taking";
        break;
      case "quiesce":
        program.done.push("quiesce");
        break;
      case "unquiesce":
        undo(program, "quiesce");
        program.pair = false;
        break;
      case "forgetSuccessor":
        program.pair = false;
        break;
      case "refuse":
        say(world, name, "refused");
        break;
      case "freeze":
        program.blocked = "frozen";
        program.done.push("stop", "save");
        world.toSuccessor.push("frozen");
        break;
      default:
        break;
    }
  }
}

/** The last thing that was done is the first that is undone. */
function undo(program: Program, what: string): void {
  if (program.done.pop() !== what) program.done.push(`${what} was undone out of order`);
}

function takingSteps(world: World, add: Add): void {
  const refuse = (next: World): void => {
    decide(next, "CANCELLED");
    next.successor.blocked = "";
    next.successor.phase = programAfter("takeOver", "CANCELLED").phase;
    next.toOld.push("refused");
    next.successor.pair = false;
    say(next, "successor", "refused");
  };
  if (world.toSuccessor.length > 0) {
    add("the successor loads and decides", (next) => {
      next.toSuccessor = [];
      if (decide(next, "COMMITTED") === "CANCELLED") return refuse(next);
      next.successor.phase = programAfter("takeOver", "COMMITTED").phase;
      next.successor.blocked = "committed";
    });
    add("the successor cannot load", refuse, true);
    return;
  }
  if (!hasOldEnd(world)) add("the successor finds nobody at the pair", refuse);
  else add("the successor waits too long", refuse, true);
}

function hasOldEnd({ supervisor, old }: World): boolean {
  return (supervisor.alive && supervisor.pair) || (old.alive && (old.pair || old.inbox.includes("prepare")));
}

function frozenSteps(world: World, add: Add): void {
  const wake = (next: World, lingers = false): void => {
    next.toOld = [];
    const { old } = next;
    const verdict = decide(next, "CANCELLED");
    old.phase = programAfter("freeze", verdict).phase;
    old.blocked = "";
    old.pair = false;
    if (verdict === "COMMITTED") return lingers ? say(next, "old", "left") : undefined;
    for (const step of ["save", "stop", "quiesce"]) undo(old, step);
    say(next, "old", "thawed");
  };
  if (world.toOld.length > 0) {
    add("the old program hears the verdict", (next) => wake(next));
    add("the old program hears the verdict, and has responses to finish", (next) => wake(next, true));
  } else if (!(world.successor.alive && world.successor.pair))
    add("the old program finds nobody at the pair", wake);
  else add("the old program waits too long", (next) => wake(next), true);
}

function decide(world: World, verdict: "COMMITTED" | "CANCELLED"): "COMMITTED" | "CANCELLED" {
  if (world.verdict === "PENDING") world.verdict = verdict;
  return world.verdict === "COMMITTED" ? "COMMITTED" : "CANCELLED";
}

function say(world: World, name: ProgramName, message: string): void {
  if (!world.supervisor.alive) return;
  (name === "old" ? world.fromOld : world.fromSuccessor).push(message);
}

function die(world: World, name: ProgramName): void {
  const program = world[name];
  if (!program.alive) return;
  Object.assign(program, { alive: false, blocked: "", pair: false, inbox: [], done: [] });
  (name === "old" ? world.fromOld : world.fromSuccessor).push("EXIT");
}

// ---- the supervisor ----

function supervisorDies(world: World): void {
  Object.assign(world.supervisor, { alive: false, broker: null, effects: [], pair: false, adopting: "" });
  world.fresh &&= true;
  for (const name of ["old", "successor"] as const) if (world[name].alive) world[name].inbox.push("EOF");
}

function supervisorSteps(world: World, add: Add): void {
  const { supervisor } = world;
  if (supervisor.adopting !== "") return adoptionSteps(world, add);
  const [effect] = supervisor.effects;
  if (effect !== undefined) {
    add(`the supervisor carries out ${effect.type}`, (next) => {
      next.supervisor.effects.shift();
      carryOut(next, effect);
    });
    return;
  }
  for (const name of ["old", "successor"] as const) {
    const [message] = name === "old" ? world.fromOld : world.fromSuccessor;
    if (message === undefined) continue;
    add(`the supervisor hears ${message} of the ${name}`, (next) => {
      (name === "old" ? next.fromOld : next.fromSuccessor).shift();
      hear(next, name, message);
    });
  }
  const { broker } = supervisor;
  if (broker !== null && broker.phase !== "deciding")
    add(
      "the supervisor loses patience",
      (next) => step(next, { type: "timeout", error: error("UPDATE_TIMEOUT") }),
      true,
    );
}

function hear(world: World, name: ProgramName, message: string): void {
  const { supervisor } = world;
  if (supervisor.broker === null) {
    // Nobody serves any more: the program is started again.
    if (message === "EXIT" && supervisor.current === name) restart(world);
    return;
  }
  const event = brokerEvent(name, message, world.rehearse);
  if (event !== null) step(world, event);
}

function brokerEvent(name: ProgramName, message: string, rehearse: boolean): BrokerEvent | null {
  switch (message) {
    case "EXIT":
      return name === "old"
        ? { type: "oldExited", error: error("PROGRAM_EXITED") }
        : { type: "successorFailed", error: error("PROGRAM_EXITED") };
    case "refused":
      return name === "old"
        ? { type: "refused", error: error("REFUSED") }
        : { type: "successorFailed", error: error("REFUSED") };
    case "prepared":
      return { type: "prepared", rehearse };
    case "serving":
      return { type: "serving", figures: null };
    case "left":
      return { type: "oldLeft" };
    case "thawed":
      return { type: "thawed", error: error("UPDATE_CANCELLED") };
    case "ready":
    case "rehearsed":
    case "verified":
      return { type: message };
    default:
      return null;
  }
}

function step(world: World, event: BrokerEvent): void {
  const [state, effects] = brokerStep(world.supervisor.broker!, event);
  world.supervisor.broker = state;
  world.supervisor.effects.push(...effects.filter(({ type }) => type !== "timer"));
}

function carryOut(world: World, effect: BrokerEffect): void {
  const { supervisor, old, successor } = world;
  const tell = (program: Program, message: string): void => {
    if (program.alive) program.inbox.push(message);
  };
  switch (effect.type) {
    case "prepare":
      supervisor.pair = false;
      return tell(old, "prepare");
    case "rehearse":
      return tell(old, "rehearse");
    case "verify":
      return tell(successor, "verify");
    case "handOver":
      world.verdict = "PENDING";
      tell(successor, "receive");
      supervisor.effects.unshift({ type: "freeze" } as never); // the second half: a death may come between
      return;
    case "decideCancelled":
      return step(world, { type: "verdict", verdict: decide(world, "CANCELLED") });
    case "endSuccessor":
      return die(world, "successor");
    case "endOld":
      return die(world, "old");
    case "cancelOld":
      return tell(old, "cancel");
    case "committed":
    case "crashed":
    case "cancelled":
      return end(world, effect.type);
    default:
      return tell(old, "freeze"); // of handOver
  }
}

function end(world: World, outcome: Supervisor["outcome"]): void {
  const { supervisor } = world;
  supervisor.outcome = outcome;
  supervisor.broker = null;
  supervisor.pair = false;
  supervisor.current = outcome === "cancelled" ? "old" : "successor";
  if (!world[supervisor.current as ProgramName].alive) restart(world);
}

function restart(world: World): void {
  world.supervisor.current = "fresh";
  world.fresh = true;
}

/** `adoptService`, one step for each thing that the programs can see. */
function adoptionSteps(world: World, add: Add): void {
  const { supervisor, old, successor, fresh } = world;
  const settle = (next: World, current: Supervisor["current"]): void => {
    next.supervisor.adopting = "";
    next.supervisor.current = current;
    if (current !== "fresh" && !next[current].alive) restart(next);
  };
  switch (supervisor.adopting) {
    case "dial":
      if (fresh) add("the fresh program is adopted", (next) => settle(next, "fresh"));
      else if (old.alive && old.blocked === "")
        add("the old program answers", (next) => {
          next.old.inbox = []; // of the link that it leaves for the new one
          next.supervisor.adopting = "has old";
        });
      else if (!old.alive && successor.alive && successor.blocked === "")
        add("the successor answers", (next) => {
          next.successor.inbox = [];
          next.supervisor.adopting = "has successor";
        });
      else if (!old.alive && !successor.alive)
        add("nobody is there: started anew", (next) => {
          settle(next, "fresh");
          restart(next);
        });
      return;
    case "has old":
      return add("what the old program counts is decided", (next) => {
        if (decide(next, "CANCELLED") === "COMMITTED") {
          die(next, "old");
          next.supervisor.adopting = "old committed";
          return;
        }
        if (next.old.alive) next.old.inbox.push("cancel");
        die(next, "successor");
        settle(next, "old");
      });
    case "has successor":
      return add("what the successor counts is decided", (next) => {
        if (decide(next, "CANCELLED") === "COMMITTED") return settle(next, "successor");
        die(next, "successor");
        settle(next, "old");
      });
    case "old committed":
      if (!successor.alive || successor.blocked === "")
        add("the successor is dialled", (next) => {
          next.successor.inbox = [];
          settle(next, "successor");
        });
      return;
    default:
      return;
  }
}
