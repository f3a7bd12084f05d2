import type { Folio } from "../folio.ts";
import { windowOf, wordOf } from "./collection-memory.ts";
import { UNIT_BYTES, WINDOW_SHIFT } from "./layout.ts";

/** Units that belong together: the first one's reference, unsigned, and how many. */
export type Run = readonly [first: number, units: number];

/** Joins runs that are neighbours in the same segment; undefined when two of them have a unit in common. */
export function joined(runs: Run[], segments: readonly Folio[]): Run[] | undefined {
  const starts = new Set(segments.map(startOf));
  runs.sort(([a], [b]) => a - b);
  const result: Run[] = [];
  let [at, size] = [0, 0];
  for (const [first, units] of runs) {
    if (first < at + size) return undefined;
    if (first === at + size && !starts.has(first)) size += units;
    else {
      if (size > 0) result.push([at, size]);
      [at, size] = [first, units];
    }
  }
  if (size > 0) result.push([at, size]);
  return result;
}

/** The runs of the segments that no block in `used` has, and that are not among the `bumpLeft` units from `bump` on. */
export function freeRuns(
  segments: readonly Folio[],
  used: Iterable<number>,
  unitsOfBlock: (block: number) => number,
  bump: number,
  bumpLeft: number,
): Run[] {
  const taken: Run[] = [[bump >>> 0, bumpLeft]];
  for (const block of used) taken.push([block >>> 0, unitsOfBlock(block)]);
  taken.sort(([a], [b]) => a - b);
  const free: Run[] = [];
  let next = 0;
  for (const segment of segments.toSorted((a, b) => startOf(a) - startOf(b))) {
    let at = startOf(segment);
    const end = at + segment.size / UNIT_BYTES;
    for (; next < taken.length && taken[next]![0] < end; next += 1) {
      const [first, units] = taken[next]!;
      if (first > at) free.push([at, first - at]);
      at = Math.max(at, first + units);
    }
    if (end > at) free.push([at, end - at]);
  }
  return free;
}

function startOf(segment: Folio): number {
  return windowOf(segment) * 2 ** WINDOW_SHIFT + (wordOf(segment) * 4) / UNIT_BYTES;
}
