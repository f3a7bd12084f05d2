import { dirname } from "node:path";
import type { KexecSystem, NextKernel } from "./kexec-system.ts";
import { LUO_DEVICE } from "./luo-system.ts";
import type { CarrierAddress } from "./open-carrier.ts";

/** Something that would stop a kexec, and what to do. */
export interface KexecProblem {
  readonly problem: string;
  readonly fix: string;
}

/** What would stop a carrier from taking so many bytes over a kexec. */
export function carrierProblems(
  address: CarrierAddress,
  next: NextKernel,
  stateBytes: number,
  system: KexecSystem,
): KexecProblem[] {
  switch (address.kind) {
    case "luo":
      return luoProblems(address, next, stateBytes, system);
    case "dax":
      return daxProblems(address, next, stateBytes, system);
    case "file":
      return [
        {
          problem: `file:${address.place} is an ordinary file`,
          fix: "say --to luo:NAME or --to dax:PATH; for a file, kstate suspend and an ordinary reboot will do",
        },
      ];
  }
}

function luoProblems(
  { place }: CarrierAddress,
  { commandLine }: NextKernel,
  stateBytes: number,
  system: KexecSystem,
): KexecProblem[] {
  const problems: KexecProblem[] = [];
  const options = ["kho=on", "liveupdate=on"];
  const absent = (line: string): string =>
    options.filter((option) => !line.split(/\s+/).includes(option)).join(" ");
  const here = absent(system.read("/proc/cmdline") ?? "");
  if (here !== "")
    problems.push({
      problem: `the running kernel was started without ${here}`,
      fix: "add it to the boot loader's command line and reboot once",
    });
  const there = absent(commandLine);
  if (there !== "")
    problems.push({
      problem: `the next kernel would be started without ${there}, and would not find the session`,
      fix: "add it with --append",
    });
  if (here === "") {
    const reason = system.sessionProblem(place);
    if (reason !== undefined)
      problems.push({
        problem: `no session ${place} can be made: ${reason}`,
        fix: `see ${LUO_DEVICE} and the kernel's CONFIG_LIVEUPDATE`,
      });
  }
  const [, available = "0"] = /^MemAvailable:\s*(\d+) kB/m.exec(system.read("/proc/meminfo") ?? "") ?? [];
  if (stateBytes > Number(available) * 1024)
    problems.push({
      problem: `the state has up to ${stateBytes} bytes, and a second copy needs more memory than is available (${Number(available) * 1024})`,
      fix: "free memory, keep less, or use dax:PATH",
    });
  return problems;
}

function daxProblems(
  { place }: CarrierAddress,
  { commandLine }: NextKernel,
  stateBytes: number,
  system: KexecSystem,
): KexecProblem[] {
  const directory = dirname(place);
  const reason = system.daxProblem(directory);
  if (reason !== undefined)
    return [
      {
        problem: `${place} cannot be kept: ${reason}`,
        fix: "mount a file system of persistent memory with -o dax=always, and name a path on it",
      },
    ];
  const problems: KexecProblem[] = [];
  const free = system.freeBytes(directory);
  if (stateBytes > free)
    problems.push({
      problem: `the state has up to ${stateBytes} bytes, and ${directory} has ${free} free`,
      fix: "free some, or keep less",
    });
  const [emulated] = /\bmemmap=\S+![\S]+/.exec(system.read("/proc/cmdline") ?? "") ?? [];
  if (emulated !== undefined && !commandLine.split(/\s+/).includes(emulated))
    problems.push({
      problem: `the next kernel would be started without ${emulated}, and take the persistent memory for its own`,
      fix: "add it with --append",
    });
  return problems;
}
