/**
 * A model of updates, one after the other. Real are the machines of the supervisor, of the programs and of an adoption,
 * the messages and what they mean (`update-messages.ts`), and the verdict words. Around them is what carries them,
 * made small: queues, the pair, blocking, time-outs, deaths, and a second supervisor. What `supervised.ts`,
 * `old-side.ts`, `freeze.ts` and `take-over.ts` do is one step here for each thing that others can see.
 */
import type { ErrorRecord } from "#src/error/index.js";
import {
  type BrokerEffect,
  type BrokerEvent,
  type BrokerState,
  brokerStep,
  type ProgramEffect,
  type ProgramEvent,
  type ProgramState,
  programAfter,
  programStep,
} from "#src/live/machine.js";
import type { ToProgram, ToSupervisor } from "#src/live/protocol.js";
import {
  brokerEvent,
  brokerMessages,
  endEvent,
  type UpdateFacts,
  type UpdateSide,
} from "#src/live/update-messages.js";
import { VerdictTable } from "#src/memory/verdict.js";
import {
  type AdoptionEffect,
  type AdoptionEvent,
  type AdoptionState,
  adoptionStep,
  dialOld,
} from "#src/supervisor/adoption-machine.js";

export interface Program {
  alive: boolean;
  state: ProgramState;
  /** What it is in the middle of, and reads no message meanwhile. */
  blocked: "" | "frozen" | "taking" | "committed";
  /** The update for which it is blocked. */
  generation: number;
  /** The update whose pair it holds an end of; 0: none. */
  pair: number;
  /** What has come there. */
  heard: string[];
  /** The update that it prepares, and the one for which it is prepared; 0: none. */
  preparing: number;
  prepared: number;
  /** What it has done for the freeze and has not undone, in order. */
  done: string[];
  /** From the supervisor; `EOF` when that has ended. */
  inbox: (ToProgram | { readonly type: "EOF" })[];
  /** To the supervisor; `EXIT` is the last that is ever heard. */
  outbox: (ToSupervisor | { readonly type: "EXIT" })[];
}

interface Supervisor {
  alive: boolean;
  /** The update under way; null: none. */
  broker: BrokerState | null;
  /** What is still to be carried out of the last step, and what of that is still to be said. */
  effects: BrokerEffect[];
  saying: (readonly [UpdateSide, ToProgram])[];
  /** Whether it holds the old program's end of the pair. */
  pair: boolean;
  /** Which program it would say is the service. */
  current: UpdateSide | "fresh";
  outcome: "" | "committed" | "cancelled" | "crashed";
  adoption: { state: AdoptionState; effects: AdoptionEffect[] } | null;
}

export interface World {
  supervisor: Supervisor;
  /** Of the last update that was begun, as it is written down; `updating`: while it is under way. */
  record: { generation: number; updating: boolean };
  old: Program;
  successor: Program;
  /** A program that was started anew because the one that served had died. */
  fresh: boolean;
  verdicts: number[];
  /** Failures that are left to happen, and updates that are left to begin. */
  failures: number;
  updates: number;
  /** What of a program that is not in the model any more went wrong. */
  remains: string;
}

/** How the updates are asked for. */
export interface Plan {
  readonly rehearse: boolean;
  /** Whether each update but the first may be a rollback to a program that stands by. */
  readonly standby: boolean;
}

export interface Transition {
  readonly label: string;
  readonly next: World;
  /** Whether it is something going wrong, rather than things going on. */
  readonly isFailure: boolean;
}

const error = (code: string): ErrorRecord => ({ code, message: "", detail: {} });

function newProgram(state: ProgramState): Program {
  const nothing = { pair: 0, preparing: 0, prepared: 0, generation: 0 };
  return { alive: true, state, blocked: "", ...nothing, heard: [], done: [], inbox: [], outbox: [] };
}

/** A program serves, and so many updates will be asked for. */
export function beginning(failures: number, updates = 1): World {
  const gone = { ...newProgram({ phase: "left" }), alive: false };
  return {
    supervisor: {
      alive: true,
      broker: null,
      effects: [],
      saying: [],
      pair: false,
      current: "old",
      outcome: "",
      adoption: null,
    },
    record: { generation: 0, updating: false },
    old: newProgram({ phase: "serving" }),
    successor: gone,
    fresh: false,
    verdicts: Array.from({ length: updates + 1 }, () => 0),
    failures,
    updates,
    remains: "",
  };
}

