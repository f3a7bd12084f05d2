import assert from "node:assert/strict";
import { test } from "node:test";
import { type SuspendEvent, type SuspendState, suspendStep } from "#src/supervisor/suspend-machine.js";

const error = { code: "CARRIER_FAILED", message: "full", detail: {} };
const other = { code: "PROGRAM_EXITED", message: "ended", detail: {} };

/** Runs events one after the other; returns what was to be done, without timers, and where it ended. */
function run(...events: SuspendEvent[]): string {
  let state: SuspendState = { phase: "freezing" };
  const done: string[] = [];
  for (const event of events) {
    const [next, effects] = suspendStep(state, event);
    state = next;
    for (const effect of effects) {
      if (effect.type === "timer") continue;
      const more =
        "error" in effect ? ` ${effect.error.code}` : "verdict" in effect ? ` ${effect.verdict}` : "";
      done.push(effect.type + more);
    }
  }
  return `${done.join(", ")}; ${state.phase}`;
}

const kept: SuspendEvent[] = [{ type: "suspended" }, { type: "kept" }];
const committed: SuspendEvent = { type: "verdict", verdict: "COMMITTED" };
const cancelled: SuspendEvent = { type: "verdict", verdict: "CANCELLED" };

test("a state that was kept ends the program, by force if need be", () => {
  const left: SuspendEvent = { type: "exited", error: other };
  assert.equal(run(...kept, committed, left), "keep, decide COMMITTED, tell, done; ended");
  assert.equal(
    run(...kept, committed, { type: "timeout", error }, left),
    "keep, decide COMMITTED, tell, kill, done; ended",
  );
});

test("a program that ends while its state is being kept does not stop that", () => {
  const [suspended, stored] = kept as [SuspendEvent, SuspendEvent];
  const exited: SuspendEvent = { type: "exited", error: other };
  assert.equal(run(suspended, exited, stored, committed), "keep, decide COMMITTED, done; ended");
  assert.equal(
    run(suspended, exited, { type: "notKept", error }, cancelled),
    "keep, decide CANCELLED, failed CARRIER_FAILED; ended",
  );
});

test("a program that loses patience serves on at once, and what was being kept for it is abandoned", () => {
  const thawed: SuspendEvent = { type: "thawed", error: other };
  const [suspended, stored] = kept as [SuspendEvent, SuspendEvent];
  assert.equal(
    run(suspended, thawed, { type: "notKept", error }, cancelled),
    "keep, abandon, decide CANCELLED, failed CARRIER_FAILED; ended",
  );
  assert.equal(
    run(suspended, thawed, stored, cancelled),
    "keep, abandon, decide COMMITTED, discard, failed UPDATE_CANCELLED; ended",
  );
});

test("a program that refuses, or that nobody hears of, goes on", () => {
  assert.equal(run({ type: "refused", error }), "failed CARRIER_FAILED; ended");
  assert.equal(
    run({ type: "timeout", error }, cancelled, { type: "refused", error: other }),
    "decide CANCELLED, tell, failed CARRIER_FAILED; ended",
  );
  assert.equal(run({ type: "exited", error: other }), "failed PROGRAM_EXITED; ended");
});

test("a state that could not be kept is a cancel, whoever says so first", () => {
  const thawed: SuspendEvent = { type: "thawed", error: other };
  assert.equal(
    run({ type: "suspended" }, { type: "notKept", error }, cancelled, thawed),
    "keep, decide CANCELLED, tell, failed CARRIER_FAILED; ended",
  );
  assert.equal(
    run(...kept, cancelled, thawed),
    "keep, decide COMMITTED, discard, tell, failed UPDATE_CANCELLED; ended",
  );
});
