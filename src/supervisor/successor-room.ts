import { readFileSync } from "node:fs";
import { KstateError } from "../error/index.ts";
import { tightestLimit } from "../memory/index.ts";

/** What Node itself has for its own when it has just booted, about. */
const LEAST_BYTES = 32 * 1024 * 1024;

/**
 * Refuses an update, before its successor boots, when a cgroup's limit leaves no room for a second program: the kernel
 * would kill one of the two, mostly the one that serves, and say nothing. It needs `neededBytes`; as much as the program
 * that serves has for itself unless given; 0 looks at nothing. `UPDATE_REFUSED` says how much is missing.
 */
export function assertRoomForSuccessor(
  pid: number,
  neededBytes: number | null,
  limit = tightestLimit(),
): void {
  if (neededBytes === 0 || limit === undefined) return;
  const needed = neededBytes ?? Math.max(LEAST_BYTES, anonymousBytes(pid));
  const missing = needed - limit.leftBytes;
  if (missing <= 0) return;
  const message =
    `cannot update: a second program needs ${mebibytes(needed)} MiB and ${limit.name} leaves ` +
    `${mebibytes(Math.max(0, limit.leftBytes))}, so ${mebibytes(missing)} MiB are missing and the kernel would kill a program; ` +
    "raise that limit, or say how much is needed with kstate run --update-memory SIZE (0: not looked at)";
  const finding = { rule: "memory-limit", message, description: "", field: null };
  throw new KstateError("UPDATE_REFUSED", message, { verdict: "COLD", findings: [finding] });
}

/** What a process has for itself: neither shared memory nor files. 0 when the system does not say. */
function anonymousBytes(pid: number): number {
  try {
    const [, kibibytes = "0"] =
      /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kibibytes) * 1024;
  } catch {
    return 0;
  }
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
