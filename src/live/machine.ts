/**
 * The two state machines of an update, pure: (state, event) → (state, effects). `protocol.ts` tells the story;
 * here it is as tables. The supervisor runs `brokerStep`, a program runs `programStep`; whoever carries out an
 * effect feeds its result back as an event.
 */
import type { ErrorRecord } from "../error/index.ts";
import { type HandoverFigures, SUCCESSOR_ENDED, type VersionIds } from "./protocol.ts";

// ---- the supervisor's side ----

export type BrokerState =
  | { readonly phase: "booting" | "preparing" | "rehearsing" | "receiving" | "handover" }
  /** The verdict word is being decided because of `error`; `old` is what the old program has said or done. */
  | {
      readonly phase: "deciding";
      readonly error: ErrorRecord;
      readonly old: "frozen" | "thawed" | "exited";
      /** The successor is gone: if it had committed before, it has crashed. */
      readonly successorFailed: boolean;
    }
  | { readonly phase: "thawing"; readonly error: ErrorRecord }
  /** The old program serves because its successor ended; the successor's own end says why. */
  | { readonly phase: "burying"; readonly error: ErrorRecord }
  | {
      readonly phase: "finishing";
      readonly figures: HandoverFigures | null;
      readonly serving: boolean;
      readonly left: boolean;
    }
  | { readonly phase: "ended" };

export type BrokerEvent =
  | { readonly type: "ready" }
  /** The old program can write what the successor reads; `rehearse`: that is to be tried first. */
  | { readonly type: "prepared"; readonly rehearse: boolean }
  /** The old program has saved a trial stream, and the successor can load it. */
  | { readonly type: "rehearsed" | "verified" }
  /** The successor looks at nothing but the pair from now on. */
  | { readonly type: "receiving" }
  /** The successor refused, threw or exited. */
  | { readonly type: "successorFailed"; readonly error: ErrorRecord }
  | { readonly type: "serving"; readonly figures: HandoverFigures | null }
  /** The old program refuses and serves on, or serves again. */
  | { readonly type: "refused" | "thawed"; readonly error: ErrorRecord }
  | { readonly type: "timeout"; readonly error: ErrorRecord }
  | { readonly type: "oldExited"; readonly error: ErrorRecord }
  /** The old program has handed over and finishes what stays with it: it has no part in the service any more. */
  | { readonly type: "oldLeft" }
  | { readonly type: "verdict"; readonly verdict: "COMMITTED" | "CANCELLED" };

export type BrokerEffect =
  | {
      readonly type:
        | "prepare"
        | "rehearse"
        | "verify"
        | "receive"
        | "freeze"
        | "decideCancelled"
        | "endSuccessor"
        | "endOld";
    }
  | { readonly type: "timer"; readonly phase: TimedPhase | "none" }
  | { readonly type: "cancelOld" }
  | { readonly type: "committed"; readonly figures: HandoverFigures | null }
  | { readonly type: "crashed"; readonly error: ErrorRecord }
  | { readonly type: "cancelled"; readonly error: ErrorRecord };

/** Phases that must not take for ever. */
export type TimedPhase = "preparing" | "rehearsing" | "receiving" | "handover" | "thawing" | "finishing";

type Step<State, Effect> = readonly [State, readonly Effect[]];

