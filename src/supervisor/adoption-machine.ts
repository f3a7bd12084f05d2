/**
 * Taking over a service whose supervisor has ended, pure: (state, event) → (state, effects). Dialling blocks while a
 * program is frozen, so what answers is through with its part of an update.
 *
 * ```
 * old answers ── no update ──────────────→ old is kept
 *            └── CANCELLED ── successor ended ──→ old is kept
 *            └── COMMITTED ── old ended ── successor answers or not ──→ it is kept, or started again
 * old gone ──── successor answers ── COMMITTED ──→ it is kept
 *                                └── CANCELLED ── it is ended ──→ the old version is started again
 *          └── successor gone, or no update ──→ nothing is left
 * ```
 */
export type AdoptionState = {
  readonly phase:
    | "dialling old"
    | "deciding beside old"
    | "dialling committed successor"
    | "dialling orphan"
    | "deciding about orphan"
    | "ended";
};

export type AdoptionEvent =
  | { readonly type: "answered" }
  | { readonly type: "gone" }
  | { readonly type: "verdict"; readonly verdict: "COMMITTED" | "CANCELLED" };

export type AdoptionEffect =
  | {
      readonly type:
        | "dialOld"
        | "dialSuccessor"
        | "decideCancelled"
        | "cancelOld"
        /** End a program that does not count: one that has answered, or one that may hang. */
        | "dismissOld"
        | "dismissSuccessor"
        | "endSuccessor"
        /** No program and no memory. */
        | "nothingLeft";
    }
  /** Which version is the service; it is started again if it has ended. */
  | { readonly type: "keep"; readonly who: "old" | "successor" };

type Step = readonly [AdoptionState, readonly AdoptionEffect[]];

/** How it begins. */
export const dialOld: Step = [{ phase: "dialling old" }, [{ type: "dialOld" }]];

/** `updating`: whether an update was under way when the supervisor ended. */
export function adoptionStep(state: AdoptionState, event: AdoptionEvent, updating: boolean): Step {
  switch (`${state.phase}, ${event.type === "verdict" ? event.verdict : event.type}`) {
    case "dialling old, answered":
      if (!updating) return ended({ type: "keep", who: "old" });
      return [{ phase: "deciding beside old" }, [{ type: "decideCancelled" }]];
    case "dialling old, gone":
      if (!updating) return ended({ type: "nothingLeft" });
      return [{ phase: "dialling orphan" }, [{ type: "dialSuccessor" }]];
    case "deciding beside old, CANCELLED":
      return ended({ type: "cancelOld" }, { type: "endSuccessor" }, { type: "keep", who: "old" });
    case "deciding beside old, COMMITTED":
      return [{ phase: "dialling committed successor" }, [{ type: "dismissOld" }, { type: "dialSuccessor" }]];
    case "dialling committed successor, answered":
    case "dialling committed successor, gone":
    case "deciding about orphan, COMMITTED":
      return ended({ type: "keep", who: "successor" });
    case "dialling orphan, answered":
      return [{ phase: "deciding about orphan" }, [{ type: "decideCancelled" }]];
    case "dialling orphan, gone":
      return ended({ type: "nothingLeft" });
    case "deciding about orphan, CANCELLED":
      return ended({ type: "dismissSuccessor" }, { type: "keep", who: "old" });
    default:
      return [state, []];
  }
}

function ended(...effects: AdoptionEffect[]): Step {
  return [{ phase: "ended" }, effects];
}
