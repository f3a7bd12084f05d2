import { readdirSync, readFileSync } from "node:fs";

/** Memory of a supervisor and its programs, MiB. */
export interface MemoryShare {
  /** Programs, without the supervisor. */
  readonly programs: number;
  /** Of the memory that they share, each page divided by those who have it (Pss): what it costs the machine. */
  readonly shared: number;
  /** Everything else: code, heaps, stacks (Pss). */
  readonly own: number;
}

const MIB = 1024;

/** What a supervisor and the programs that it has started cost now, by /proc/PID/smaps. */
export function memoryShare(supervisorPid: number): MemoryShare {
  const programs = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && parentOf(pid) === supervisorPid);
  let [shared, own] = [0, 0];
  for (const pid of [String(supervisorPid), ...programs]) {
    let isShared = false;
    for (const line of read(`/proc/${pid}/smaps`).split("\n")) {
      if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) isShared = line.includes("/memfd:kstate");
      const kib = Number(/^Pss: +(\d+) kB/.exec(line)?.[1] ?? 0);
      if (isShared) shared += kib;
      else own += kib;
    }
  }
  return { programs: programs.length, shared: shared / MIB, own: own / MIB };
}

function parentOf(pid: string): number {
  return Number(/\) \S (\d+)/.exec(read(`/proc/${pid}/stat`))?.[1] ?? 0);
}

/** A process may end between two reads. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
