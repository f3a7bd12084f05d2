import { performance } from "node:perf_hooks";
import { setImmediate } from "node:timers/promises";
import type { VersionIds } from "../description/index.ts";
import type { Registry } from "../registry/index.ts";
import { SAMPLE_BYTES } from "./pair.ts";

/** How much of the state is tried first, and at most; it grows while a trial takes less than {@link SHORT_MS}. */
const TRIAL_BYTES = { first: 4 * 1024, most: 1024 * 1024 } as const;
const SHORT_MS = 1;
/** The longest that a serving program is kept from its clients at a time, ms; more than one trial may take. */
const SLICE_MS = 1;
/** V8 has optimized what it will after so long, ms, if that was so many rounds, or after so many. */
const [ENOUGH_MS, LEAST_ROUNDS, MOST_ROUNDS] = [30, 32, 200] as const;
/** In all, however slow the machine, ms. */
const LIMIT_MS = 300;

/**
 * Saves the beginning of a program's own state again and again, and throws it away, so that its own generated code is
 * compiled when the program freezes. Where hooks of the program's would be called, they are called once. Gives the
 * stream's length, or undefined when it did not come to its end: whatever is in the way is left for the freeze to find,
 * which may come to another state. `attempt` runs each trial.
 */
export async function warmSave(
  registry: Registry,
  versionIds: VersionIds,
  attempt: <T>(trial: () => T) => T,
): Promise<number | undefined> {
  let into = new Uint8Array(registry.hasSaveHooks ? 16 * TRIAL_BYTES.first : TRIAL_BYTES.first);
  let length: number | undefined;
  const busy = new Slices();
  for (let round = 0; !isEnough(round, busy.totalMs); round += 1) {
    const before = performance.now();
    length = attempt(() => trySave(registry, versionIds, into));
    const tookMs = performance.now() - before;
    if (length === undefined && tookMs < SHORT_MS && into.length < TRIAL_BYTES.most)
      into = new Uint8Array(2 * into.length);
    await busy.add(tookMs);
    if (registry.hasSaveHooks) break;
  }
  return length;
}

function isEnough(rounds: number, ms: number): boolean {
  return rounds === MOST_ROUNDS || ms >= LIMIT_MS || (ms >= ENOUGH_MS && rounds >= LEAST_ROUNDS);
}

function trySave(registry: Registry, versionIds: VersionIds, into: Uint8Array): number | undefined {
  try {
    return registry.save({ versionIds, dataChecksum: false, into, fullEarly: true }).length;
  } catch {
    return undefined; // STREAM_FULL, mostly
  }
}

/** Counts time that clients wait, and lets them in between. */
class Slices {
  totalMs = 0;
  #sliceMs = 0;

  async add(ms: number): Promise<void> {
    this.totalMs += ms;
    this.#sliceMs += ms;
    if (this.#sliceMs < SLICE_MS) return;
    this.#sliceMs = 0;
    await setImmediate();
  }
}

/** The first elements of everything, for the successor to warm up with; undefined if even they are too much. */
export function sampleOf(registry: Registry, versionIds: VersionIds): Uint8Array | undefined {
  const into = new Uint8Array(SAMPLE_BYTES);
  for (const most of [256, 16]) {
    try {
      return registry.sample(most, into, versionIds);
    } catch {} // STREAM_FULL, mostly; anything else is found again by the freeze, which says so
  }
  return undefined;
}

/** Loads a sample again and again into nothing: the successor's own code is compiled when the state comes. */
export function warmLoad(registry: Registry, sample: Uint8Array): void {
  const beginMs = performance.now();
  try {
    for (let round = 0; !isEnough(round, performance.now() - beginMs); round += 1) registry.tryLoad(sample);
  } catch {} // the load will fail too, and says why; or the state has changed by then
}
