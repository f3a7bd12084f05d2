/** The supervisor's side of a suspend, pure: (state, event) → (state, effects). `live/protocol.ts` tells the story. */
import type { ErrorRecord } from "../error/index.ts";

export type SuspendState =
  | { readonly phase: "freezing" | "leaving" }
  /** The carrier is at work. */
  | { readonly phase: "keeping"; readonly program: ProgramMeanwhile }
  /** The verdict word is being decided; `error` says why not to commit. */
  | { readonly phase: "deciding"; readonly error: ErrorRecord | null; readonly program: ProgramMeanwhile }
  | { readonly phase: "thawing"; readonly error: ErrorRecord }
  | { readonly phase: "ended" };

/** It waits, has ended, or has lost patience and serves again. */
type ProgramMeanwhile = "frozen" | "exited" | "thawed";

export type SuspendEvent =
  | { readonly type: "suspended" | "kept" }
  | { readonly type: "notKept"; readonly error: ErrorRecord }
  /** The program refuses and serves on, serves again, or has ended. */
  | { readonly type: "refused" | "thawed" | "exited"; readonly error: ErrorRecord }
  | { readonly type: "timeout"; readonly error: ErrorRecord }
  | { readonly type: "verdict"; readonly verdict: "COMMITTED" | "CANCELLED" };

export type SuspendEffect =
  | { readonly type: "keep" | "tell" | "discard" | "kill" | "done" }
  /** Nobody waits any more for what the carrier does. */
  | { readonly type: "abandon" }
  | { readonly type: "decide"; readonly verdict: "COMMITTED" | "CANCELLED" }
  | { readonly type: "timer"; readonly phase: "freezing" | "settling" | "none" }
  /** The program goes on; or, if it has ended, its memory waits for another one. */
  | { readonly type: "failed"; readonly error: ErrorRecord };

type Step = readonly [SuspendState, readonly SuspendEffect[]];

export function suspendStep(state: SuspendState, event: SuspendEvent): Step {
  switch (state.phase) {
    case "freezing":
      if (event.type === "suspended")
        return [
          { phase: "keeping", program: "frozen" },
          [{ type: "timer", phase: "none" }, { type: "keep" }],
        ];
      if (event.type === "timeout") return deciding(event.error, "frozen");
      return "error" in event ? ended({ type: "failed", error: event.error }) : [state, []];
    case "keeping":
      if (event.type === "kept") return deciding(null, state.program);
      if (event.type === "notKept") return deciding(event.error, state.program);
      if (event.type === "exited") return [{ ...state, program: "exited" }, []];
      return event.type === "thawed" ? [{ ...state, program: "thawed" }, [{ type: "abandon" }]] : [state, []];
    case "deciding":
      return event.type === "verdict" ? decided(state, event.verdict) : [state, []];
    case "leaving":
      if (event.type === "exited") return ended({ type: "done" });
      return [state, event.type === "timeout" ? [{ type: "kill" }] : []];
    case "thawing":
      return "error" in event ? ended({ type: "failed", error: state.error }) : [state, []];
    case "ended":
      return [state, []];
  }
}

function deciding(error: ErrorRecord | null, program: ProgramMeanwhile): Step {
  const verdict = error === null ? "COMMITTED" : "CANCELLED";
  return [{ phase: "deciding", error, program }, [{ type: "decide", verdict }]];
}

function decided(
  { error, program }: SuspendState & { phase: "deciding" },
  verdict: "COMMITTED" | "CANCELLED",
): Step {
  if (verdict === "COMMITTED") {
    if (program === "exited") return ended({ type: "done" });
    return [{ phase: "leaving" }, [{ type: "tell" }, { type: "timer", phase: "settling" }]];
  }
  const why = error ?? {
    code: "UPDATE_CANCELLED",
    message: "the program lost patience before its state was kept; it goes on",
    detail: { reason: "patience" },
  };
  const undo: SuspendEffect[] = error === null ? [{ type: "discard" }] : [];
  if (program !== "frozen") return [{ phase: "ended" }, [...undo, { type: "failed", error: why }]];
  return [
    { phase: "thawing", error: why },
    [...undo, { type: "tell" }, { type: "timer", phase: "settling" }],
  ];
}

function ended(effect: SuspendEffect): Step {
  return [{ phase: "ended" }, [{ type: "timer", phase: "none" }, effect]];
}
