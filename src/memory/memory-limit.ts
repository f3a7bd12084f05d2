import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { KstateError } from "../error/index.ts";

const CGROUPS = "/sys/fs/cgroup";
/** What is left for the program's own heap when memory is allocated near a limit. */
const RESERVE_BYTES = 16 * 1024 * 1024;

/** A cgroup's limit. */
export interface Limit {
  readonly name: string;
  /** Until the kernel kills somebody; what it can drop before counts as left. */
  readonly leftBytes: number;
}

/** The limit that leaves the least to this process, at any level, in cgroups of version 1 and 2; undefined without one. */
export function tightestLimit(): Limit | undefined {
  return [...limits()].sort((a, b) => a.leftBytes - b.leftBytes)[0];
}

/**
 * Refuses with `MEMORY_FULL` what would pass a cgroup's limit, at any level of the hierarchy: the kernel kills the
 * whole program for that, and says nothing to it.
 */
export function assertWithinLimits(bytes: number): void {
  for (const { name, leftBytes } of limits()) {
    if (bytes + RESERVE_BYTES <= leftBytes) continue;
    throw new KstateError(
      "MEMORY_FULL",
      `cannot allocate ${bytes} bytes: ${name} leaves ${Math.max(0, leftBytes - RESERVE_BYTES)}; raise that limit, or keep less`,
      { bytes, limit: name },
    );
  }
}

function* limits(): Generator<Limit> {
  for (const line of read("/proc/self/cgroup").split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const isUnified = controllers === "";
    if (!isUnified && !controllers!.split(",").includes("memory")) continue;
    const root = isUnified ? CGROUPS : join(CGROUPS, "memory");
    const [max, current] = isUnified
      ? ["memory.max", "memory.current"]
      : ["memory.limit_in_bytes", "memory.usage_in_bytes"];
    for (let at = path; ; at = dirname(at)) {
      const limit = Number.parseInt(read(join(root, at, max!)), 10); // "max" is not a number: no limit
      const used = Number.parseInt(read(join(root, at, current!)), 10) - reclaimable(join(root, at));
      if (Number.isSafeInteger(limit) && Number.isSafeInteger(used)) {
        yield { name: `${join(root, at, max!)} (${limit} bytes)`, leftBytes: limit - used };
      }
      if (at === "/" || at === ".") break;
    }
  }
}

/** Pages of files that the kernel drops before it kills anybody: a program that reads much has its group full of them. */
function reclaimable(group: string): number {
  let bytes = 0;
  for (const line of read(join(group, "memory.stat")).split("\n")) {
    const [, size] = /^(?:in)?active_file (\d+)$/.exec(line) ?? [];
    bytes += Number(size ?? 0);
  }
  return bytes;
}

/** The text of a file, empty when it is not there: not every system has cgroups. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
