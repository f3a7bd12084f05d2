/**
 * The processes of one program, found by what it was started with: each that has come from the command has the path of its
 * control socket in the environment, whoever its parent is by now, and no other process has. The program itself takes it
 * out when it joins, so that what it starts after that is its own business.
 */
import { readdirSync, readFileSync } from "node:fs";
import { ENVIRONMENT_VARIABLE, type LiveEnvironment } from "../live/protocol.ts";

const ENTRY = `${ENVIRONMENT_VARIABLE}=`;

/** Whether a process was started for the program with that control socket. False of one that may not be looked at. */
export function isMarked(pid: number, controlPath: string): boolean {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    const live = entries.find((entry) => entry.startsWith(ENTRY));
    if (live === undefined) return false;
    return (JSON.parse(live.slice(ENTRY.length)) as LiveEnvironment).controlPath === controlPath;
  } catch {
    return false; // it has ended, is another user's, or somebody has written another text there
  }
}

/** All that are marked in one of the sessions: whoever begins a session of its own means to outlive what has started it. */
export function markedProcesses(controlPath: string, sessions: ReadonlySet<number>): number[] {
  return processes().filter((pid) => {
    const session = sessionOf(pid);
    return session !== null && sessions.has(session) && isMarked(pid, controlPath);
  });
}

/** Null when there is no such process. */
export function sessionOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3]);
  } catch {
    return null;
  }
}

/** None when there is no descriptor left to look with. */
function processes(): number[] {
  try {
    return readdirSync("/proc")
      .map(Number)
      .filter((pid) => pid > 0);
  } catch {
    return [];
  }
}