/** One step of the supervisor's side of an update. */
export function brokerStep(state: BrokerState, event: BrokerEvent): Step<BrokerState, BrokerEffect> {
  switch (state.phase) {
    case "booting":
      if (event.type === "ready")
        return [{ phase: "preparing" }, [{ type: "timer", phase: "preparing" }, { type: "prepare" }]];
      // It has not been asked yet: a program of protocol version 1 says that of an update before this one.
      if (event.type === "refused" || event.type === "thawed") return [state, []];
      return "error" in event ? cancelled(event.error) : [state, []];
    case "preparing":
      if (event.type === "prepared") {
        if (!event.rehearse) return receiving;
        return [{ phase: "rehearsing" }, [{ type: "timer", phase: "rehearsing" }, { type: "rehearse" }]];
      }
      if (!("error" in event)) return [state, []];
      if (event.type === "refused" && isLeftAlone(event.error)) return burying(event.error);
      return event.type === "refused" ? cancelled(event.error) : cancelledWithOld(event.error);
    case "rehearsing":
      if (event.type === "rehearsed") return [state, [{ type: "verify" }]];
      if (event.type === "verified") return receiving;
      return "error" in event ? cancelledWithOld(event.error) : [state, []];
    case "receiving":
      if (event.type === "receiving")
        return [{ phase: "handover" }, [{ type: "timer", phase: "handover" }, { type: "freeze" }]];
      // The old program has not been told to freeze, so nobody can have committed.
      return "error" in event ? cancelledWithOld(event.error) : [state, []];
    case "handover":
      if (event.type === "serving") return finishing({ figures: event.figures, serving: true, left: false });
      if (event.type === "oldLeft") return finishing({ figures: null, serving: false, left: true });
      if (!("error" in event)) return [state, []];
      return [
        {
          phase: "deciding",
          error: event.error,
          old: oldAfter(event),
          successorFailed: event.type === "successorFailed",
        },
        [{ type: "decideCancelled" }],
      ];
    case "deciding":
      return deciding(state, event);
    case "thawing":
      if (
        event.type !== "thawed" &&
        event.type !== "refused" &&
        event.type !== "oldExited" &&
        event.type !== "timeout"
      ) {
        return [state, []];
      }
      // A successor that was left alone knows less than the program that left it.
      return ended(state.error.code === "UPDATE_CANCELLED" ? event.error : state.error);
    case "burying":
      if (event.type === "successorFailed") return ended(event.error);
      return event.type === "timeout" ? ended(state.error) : [state, []];
    case "finishing":
      return finish(state, event);
    case "ended":
      return [state, []];
  }
}

const receiving: Step<BrokerState, BrokerEffect> = [
  { phase: "receiving" },
  [{ type: "timer", phase: "receiving" }, { type: "receive" }],
];

function oldAfter(event: BrokerEvent): "frozen" | "thawed" | "exited" {
  if (event.type === "oldExited") return "exited";
  return event.type === "refused" || event.type === "thawed" ? "thawed" : "frozen";
}

function deciding(
  state: BrokerState & { phase: "deciding" },
  event: BrokerEvent,
): Step<BrokerState, BrokerEffect> {
  if (event.type !== "verdict") return [state, []];
  if (event.verdict === "COMMITTED" && state.successorFailed) return crashed(state.error);
  if (event.verdict === "COMMITTED")
    return finishing({ figures: null, serving: false, left: state.old === "exited" });
  if (state.old !== "frozen" && state.error.code === "UPDATE_CANCELLED") {
    return burying(state.error);
  }
  if (state.old !== "frozen") return cancelled(state.error);
  return [
    { phase: "thawing", error: state.error },
    [{ type: "timer", phase: "thawing" }, { type: "endSuccessor" }, { type: "cancelOld" }],
  ];
}

/** Whether a program gives up because it has found nobody at the pair. */
function isLeftAlone({ code, detail }: ErrorRecord): boolean {
  return code === "UPDATE_CANCELLED" && (detail as { reason?: string }).reason === SUCCESSOR_ENDED;
}

function burying(error: ErrorRecord): Step<BrokerState, BrokerEffect> {
  return [{ phase: "burying", error }, [{ type: "timer", phase: "thawing" }, { type: "endSuccessor" }]];
}

type Finishing = BrokerState & { phase: "finishing" };

function finishing(facts: Omit<Finishing, "phase">): Step<BrokerState, BrokerEffect> {
  return [{ phase: "finishing", ...facts }, [{ type: "timer", phase: "finishing" }]];
}

