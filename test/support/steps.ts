import { Session } from "node:inspector";
import { fileURLToPath } from "node:url";

/**
 * Counts steps instead of time: how often each block of the product's code ran, as V8 counts it for coverage. It counts
 * only functions that were not called before, so import what is counted after this (`await import`).
 */
const session = new Session();
session.connect();
session.post("Profiler.enable");
session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });

const product = fileURLToPath(new URL("../../../dist/", import.meta.url));

/** How many blocks of the product's code run while `run` does. */
export function stepsOf(run: () => void): number {
  take();
  run();
  return take();
}

/** What ran since the last time. */
function take(): number {
  let steps = 0;
  session.post("Profiler.takePreciseCoverage", (error, found) => {
    if (error !== null) throw error;
    for (const { url, functions } of found.result) {
      if (!url.startsWith("file:") || !fileURLToPath(url).startsWith(product)) continue;
      for (const { ranges } of functions) for (const { count } of ranges) steps += count;
    }
  });
  return steps;
}

/**
 * How much faster than its input a work grows: the steps for twice the size by those for the size, less 2. Linear work is
 * near 0, quadratic work near 2. What does not depend on the size is taken off.
 */
export function excessOf(work: (size: number) => () => void, size: number): number {
  work(size)(); // what is made once
  const least = stepsOf(work(0));
  const [once, twice] = [size, 2 * size].map((each) => stepsOf(work(each)) - least) as [number, number];
  return twice / once - 2;
}
