import type { StopResult } from "./control-protocol.ts";
import type { Program } from "./program.ts";

/** A service that is stopped while no program runs: nothing was lost by it. */
export const NOTHING_LOST: StopResult = { exitCode: null, error: null };

/** What a program that was told to end has left, once it has ended; `wasKilled`: it did not in time. */
export function stopResult({ exitCode, failure, end }: Program, wasKilled: boolean): StopResult {
  return { exitCode, error: failure ?? (wasKilled ? (end ?? null) : null) };
}