/** After the commit: the successor serves and the old program leaves, in either order. */
function finish(state: Finishing, event: BrokerEvent): Step<BrokerState, BrokerEffect> {
  if (event.type === "successorFailed")
    return [
      { phase: "ended" },
      [...(state.left ? [] : [{ type: "endOld" } as const]), { type: "crashed", error: event.error }],
    ];
  if (event.type === "timeout") {
    // Nobody is ended for being slow after a commit but the program that has nothing left to do.
    const effects: BrokerEffect[] = [{ type: "timer", phase: "finishing" }];
    return [state, state.serving ? [...effects, { type: "endOld" }] : effects];
  }
  const next = {
    ...state,
    figures: event.type === "serving" ? event.figures : state.figures,
    serving: state.serving || event.type === "serving",
    left: state.left || event.type === "oldExited" || event.type === "oldLeft",
  };
  if (!next.serving || !next.left) return [next, []];
  return [
    { phase: "ended" },
    [
      { type: "timer", phase: "none" },
      { type: "committed", figures: next.figures },
    ],
  ];
}

/** The state is lost with the successor; the old program has let go of it. */
function crashed(error: ErrorRecord): Step<BrokerState, BrokerEffect> {
  return [
    { phase: "ended" },
    [{ type: "timer", phase: "none" }, { type: "endOld" }, { type: "crashed", error }],
  ];
}

function cancelled(error: ErrorRecord): Step<BrokerState, BrokerEffect> {
  const [next, effects] = ended(error);
  return [next, [{ type: "endSuccessor" }, ...effects]];
}

/** The old program serves, and has something prepared that nobody will take. */
function cancelledWithOld(error: ErrorRecord): Step<BrokerState, BrokerEffect> {
  const [next, effects] = cancelled(error);
  return [next, [{ type: "cancelOld" }, ...effects]];
}

function ended(error: ErrorRecord): Step<BrokerState, BrokerEffect> {
  return [
    { phase: "ended" },
    [
      { type: "timer", phase: "none" },
      { type: "cancelled", error },
    ],
  ];
}

// ---- the program's side ----

export type ProgramState =
  | { readonly phase: "booting" | "waiting" | "serving" | "left" | "refused" }
  /** Of the update or suspend that it will freeze for. */
  | { readonly phase: "quiescing"; readonly generation: number };

interface PrepareRequest {
  readonly type: "prepare";
  readonly generation: number;
  readonly lock: unknown;
  readonly force?: boolean;
}

export type ProgramEvent =
  | { readonly type: "boot" }
  | {
      readonly type: "receive";
      readonly generation: number;
      readonly timeoutMs: number;
      readonly versionIds: VersionIds;
    }
  | PrepareRequest
  | {
      readonly type: "freeze";
      readonly generation: number;
      readonly quiesceMs: number;
      readonly freezeMs: number;
      readonly dropStalled?: boolean;
    }
  | {
      readonly type: "suspend";
      readonly generation: number;
      readonly quiesceMs: number;
      readonly freezeMs: number;
      readonly lock: unknown;
      readonly detachedMs?: number;
      readonly dropStalled?: boolean;
    }
  | { readonly type: "cancel"; readonly generation: number }
  | { readonly type: "adopt" }
  | { readonly type: "save"; readonly path: string }
  | { readonly type: "rehearse"; readonly generation: number }
  | { readonly type: "verify"; readonly generation: number }
  /** The supervisor of a successor has ended. */
  | { readonly type: "abandoned" }
  | { readonly type: "ready" | "quiet" }
  | { readonly type: "busy"; readonly error: ErrorRecord };

export type ProgramEffect =
  | { readonly type: "announce" | "serve" | "unquiesce" | "introduce" | "forget" }
  /** End what is still prepared for it. */
  | { readonly type: "forgetSuccessor" }
  /** Save a trial stream; look whether one could be loaded; hand over, or suspend. */
  | { readonly type: "rehearse" | "verify" | "freeze"; readonly generation: number }
  /** Save the state into a new file. */
  | { readonly type: "save"; readonly path: string }
  | { readonly type: "giveUp"; readonly error: ErrorRecord }
  | {
      readonly type: "takeOver";
      readonly generation: number;
      readonly timeoutMs: number;
      readonly versionIds: VersionIds;
    }
  | PrepareRequest
  | {
      readonly type: "quiesce";
      readonly generation: number;
      readonly quiesceMs: number;
      readonly freezeMs: number;
      readonly dropStalled?: boolean;
      /** For whom the state is written when the program is suspended; absent when it hands over. */
      readonly suspendFor?: unknown;
      /** How long detached responses may then take to finish. */
      readonly detachedMs?: number;
    }
  | { readonly type: "refuse"; readonly generation: number; readonly error: ErrorRecord };