/** The programs that clients are served by. */
export function serving(world: World): string[] {
  const { old, successor, fresh } = world;
  const serves = ({ alive, blocked, state }: Program): boolean =>
    alive && blocked === "" && ["serving", "quiescing"].includes(state.phase);
  return [
    ...(serves(old) ? ["old"] : []),
    ...(serves(successor) ? ["successor"] : []),
    ...(fresh ? ["fresh"] : []),
  ];
}

/** Whether everything has come to rest: a supervisor has one program, which serves, and nobody else is there. */
export function isSettled(world: World): boolean {
  const { alive, broker, adoption, current } = world.supervisor;
  const others = (["old", "successor"] as const).filter((name) => name !== current && world[name].alive);
  return (
    alive && broker === null && adoption === null && serving(world).join() === current && others.length === 0
  );
}

/** Whether a successor waits for a supervisor that has ended, and has read that. */
function isAbandoned({ supervisor, successor }: World): boolean {
  const { alive, state, blocked, inbox } = successor;
  return !supervisor.alive && alive && state.phase === "waiting" && blocked === "" && inbox.length === 0;
}

export function verdictOf({ verdicts, record }: World): "PENDING" | "COMMITTED" | "CANCELLED" {
  return new VerdictTable(Int32Array.from(verdicts)).read(record.generation);
}

