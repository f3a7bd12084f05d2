import assert from "node:assert/strict";
import { test } from "node:test";
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
import { SUCCESSOR_ENDED } from "#src/live/protocol.js";

const error = (code: string) => ({ code, message: code, detail: {} });

/** Runs events one after the other and returns what was to be done, in words, and where it ended. */
function broker(...events: BrokerEvent[]): { effects: string[]; state: BrokerState } {
  let state: BrokerState = { phase: "booting" };
  const effects: string[] = [];
  for (const event of events) {
    const [next, todo] = brokerStep(state, event);
    state = next;
    effects.push(...todo.map(inWords).filter((text) => text !== ""));
  }
  return { effects, state };
}

function inWords(effect: BrokerEffect): string {
  if (effect.type === "timer") return "";
  return "error" in effect ? `${effect.type} ${effect.error.code}` : effect.type;
}

const untilReceive: BrokerEvent[] = [{ type: "ready" }, { type: "prepared", rehearse: false }];
const untilHandover: BrokerEvent[] = [...untilReceive, { type: "receiving" }];

test("an update commits when the successor serves and the old program has left, in either order", () => {
  const serving: BrokerEvent = { type: "serving", figures: null };
  const left: BrokerEvent = { type: "oldExited", error: error("PROGRAM_EXITED") };
  const committed: BrokerEvent = { type: "verdict", verdict: "COMMITTED" };
  assert.deepEqual(broker(...untilHandover, serving, left).effects, [
    "prepare",
    "receive",
    "freeze",
    "committed",
  ]);
  assert.deepEqual(broker(...untilHandover, left, committed, serving).effects, [
    "prepare",
    "receive",
    "freeze",
    "decideCancelled",
    "committed",
  ]);
});

test("a program that has left finishes what stays with it, and is not ended by what happens to the service", () => {
  const serving: BrokerEvent = { type: "serving", figures: null };
  const left: BrokerEvent = { type: "oldLeft" };
  for (const order of [
    [serving, left],
    [left, serving],
  ]) {
    assert.deepEqual(broker(...untilHandover, ...order).effects, [
      "prepare",
      "receive",
      "freeze",
      "committed",
    ]);
  }
  const crash: BrokerEvent = { type: "successorFailed", error: error("PROGRAM_EXITED") };
  assert.deepEqual(broker(...untilHandover, left, crash).effects, [
    "prepare",
    "receive",
    "freeze",
    "crashed PROGRAM_EXITED",
  ]);
});

test("whatever fails before the hand-over ends the successor and nothing else", () => {
  const failures: BrokerEvent[] = [
    { type: "successorFailed", error: error("PROGRAM_THREW") },
    { type: "timeout", error: error("BOOT_TIMEOUT") },
    { type: "oldExited", error: error("PROGRAM_EXITED") },
  ];
  for (const failure of failures) {
    const code = (failure as { error: { code: string } }).error.code;
    assert.deepEqual(broker(failure).effects, ["endSuccessor", `cancelled ${code}`]);
    assert.deepEqual(broker({ type: "ready" }, failure).effects, [
      "prepare",
      "cancelOld",
      "endSuccessor",
      `cancelled ${code}`,
    ]);
  }
  const refused: BrokerEvent = { type: "refused", error: error("NO_COMMON_VERSION") };
  assert.deepEqual(broker({ type: "ready" }, refused).effects, [
    "prepare",
    "endSuccessor",
    "cancelled NO_COMMON_VERSION",
  ]);
});

test("what the old program says of an earlier update is not taken for this one", () => {
  const stale: BrokerEvent[] = [
    { type: "refused", error: error("UPDATE_CANCELLED") },
    { type: "thawed", error: error("UPDATE_CANCELLED") },
  ];
  assert.deepEqual(broker(...stale, ...untilHandover).effects, ["prepare", "receive", "freeze"]);
  assert.deepEqual(program("serving", { type: "cancel", generation: 1 }).effects, [
    "forget",
    "forgetSuccessor",
  ]);
});