/**
 * One step of a program. `takeOver` and `freeze` block until the verdict is known, and their outcome is the
 * next phase: `programAfter`.
 */
export function programStep(state: ProgramState, event: ProgramEvent): Step<ProgramState, ProgramEffect> {
  if (event.type === "adopt") return [state, [{ type: "introduce" }]];
  if (state.phase === "quiescing") return quiescing(state, event);
  switch (`${state.phase} ${event.type}`) {
    case "booting abandoned":
    case "waiting abandoned":
      return [{ phase: "refused" }, [{ type: "giveUp", error: abandoned() }]];
    case "booting ready":
      return [{ phase: "waiting" }, [{ type: "announce" }]];
    case "waiting boot":
      return [{ phase: "serving" }, [{ type: "serve" }]];
    case "waiting receive":
      return [state, [{ ...(event as ProgramEvent & { type: "receive" }), type: "takeOver" }]];
    case "waiting verify":
      return [state, [event as ProgramEvent & { type: "verify" }]];
    case "serving prepare":
      return [state, [{ type: "forget" }, event as PrepareRequest]];
    case "serving save":
      return [state, [event as ProgramEvent & { type: "save" }]];
    case "serving rehearse":
      return [state, [event as ProgramEvent & { type: "rehearse" }]];
    case "serving cancel":
      return [state, [{ type: "forget" }, { type: "forgetSuccessor" }]];
    case "serving freeze":
      return [
        { phase: "quiescing", generation: (event as ProgramEvent & { type: "freeze" }).generation },
        [{ type: "forget" }, { ...(event as ProgramEvent & { type: "freeze" }), type: "quiesce" }],
      ];
    case "serving suspend": {
      const { lock, ...request } = event as ProgramEvent & { type: "suspend" };
      return [
        { phase: "quiescing", generation: request.generation },
        [{ type: "forget" }, { ...request, type: "quiesce", suspendFor: lock }],
      ];
    }
    default:
      return [state, []];
  }
}

function quiescing(
  state: Extract<ProgramState, { phase: "quiescing" }>,
  event: ProgramEvent,
): Step<ProgramState, ProgramEffect> {
  const { generation } = state;
  const refuse = (error: ErrorRecord): Step<ProgramState, ProgramEffect> => [
    { phase: "serving" },
    [{ type: "unquiesce" }, { type: "refuse", generation, error }],
  ];
  if (event.type === "quiet") return [state, [{ type: "freeze", generation }]];
  if (event.type === "busy") return refuse(event.error);
  if (event.type === "cancel" && event.generation === generation) return refuse(cancelledBySupervisor());
  if (event.type === "prepare" || event.type === "suspend") {
    // A supervisor that asks anew has given up the one before; that it said so may have been lost with its predecessor.
    const [serving, undo] = refuse(cancelledBySupervisor());
    const [next, effects] = programStep(serving, event);
    return [next, [...undo, ...effects]];
  }
  return [state, []];
}

function cancelledBySupervisor(): ErrorRecord {
  return {
    code: "UPDATE_CANCELLED",
    message: "the supervisor cancelled the update",
    detail: { reason: "supervisor" },
  };
}

function abandoned(): ErrorRecord {
  return {
    code: "UPDATE_CANCELLED",
    message: "cannot take over: the supervisor ended before the update began",
    detail: { reason: "supervisor" },
  };
}

/** The phase after a blocking effect, by what was decided. */
export function programAfter(
  effect: "takeOver" | "freeze",
  verdict: "COMMITTED" | "CANCELLED",
): ProgramState {
  if (effect === "takeOver") return { phase: verdict === "COMMITTED" ? "serving" : "refused" };
  return { phase: verdict === "COMMITTED" ? "left" : "serving" };
}
