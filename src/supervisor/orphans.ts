import { readdirSync, readFileSync } from "node:fs";
import { reapProcess } from "../memory/index.ts";

/**
 * Reaps what has ended and belongs to nobody: process 1 of a container is the parent of everything whose own parent
 * has ended. `own` are children that somebody waits for already.
 */
export function reapOrphans(parent: number, own: ReadonlySet<number>): number[] {
  const ended = processes()
    .map(Number)
    .filter((pid) => pid > 0 && !own.has(pid) && isEndedChild(pid, parent));
  return ended.filter((pid) => reapProcess(pid));
}

function isEndedChild(pid: number, parent: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, parentPid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" && Number(parentPid) === parent;
  } catch {
    return false; // somebody else was faster
  }
}

/** None when there is no descriptor left to look with: the next child that ends is another occasion. */
function processes(): string[] {
  try {
    return readdirSync("/proc");
  } catch {
    return [];
  }
}
