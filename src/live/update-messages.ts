/**
 * Between the messages of `protocol.ts` and the supervisor's machine of `machine.ts`, pure: which message is which event,
 * and which effect is which message.
 */
import type { ErrorRecord } from "../error/index.ts";
import type { BrokerEffect, BrokerEvent } from "./machine.ts";
import type { ToProgram, ToSupervisor, VersionIds } from "./protocol.ts";

/** The two programs of an update. */
export type UpdateSide = "old" | "successor";

/** What the supervisor knows of an update besides its state. */
export interface UpdateFacts {
  readonly generation: number;
  readonly rehearse: boolean;
  /** Whether a rollback may be impossible or lose state afterwards. */
  readonly force: boolean;
  readonly quiesceMs: number;
  readonly freezeMs: number;
  /** Whether connections that wait for their clients alone are given up. False unless given. */
  readonly dropStalled?: boolean;
}

/** Whether a message is about an update or suspend that is not the one of `generation`. */
export function isOfAnother(message: ToSupervisor, generation: number): boolean {
  return "generation" in message && message.generation !== undefined && message.generation !== generation;
}

/** What a message of one of its programs is for an update; null: nothing. */
export function brokerEvent(
  from: UpdateSide,
  message: ToSupervisor,
  update: UpdateFacts,
): BrokerEvent | null {
  if (isOfAnother(message, update.generation)) return null;
  switch (`${from} ${message.type}`) {
    case "successor ready":
      return { type: "ready" };
    case "successor serving":
      return { type: "serving", figures: (message as ToSupervisor & { type: "serving" }).figures };
    case "successor refused":
      return { type: "successorFailed", error: errorOf(message) };
    case "successor verified":
      return { type: "verified" };
    case "successor receiving":
      return { type: "receiving" };
    case "old prepared":
      return { type: "prepared", rehearse: update.rehearse };
    case "old rehearsed":
      return { type: "rehearsed" };
    case "old left":
      return { type: "oldLeft" };
    case "old refused":
      return { type: "refused", error: errorOf(message) };
    case "old thawed":
      return { type: "thawed", error: errorOf(message) };
    default:
      return null;
  }
}

function errorOf(message: ToSupervisor): ErrorRecord {
  return (message as ToSupervisor & { type: "refused" }).error;
}

/** The end of one of its programs. */
export function endEvent(who: UpdateSide, error: ErrorRecord): BrokerEvent {
  return { type: who === "old" ? "oldExited" : "successorFailed", error };
}

/** What is said to the programs to carry out an effect, in this order. */
export function brokerMessages(
  effect: BrokerEffect,
  update: UpdateFacts,
  said: { readonly lock: unknown; readonly versionIds: VersionIds },
): (readonly [UpdateSide, ToProgram])[] {
  const { generation, force, quiesceMs, freezeMs, dropStalled = false } = update;
  switch (effect.type) {
    case "prepare":
      return [["old", { type: "prepare", generation, lock: said.lock, force }]];
    case "rehearse":
      return [["old", { type: "rehearse", generation }]];
    case "verify":
      return [["successor", { type: "verify", generation }]];
    case "receive": {
      const { versionIds } = said;
      return [["successor", { type: "receive", generation, timeoutMs: handoverMs(update), versionIds }]];
    }
    case "freeze":
      return [
        ["old", { type: "freeze", generation, quiesceMs, freezeMs, ...(dropStalled && { dropStalled }) }],
      ];
    case "cancelOld":
      return [["old", { type: "cancel", generation }]];
    default:
      return [];
  }
}

/** What the supervisor allows itself beyond the programs' own time-outs before it decides. */
const PATIENCE_MS = 1_000;

/** How long a hand-over may take, ms. */
export function handoverMs({ quiesceMs, freezeMs }: Pick<UpdateFacts, "quiesceMs" | "freezeMs">): number {
  return quiesceMs + freezeMs + PATIENCE_MS;
}
