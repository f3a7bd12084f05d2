import { fsync, fsyncSync, writev, writevSync } from "node:fs";
import { promisify } from "node:util";

/**
 * A piece of a long work that takes a moment only: nothing but time for others, or an operation that may wait for a
 * medium. Work is written once, as a generator of steps, and carried out in one turn or in many.
 */
export type Step =
  | { readonly kind: "turn" }
  | { readonly kind: "write"; readonly descriptor: number; readonly buffers: readonly Uint8Array[] }
  | { readonly kind: "sync"; readonly descriptor: number };

export type Steps<T> = Generator<Step, T, void>;

/** Carries a work out in one turn of the event loop: nothing else of this process runs meanwhile. */
export function inOneTurn<T>(steps: Steps<T>): T {
  for (let next = steps.next(); ; ) {
    if (next.done) return next.value;
    const step = next.value;
    next = attempt(steps, () => carryOutNow(step));
  }
}

/** Carries a work out with others in between; a signal that aborts ends it after the step under way, with its reason. */
export async function inTurns<T>(steps: Steps<T>, signal?: AbortSignal): Promise<T> {
  for (let next = steps.next(); ; ) {
    if (next.done) return next.value;
    let failure: { readonly error: unknown } | undefined;
    try {
      await carryOut(next.value);
      signal?.throwIfAborted();
    } catch (error) {
      failure = { error };
    }
    next = failure === undefined ? steps.next() : steps.throw(failure.error);
  }
}

/** The work undoes what it has begun when a step fails. */
function attempt<T>(steps: Steps<T>, step: () => void): IteratorResult<Step, T> {
  try {
    step();
  } catch (error) {
    return steps.throw(error);
  }
  return steps.next();
}

function carryOutNow(step: Step): void {
  switch (step.kind) {
    case "turn":
      return;
    case "sync":
      return fsyncSync(step.descriptor);
    case "write":
      for (let rest = step.buffers; rest.length > 0; )
        rest = after(rest, writevSync(step.descriptor, [...rest]));
  }
}

const sync = promisify(fsync);
const write = promisify(writev);
const turn = promisify(setImmediate);

async function carryOut(step: Step): Promise<void> {
  switch (step.kind) {
    case "turn":
      await turn();
      return;
    case "sync":
      return sync(step.descriptor);
    case "write":
      for (let rest = step.buffers; rest.length > 0; ) {
        const { bytesWritten } = await write(step.descriptor, [...rest]);
        rest = after(rest, bytesWritten);
      }
  }
}

/** What is left of buffers of which so many bytes have been written. */
function after(buffers: readonly Uint8Array[], writtenBytes: number): readonly Uint8Array[] {
  let left = writtenBytes;
  const first = buffers.findIndex((buffer) => {
    if (left < buffer.length) return true;
    left -= buffer.length;
    return false;
  });
  return first === -1 ? [] : [buffers[first]!.subarray(left), ...buffers.slice(first + 1)];
}
