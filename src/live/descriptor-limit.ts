import { readFileSync } from "node:fs";
import { isKstateError, KstateError } from "../error/index.ts";
import type { LiveSystem } from "./system.ts";

/** What a program needs beside its listeners and connections at once: for files that it opens, for who comes next. */
const SPARE = 16;

/** Says which limit it is when a process can have no more descriptors. */
export function withinDescriptorLimit<T>(what: string, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    if (!isKstateError(cause, "SYSTEM_CALL") || !["EMFILE", "ENFILE"].includes(cause.detail.errno))
      throw cause;
    const limit = cause.detail.errno === "EMFILE" ? openFilesLimit() : null;
    const which = limit === null ? "" : ` of ${limit}`;
    throw new KstateError(
      "DESCRIPTOR_LIMIT",
      `cannot take over: the limit of open files${which} leaves no descriptor for ${what}; ` +
        "raise it (ulimit -n, or LimitNOFILE= of systemd)",
      { limit, what },
      { cause },
    );
  }
}

export interface SpareDescriptors {
  /** They are free for whatever needs them. */
  release(): void;
}

/**
 * Descriptors that are kept free until the program serves: what it can do with all of its connections it must be able to do
 * before they are its own. `DESCRIPTOR_LIMIT` when there are none.
 */
export function spareDescriptors(system: LiveSystem, descriptor: number): SpareDescriptors {
  const spares: number[] = [];
  const release = (): void => {
    for (const spare of spares.splice(0)) system.close(spare);
  };
  try {
    withinDescriptorLimit("what it opens while it serves", () => {
      while (spares.length < SPARE) spares.push(system.duplicate(descriptor));
    });
    return { release };
  } catch (error) {
    release();
    throw error;
  }
}

function openFilesLimit(): number | null {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]) || null;
  } catch {
    return null; // it has no descriptor left to read that
  }
}