/** What must hold in every state; the sentences that do not. */
export function violations(world: World): string[] {
  const { old, successor, supervisor, remains } = world;
  const verdict = verdictOf(world);
  const who = serving(world);
  const rules: [boolean, string][] = [
    [remains === "", remains],
    [!isAbandoned(world), "a successor waits for ever"],
    [who.length <= 1, `two programs serve: ${who.join()}`],
    [verdict !== "COMMITTED" || !who.includes("old"), "the old program serves after the commit"],
    [verdict === "COMMITTED" || !who.includes("successor"), "the successor serves without a commit"],
    [
      !who.includes("old") || old.state.phase === "quiescing" || old.done.length === 0,
      "something of the freeze was not undone",
    ],
    [
      old.blocked !== "frozen" || old.prepared === old.generation,
      `the old program froze for update ${old.generation} with what it had prepared for ${old.prepared}`,
    ],
    [
      successor.blocked !== "taking" || successor.generation === world.record.generation,
      "a successor takes over in another update",
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
export function transitions(world: World, plan: Plan): Transition[] {
  const found: Transition[] = [];
  const text = JSON.stringify(world);
  const add: Add = (label, change, isFailure = false) => {
    if (isFailure && world.failures === 0) return;
    const next = JSON.parse(text) as World;
    if (isFailure) next.failures -= 1;
    change(next);
    found.push({ label, next, isFailure });
  };
  programSteps(world, "old", add);
  programSteps(world, "successor", add);
  if (world.supervisor.alive) supervisorSteps(world, plan, add);
  else add("another supervisor adopts", adoptionBegins);
  for (const name of ["old", "successor"] as const)
    if (world[name].alive) add(`${name} dies`, (next) => die(next, name), true);
  if (world.supervisor.alive) add("the supervisor dies", supervisorDies, true);
  return found;
}

type Add = (label: string, change: (next: World) => void, isFailure?: boolean) => void;

// ---- programs ----

function programSteps(world: World, name: UpdateSide, add: Add): void {
  const program = world[name];
  const { phase } = program.state;
  if (!program.alive) return;
  if (phase === "refused" || phase === "left") {
    add(`${name} exits`, (next) => die(next, name));
    return;
  }
  if (name === "successor" && phase === "booting") {
    add("the successor has booted", (next) => feed(next, name, { type: "ready" }));
    add("the successor throws at boot", (next) => die(next, name), true);
  }
  if (program.blocked === "taking") takingSteps(world, add);
  if (program.blocked === "committed") add("the successor begins to serve", beginServing);
  if (program.blocked === "frozen") frozenSteps(world, add);
  if (program.blocked !== "") return;
  if (phase === "quiescing") {
    add("the old program is quiet", (next) => feed(next, name, { type: "quiet" }));
    const busy: ProgramEvent = { type: "busy", error: error("REQUESTS_BUSY") };
    add("a request stays busy", (next) => feed(next, name, busy), true);
  }
  if (program.preparing !== 0) preparingSteps(program.preparing, add);
  const [message] = program.inbox;
  if (message !== undefined) receiveSteps(name, message, add);
}

/** `OldSide.prepare` takes its time, in which messages are read. */
function preparingSteps(generation: number, add: Add): void {
  add("the old program is prepared", ({ old }) => {
    old.prepared = generation;
    old.preparing = 0;
    old.outbox.push({ type: "prepared", generation, versionIds: {} });
  });
  const refuse = ({ old }: World): void => {
    forgetSuccessor(old);
    old.outbox.push({ type: "refused", generation, error: error("REFUSED") });
  };
  add("the old program refuses to prepare", refuse, true);
}

function receiveSteps(name: UpdateSide, message: Program["inbox"][number], add: Add): void {
  const deliver = (next: World, refused: boolean): void => {
    next[name].inbox.shift();
    if (message.type === "EOF") {
      if (name === "successor") feed(next, name, { type: "abandoned" });
    } else if (message.type !== "listening") feed(next, name, message, refused);
  };
  add(`${name} reads ${message.type}`, (next) => deliver(next, false));
  if (message.type === "rehearse" || message.type === "verify")
    add(`${name} refuses to ${message.type}`, (next) => deliver(next, true), true);
}

function feed(world: World, name: UpdateSide, event: ProgramEvent, refused = false): void {
  const [state, effects] = programStep(world[name].state, event);
  world[name].state = state;
  for (const effect of effects) programEffect(world, name, effect, refused);
}

/** `Supervised`. */
function programEffect(world: World, name: UpdateSide, effect: ProgramEffect, refused: boolean): void {
  const program = world[name];
  const say = (message: ToSupervisor): void => void program.outbox.push(message);
  switch (effect.type) {
    case "announce":
      return say({ type: "ready", lock: {}, listeners: [] });
    case "prepare":
      forgetSuccessor(program);
      program.pair = effect.generation;
      program.preparing = effect.generation;
      return;
    case "rehearse":
    case "verify": {
      const { generation } = effect;
      if (refused) return say({ type: "refused", generation, error: error("REFUSED") });
      if (effect.type === "rehearse") return say({ type: "rehearsed", generation, streamBytes: 1 });
      return say({ type: "verified", generation });
    }
    case "takeOver":
      say({ type: "receiving", generation: effect.generation });
      program.blocked = "taking";
      program.generation = effect.generation;
      return;
    case "quiesce":
      program.done.push("quiesce");
      return;
    case "unquiesce":
      undo(program, "quiesce");
      return forgetSuccessor(program);
    case "forgetSuccessor":
      return forgetSuccessor(program);
    case "refuse":
      return say({ type: "refused", generation: effect.generation, error: effect.error });
    case "freeze":
      program.blocked = "frozen";
      program.generation = effect.generation;
      program.done.push("stop", "save");
      if (world.successor.pair === program.pair) world.successor.heard.push("frozen");
      return;
    default:
      return;
  }
}

function forgetSuccessor(program: Program): void {
  Object.assign(program, { pair: 0, heard: [], preparing: 0, prepared: 0 });
}

/** The last thing that was done is the first that is undone. */
function undo(program: Program, what: string): void {
  if (program.done.pop() !== what) program.done.push(`${what} was undone out of order`);
}

/** `takeOver`. */
function takingSteps(world: World, add: Add): void {
  const { generation, heard } = world.successor;
  const tell = ({ old }: World, word: string): void => {
    if (old.pair === generation) old.heard.push(word);
  };
  const refuse = (next: World): void => {
    const { successor } = next;
    decide(next, generation, "CANCELLED");
    Object.assign(successor, { blocked: "", state: programAfter("takeOver", "CANCELLED"), pair: 0 });
    tell(next, "refused");
    successor.outbox.push({ type: "refused", generation, error: error("REFUSED") });
  };
  if (heard.length > 0) {
    add("the successor loads and decides", (next) => {
      const { successor } = next;
      successor.heard = [];
      if (decide(next, generation, "COMMITTED") === "CANCELLED") return refuse(next);
      successor.state = programAfter("takeOver", "COMMITTED");
      successor.blocked = "committed";
      tell(next, "committed");
    });
    add("the successor cannot load", refuse, true);
  } else if (!hasOldEnd(world)) add("the successor finds nobody at the pair", refuse);
  else add("the successor waits too long", refuse, true);
}

function beginServing({ successor }: World): void {
  Object.assign(successor, { blocked: "", pair: 0 });
  successor.outbox.push({ type: "serving", figures: null });
}

function hasOldEnd({ supervisor, successor, old }: World): boolean {
  const { generation } = successor;
  const inFlight = old.inbox.some(
    (message) => message.type === "prepare" && message.generation === generation,
  );
  return (supervisor.alive && supervisor.pair) || (old.alive && (old.pair === generation || inFlight));
}

/** `freeze`, from the moment it waits. */
function frozenSteps({ old, successor }: World, add: Add): void {
  const { generation } = old;
  const wake = (next: World, connections = 0): void => {
    const verdict = decide(next, generation, "CANCELLED");
    next.old.state = programAfter("freeze", verdict);
    next.old.blocked = "";
    forgetSuccessor(next.old);
    if (verdict === "COMMITTED") {
      if (connections > 0) next.old.outbox.push({ type: "left", generation, connections });
      return;
    }
    for (const step of ["save", "stop", "quiesce"]) undo(next.old, step);
    next.old.outbox.push({ type: "thawed", generation, error: error("UPDATE_CANCELLED") });
  };
  if (old.heard.length > 0) {
    add("the old program hears the verdict", (next) => wake(next));
    add("the old program hears the verdict, and has responses to finish", (next) => wake(next, 1));
  } else if (!(successor.alive && successor.pair === generation))
    add("the old program finds nobody at the pair", (next) => wake(next));
  else add("the old program waits too long", (next) => wake(next), true);
}

/** The verdict word, as it is. */
function decide(
  world: World,
  generation: number,
  verdict: "COMMITTED" | "CANCELLED",
): "COMMITTED" | "CANCELLED" {
  const words = Int32Array.from(world.verdicts);
  const decided = new VerdictTable(words).decide(generation, verdict);
  world.verdicts = [...words];
  return decided;
}

function open(world: World): void {
  const words = Int32Array.from(world.verdicts);
  new VerdictTable(words).open(world.record.generation);
  world.verdicts = [...words];
}

function die(world: World, name: UpdateSide): void {
  const program = world[name];
  if (!program.alive) return;
  const { outbox } = program;
  world[name] = { ...newProgram({ phase: "left" }), alive: false, outbox: [...outbox, { type: "EXIT" }] };
}

// ---- the supervisor ----

function supervisorDies(world: World): void {
  const { supervisor } = world;
  Object.assign(supervisor, {
    alive: false,
    broker: null,
    effects: [],
    saying: [],
    pair: false,
    adoption: null,
  });
  for (const name of ["old", "successor"] as const)
    if (world[name].alive) world[name].inbox.push({ type: "EOF" });
}

function supervisorSteps(world: World, plan: Plan, add: Add): void {
  const { supervisor } = world;
  if (supervisor.adoption !== null) return adoptionSteps(world, add);
  const [saying] = supervisor.saying;
  const [effect] = supervisor.effects;
  if (saying !== undefined) {
    const [to, message] = saying;
    return add(`the supervisor tells ${to} to ${message.type}`, (next) => {
      next.supervisor.saying.shift();
      if (next[to].alive) next[to].inbox.push(message);
    });
  }
  if (effect !== undefined) {
    return add(`the supervisor carries out ${effect.type}`, (next) => {
      next.supervisor.effects.shift();
      carryOut(next, effect, plan);
    });
  }
  for (const name of ["old", "successor"] as const) {
    const [message] = world[name].outbox;
    if (message === undefined) continue;
    add(`the supervisor hears ${message.type} of the ${name}`, (next) => {
      next[name].outbox.shift();
      hear(next, name, message, plan);
    });
  }
  const { broker, current } = supervisor;
  const timeout: BrokerEvent = { type: "timeout", error: error("UPDATE_TIMEOUT") };
  if (broker !== null && broker.phase !== "deciding")
    add("the supervisor loses patience", (next) => step(next, timeout), true);
  // Whether the program that it knows of is alive is not known to it.
  const isThere = current === "fresh" || world[current].alive;
  if (broker !== null || world.updates === 0 || !isThere) return;
  add("an update begins", (next) => updateBegins(next, "booting"));
  if (plan.standby && world.record.generation > 0)
    add("a rollback to a program that stands by begins", (next) => updateBegins(next, "waiting"));
}

/** `UpdateSeries`: whoever serves is the old program now. */
function updateBegins(world: World, phase: "booting" | "waiting"): void {
  const { supervisor, record } = world;
  const { current } = supervisor;
  const other = current === "old" ? world.successor : world.old;
  if (current !== "fresh" && other.alive && other.state.phase !== "left")
    world.remains = `a program of update ${record.generation} is still there: ${other.state.phase}`;
  if (current === "successor") world.old = world.successor;
  if (current === "fresh") {
    world.old = newProgram({ phase: "serving" });
    world.fresh = false;
  }
  record.generation += 1;
  record.updating = true;
  world.updates -= 1;
  world.successor = { ...newProgram({ phase }), pair: record.generation };
  Object.assign(supervisor, { broker: { phase: "booting" }, pair: true, current: "old", outcome: "" });
  if (phase === "waiting") step(world, { type: "ready" });
}

function factsOf(world: World, { rehearse }: Plan): UpdateFacts {
  return { generation: world.record.generation, rehearse, force: false, quiesceMs: 1, freezeMs: 1 };
}

/** `Supervisor` and `Update`. */
function hear(world: World, name: UpdateSide, message: Program["outbox"][number], plan: Plan): void {
  const { supervisor } = world;
  if (message.type === "EXIT") {
    if (supervisor.broker !== null) step(world, endEvent(name, error("PROGRAM_EXITED")));
    else if (supervisor.current === name) restart(world); // nobody serves any more
    return;
  }
  const event = supervisor.broker === null ? null : brokerEvent(name, message, factsOf(world, plan));
  if (event !== null) step(world, event);
}

function step(world: World, event: BrokerEvent): void {
  const [state, effects] = brokerStep(world.supervisor.broker!, event);
  world.supervisor.broker = state;
  world.supervisor.effects.push(...effects.filter(({ type }) => type !== "timer"));
}

function carryOut(world: World, effect: BrokerEffect, plan: Plan): void {
  const { supervisor, record } = world;
  supervisor.saying.push(...brokerMessages(effect, factsOf(world, plan), { lock: {}, versionIds: {} }));
  switch (effect.type) {
    case "prepare":
      supervisor.pair = false;
      return;
    case "receive":
      return open(world);
    case "decideCancelled":
      return step(world, { type: "verdict", verdict: decide(world, record.generation, "CANCELLED") });
    case "endSuccessor":
      return die(world, "successor");
    case "endOld":
      return die(world, "old");
    case "committed":
    case "crashed":
    case "cancelled":
      return updateEnds(world, effect.type);
    default:
      return;
  }
}

function updateEnds(world: World, outcome: "committed" | "crashed" | "cancelled"): void {
  const { supervisor } = world;
  const current = outcome === "cancelled" ? "old" : "successor";
  Object.assign(supervisor, { outcome, broker: null, pair: false });
  settle(world, current);
}

function settle(world: World, current: UpdateSide): void {
  world.supervisor.current = current;
  world.record.updating = false;
  if (!world[current].alive) restart(world);
}

function restart(world: World): void {
  world.supervisor.current = "fresh";
  world.fresh = true;
}

// ---- another supervisor ----

function adoptionBegins(world: World): void {
  const [state, effects] = dialOld;
  Object.assign(world.supervisor, { alive: true, outcome: "", adoption: { state, effects: [...effects] } });
  // It hears what the programs say to it, and nothing of what they said before.
  for (const name of ["old", "successor"] as const)
    world[name].outbox = world[name].alive ? [] : [{ type: "EXIT" }];
}

/** `adoptService`. */
function adoptionSteps(world: World, add: Add): void {
  const { supervisor, fresh, record } = world;
  if (fresh) return add("the fresh program is adopted", (next) => adopted(next, "fresh"));
  const [effect] = supervisor.adoption!.effects;
  if (effect === undefined) throw new Error("an adoption has no end");
  const carry = (change: (next: World) => void): void =>
    add(`adoption: ${effect.type}`, (next) => {
      next.supervisor.adoption!.effects.shift();
      change(next);
    });
  const feedAdoption = (next: World, event: AdoptionEvent): void => {
    const adoption = next.supervisor.adoption!;
    const [state, effects] = adoptionStep(adoption.state, event, next.record.updating);
    adoption.state = state;
    adoption.effects.push(...effects);
  };
  const dial = (name: UpdateSide): void => {
    if (world[name].blocked !== "") return; // it answers when it is through
    carry((next) => {
      next[name].inbox = []; // of the link that it leaves for the new one
      feedAdoption(next, { type: next[name].alive ? "answered" : "gone" });
    });
  };
  switch (effect.type) {
    case "dialOld":
      return dial(supervisor.current === "successor" ? "successor" : "old");
    case "dialSuccessor":
      return dial("successor");
    case "decideCancelled":
      return carry((next) =>
        feedAdoption(next, { type: "verdict", verdict: decide(next, record.generation, "CANCELLED") }),
      );
    case "cancelOld":
      return carry(({ old }) => {
        if (old.alive) old.inbox.push({ type: "cancel", generation: record.generation });
      });
    case "dismissOld":
      return carry((next) => die(next, "old"));
    case "dismissSuccessor":
    case "endSuccessor":
      return carry((next) => die(next, "successor"));
    case "keep":
      return carry((next) =>
        adopted(next, supervisor.current === "successor" && !record.updating ? "successor" : effect.who),
      );
    case "nothingLeft":
      return carry((next) => adopted(next, "fresh"));
  }
}

function adopted(world: World, current: UpdateSide | "fresh"): void {
  world.supervisor.adoption = null;
  if (current !== "fresh") return settle(world, current);
  world.record.updating = false;
  restart(world);
}
