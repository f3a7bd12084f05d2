/** One phase of the run: load for some seconds with an update in the middle, and what came of it. */
import { setTimeout as delay } from "node:timers/promises";
import { type Counts, countsBetween, type ProbeFigures } from "./counts.ts";
import type { CommandResult, Service } from "./service.ts";
import type { Task } from "./task.ts";

/** What GET /digest says. */
export interface Digest {
  readonly version: number;
  readonly pid: number;
  readonly handovers: number;
  readonly posts: number;
  /** Of the state as the last program froze it, and as this one has restored it. */
  readonly frozen: string;
  readonly restored: string;
}

/** The part of the result of `kstate update --json` that is shown. */
export interface UpdateResult {
  readonly outcome: "committed" | "failed";
  readonly figures?: {
    readonly quiesceMs: number;
    readonly blackoutMs: number;
    readonly streamBytes: number;
    readonly httpConnections: number;
    readonly webSockets: number;
  };
  readonly error?: { readonly code: string; readonly message: string };
}

export interface Phase {
  readonly title: string;
  /** Null in the phase without an update. */
  readonly update: UpdateResult | null;
  readonly digest: Digest;
  readonly counts: Counts;
  readonly probe: ProbeFigures;
}

export interface Stage {
  readonly service: Service;
  readonly address: string;
  readonly load: Task;
  readonly probe: Task;
  readonly seconds: number;
}

/** Runs one phase. The load is at rest before and after it, so that every message in it is counted in it. */
export async function runPhase(
  { load, probe, seconds, address }: Stage,
  title: string,
  update: (() => Promise<CommandResult>) | null,
): Promise<Phase> {
  const before = (await load.ask("count")) as Counts;
  await load.ask("resume");
  await probe.ask("measure");
  await delay(seconds * 500);
  const result = update === null ? null : updateResult(await update());
  await delay(seconds * 500);
  const figures = (await probe.ask("measure")) as ProbeFigures;
  const after = (await load.ask("settle")) as Counts;
  const digest = await get<Digest>(address, "/digest");
  return { title, update: result, digest, counts: countsBetween(before, after), probe: figures };
}

function updateResult({ output, errors }: CommandResult): UpdateResult {
  try {
    return JSON.parse(output) as UpdateResult;
  } catch {
    return { outcome: "failed", error: { code: "?", message: errors.trim() } };
  }
}

/** Reads one page of the arena. */
export async function get<T>(address: string, path: string): Promise<T> {
  const response = await fetch(`http://${address}${path}`, { headers: { connection: "close" } }).catch(
    (error: Error) => {
      throw new Error(`GET ${path}: ${(error.cause as Error | undefined)?.message ?? error.message}`);
    },
  );
  if (!response.ok) throw new Error(`GET ${path}: status ${response.status}`);
  return (await response.json()) as T;
}