test("a failure during the hand-over is decided in the verdict word, and the old program is heard before the end", () => {
  const failed: BrokerEvent = { type: "successorFailed", error: error("PROGRAM_EXITED") };
  const cancelled: BrokerEvent = { type: "verdict", verdict: "CANCELLED" };
  const { effects, state } = broker(...untilHandover, failed, cancelled);
  assert.deepEqual(effects, ["prepare", "receive", "freeze", "decideCancelled", "endSuccessor", "cancelOld"]);
  assert.equal(state.phase, "thawing");
  const [end, last] = brokerStep(state, { type: "thawed", error: error("UPDATE_CANCELLED") });
  assert.equal(end.phase, "ended");
  assert.deepEqual(last.map(inWords).filter(Boolean), ["cancelled PROGRAM_EXITED"]);
});

test("when the old program says that its successor ended, the successor's own end is the reason", () => {
  const thawed: BrokerEvent = { type: "thawed", error: error("UPDATE_CANCELLED") };
  const cancelled: BrokerEvent = { type: "verdict", verdict: "CANCELLED" };
  const exited: BrokerEvent = { type: "successorFailed", error: error("PROGRAM_EXITED") };
  const { effects } = broker(...untilHandover, thawed, cancelled, exited);
  assert.deepEqual(effects.slice(3), ["decideCancelled", "endSuccessor", "cancelled PROGRAM_EXITED"]);
});

test("the old program is not told to freeze until the successor is ready for it, and forgets it when that fails", () => {
  assert.deepEqual(broker(...untilReceive).effects, ["prepare", "receive"]);
  const failures: BrokerEvent[] = [
    { type: "successorFailed", error: error("PROGRAM_EXITED") },
    { type: "timeout", error: error("UPDATE_TIMEOUT") },
  ];
  for (const failure of failures) {
    const { effects, state } = broker(...untilReceive, failure);
    assert.deepEqual(effects.slice(2, 4), ["cancelOld", "endSuccessor"]);
    assert.match(effects[4]!, /^cancelled/);
    assert.equal(state.phase, "ended");
  }
});

test("when the old program finds nobody at the pair while it prepares, the successor's own end is the reason", () => {
  const alone = { ...error("UPDATE_CANCELLED"), detail: { reason: SUCCESSOR_ENDED } };
  const exited: BrokerEvent = { type: "successorFailed", error: error("PROGRAM_EXITED") };
  const { effects } = broker({ type: "ready" }, { type: "refused", error: alone }, exited);
  assert.deepEqual(effects, ["prepare", "endSuccessor", "cancelled PROGRAM_EXITED"]);
});

test("a supervisor that loses patience too late follows the commit", () => {
  const timeout: BrokerEvent = { type: "timeout", error: error("UPDATE_TIMEOUT") };
  const { effects, state } = broker(...untilHandover, timeout, { type: "verdict", verdict: "COMMITTED" });
  assert.deepEqual(effects, ["prepare", "receive", "freeze", "decideCancelled"]);
  assert.equal(state.phase, "finishing");
});

test("a successor that dies after the commit is a crash, never a cancel", () => {
  const { effects } = broker(
    ...untilHandover,
    { type: "timeout", error: error("UPDATE_TIMEOUT") },
    { type: "verdict", verdict: "COMMITTED" },
    { type: "successorFailed", error: error("PROGRAM_EXITED") },
  );
  assert.deepEqual(effects.slice(-2), ["endOld", "crashed PROGRAM_EXITED"]);
});

test("a successor that is found dead after it had committed has crashed, and the update ends", () => {
  const { effects, state } = broker(
    ...untilHandover,
    { type: "successorFailed", error: error("PROGRAM_EXITED") },
    { type: "verdict", verdict: "COMMITTED" },
  );
  assert.deepEqual(effects.slice(-2), ["endOld", "crashed PROGRAM_EXITED"]);
  assert.equal(state.phase, "ended");
});

test("after the commit nobody is ended for being slow but the old program, once the new one serves", () => {
  const timeout: BrokerEvent = { type: "timeout", error: error("UPDATE_TIMEOUT") };
  const committed: BrokerEvent = { type: "verdict", verdict: "COMMITTED" };
  const slow = broker(...untilHandover, timeout, committed, timeout, timeout);
  assert.deepEqual(slow.effects, ["prepare", "receive", "freeze", "decideCancelled"]);
  assert.equal(slow.state.phase, "finishing");
  const serving = broker(...untilHandover, { type: "serving", figures: null }, timeout);
  assert.deepEqual(serving.effects.slice(-1), ["endOld"]);
});

