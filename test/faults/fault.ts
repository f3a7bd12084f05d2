/**
 * What goes wrong in a program of the fault matrix, and where: the environment's FAULT is `ROLE:STEP:ACTION:VICTIM`, for
 * the program whose ROLE it is, once. Only fixtures read it.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { deniedFrom } from "./deny.js";

const [role, step, action, victim] = (process.env.FAULT ?? "").split(":");
/** It happens once, also when the program is started again. */
const mark = join(process.env.KSTATE_RUNTIME_DIR ?? "", "fault");

/** The program comes by a step; `waits` asks it to wait there for ever without blocking. */
export function at(here: string): "waits" | undefined {
  deniedFrom(here);
  if (process.env.ROLE !== role || here !== step || existsSync(mark)) return;
  writeFileSync(mark, "");
  writeSync(2, `fault: ${process.pid} is at ${here}\n`);
  switch (action) {
    case "kill":
      process.kill(pidOf(victim ?? "self"), "SIGKILL");
      if (victim === "self") halt();
      return;
    case "stop":
      process.kill(pidOf(victim ?? "self"), "SIGSTOP");
      return;
    case "throw":
      throw new Error(`out of order at ${here}`);
    case "hang":
      return halt();
    case "wait":
      return "waits";
    default:
      throw new Error(`no such fault: ${process.env.FAULT}`);
  }
}

function halt(): undefined {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

function pidOf(who: string): number {
  if (who === "self") return process.pid;
  return who === "supervisor" ? process.ppid : sibling();
}

/** The other program of the update. */
function sibling(): number {
  const found = readdirSync("/proc").find((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === process.ppid;
    } catch {
      return false;
    }
  });
  return Number(found);
}
