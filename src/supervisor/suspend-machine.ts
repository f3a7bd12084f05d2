/** The supervisor's side of a suspend, pure: (state, event) → (state, effects). `live/protocol.ts` tells the story. */
import type { ErrorRecord } from "../error/index.ts";

export type SuspendState =
  | { readonly phase: "freezing" | "leaving" }
  /** The carrier is at work; `alone` when the program has ended meanwhile. */
  | { readonly phase: "keeping"; readonly alone: boolean }
  /** The verdict word is being decided; `error` says why not to commit. */
  | { readonly phase: "deciding"; readonly error: ErrorRecord | null; readonly alone: boolean }
  | { readonly phase: "thawing"; readonly error: ErrorRecord }
  | { readonly phase: "ended" };

export type SuspendEvent =
  | { readonly type: "suspended" | "kept" }
  | { readonly type: "notKept"; readonly error: ErrorRecord }
  /** The program refuses and serves on, serves again, or has ended. */
  | { readonly type: "refused" | "thawed" | "exited"; readonly error: ErrorRecord }
  | { readonly type: "timeout"; readonly error: ErrorRecord }
  | { readonly type: "verdict"; readonly verdict: "COMMITTED" | "CANCELLED" };

export type SuspendEffect =
  | { readonly type: "keep" | "tell" | "discard" | "kill" | "done" }
  | { readonly type: "decide"; readonly verdict: "COMMITTED" | "CANCELLED" }
  | { readonly type: "timer"; readonly phase: "freezing" | "settling" | "none" }
  /** The program goes on; or, if it has ended, its memory waits for another one. */
  | { readonly type: "failed"; readonly error: ErrorRecord };

type Step = readonly [SuspendState, readonly SuspendEffect[]];

export function suspendStep(state: SuspendState, event: SuspendEvent): Step {
  switch (state.phase) {
    case "freezing":
      if (event.type === "suspended")
        return [{ phase: "keeping", alone: false }, [{ type: "timer", phase: "none" }, { type: "keep" }]];
      if (event.type === "timeout") return deciding(event.error, false);
      return "error" in event ? ended({ type: "failed", error: event.error }) : [state, []];
    case "keeping":
      if (event.type === "kept") return deciding(null, state.alone);
      if (event.type === "notKept") return deciding(event.error, state.alone);
      return [event.type === "exited" ? { ...state, alone: true } : state, []];
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

function deciding(error: ErrorRecord | null, alone: boolean): Step {
  const verdict = error === null ? "COMMITTED" : "CANCELLED";
  return [{ phase: "deciding", error, alone }, [{ type: "decide", verdict }]];
}

function decided(
  { error, alone }: SuspendState & { phase: "deciding" },
  verdict: "COMMITTED" | "CANCELLED",
): Step {
  if (verdict === "COMMITTED") {
    if (alone) return ended({ type: "done" });
    return [{ phase: "leaving" }, [{ type: "tell" }, { type: "timer", phase: "settling" }]];
  }
  const why = error ?? {
    code: "UPDATE_CANCELLED",
    message: "the program lost patience before its state was kept; it goes on",
    detail: { reason: "patience" },
  };
  const undo: SuspendEffect[] = error === null ? [{ type: "discard" }] : [];
  if (alone) return [{ phase: "ended" }, [...undo, { type: "failed", error: why }]];
  return [
    { phase: "thawing", error: why },
    [...undo, { type: "tell" }, { type: "timer", phase: "settling" }],
  ];
}

function ended(effect: SuspendEffect): Step {
  return [{ phase: "ended" }, [{ type: "timer", phase: "none" }, effect]];
}