test("every order of events ends with one outcome, and never with a cancel after a commit", () => {
  const alphabet: BrokerEvent[] = [
    { type: "ready" },
    { type: "prepared", rehearse: false },
    { type: "serving", figures: null },
    { type: "refused", error: error("A") },
    { type: "thawed", error: error("B") },
    { type: "successorFailed", error: error("C") },
    { type: "oldExited", error: error("D") },
    { type: "timeout", error: error("E") },
  ];
  let paths = 0;
  const explore = (state: BrokerState, committed: boolean, outcomes: string[], depth: number): void => {
    paths += 1;
    assert.ok(outcomes.length <= 1, `two outcomes: ${outcomes.join(", ")}`);
    if (committed) assert.ok(!outcomes.includes("cancelled"), "a commit was taken back");
    if (depth === 0) return;
    // The verdict comes at once when it is asked for; either side may have won.
    const events: BrokerEvent[] =
      state.phase === "deciding"
        ? [
            { type: "verdict", verdict: "COMMITTED" },
            ...(committed ? [] : [{ type: "verdict", verdict: "CANCELLED" } as const]),
          ]
        : alphabet;
    for (const event of events) {
      if (event.type === "serving" && state.phase !== "handover" && state.phase !== "finishing") continue;
      const [next, effects] = brokerStep(state, event);
      const commits = event.type === "serving" || (event.type === "verdict" && event.verdict === "COMMITTED");
      const ends = effects
        .map(({ type }) => type)
        .filter((type) => ["committed", "crashed", "cancelled"].includes(type));
      explore(next, committed || commits, [...outcomes, ...ends], depth - 1);
    }
  };
  explore({ phase: "booting" }, false, [], 6);
  assert.ok(paths > 10_000, `only ${paths} paths`);
});

/** Runs a program's events and returns its effects and where it ended. */
function program(
  from: Exclude<ProgramState["phase"], "quiescing">,
  ...events: ProgramEvent[]
): { effects: string[]; phase: string } {
  let state: ProgramState = { phase: from };
  const effects: string[] = [];
  for (const event of events) {
    const [next, todo] = programStep(state, event);
    state = next;
    effects.push(...todo.map(({ type }) => type));
  }
  return { effects, phase: state.phase };
}

const prepare: ProgramEvent = { type: "prepare", generation: 1, lock: {} };
const freeze: ProgramEvent = { type: "freeze", generation: 1, quiesceMs: 1, freezeMs: 1 };
const busy: ProgramEvent = { type: "busy", error: error("REQUESTS_BUSY") };

test("a program serves after its boot, and quiesces and freezes when it is asked", () => {
  assert.deepEqual(program("booting", { type: "ready" }, { type: "boot" }), {
    effects: ["announce", "serve"],
    phase: "serving",
  });
  assert.deepEqual(program("serving", prepare, freeze, { type: "quiet" }).effects, [
    "forget",
    "prepare",
    "forget",
    "quiesce",
    "freeze",
  ]);
});

test("a busy program undoes the quiescing and serves", () => {
  assert.deepEqual(program("serving", freeze, busy), {
    effects: ["forget", "quiesce", "unquiesce", "refuse"],
    phase: "serving",
  });
  const cancel: ProgramEvent = { type: "cancel", generation: 1 };
  assert.deepEqual(program("serving", freeze, cancel).phase, "serving");
  const ofAnother: ProgramEvent = { type: "cancel", generation: 7 };
  assert.deepEqual(program("serving", freeze, ofAnother).phase, "quiescing");
});

test("a message out of its order changes nothing", () => {
  assert.deepEqual(program("serving", { type: "quiet" }, busy, { type: "boot" }), {
    effects: [],
    phase: "serving",
  });
  assert.deepEqual(program("booting", freeze, prepare), { effects: [], phase: "booting" });
});

test("the verdict alone decides who serves", () => {
  assert.equal(programAfter("takeOver", "COMMITTED").phase, "serving");
  assert.equal(programAfter("takeOver", "CANCELLED").phase, "refused");
  assert.equal(programAfter("freeze", "COMMITTED").phase, "left");
  assert.equal(programAfter("freeze", "CANCELLED").phase, "serving");
});
