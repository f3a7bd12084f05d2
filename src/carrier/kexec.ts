import { closeSync, existsSync, openSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isKstateError } from "../error/index.ts";
import { loadKernel, openDax, rebootInto, unloadKernel } from "../memory/index.ts";
import { LUO_DEVICE, luoSystem } from "./luo-system.ts";
import { type CarrierAddress, parseCarrier } from "./open-carrier.ts";

/** The kernel that a kexec starts. */
export interface NextKernel {
  readonly kernel: string;
  /** Null: none. */
  readonly initrd: string | null;
  readonly commandLine: string;
}

/** Something that would stop a kexec, and what to do. */
export interface KexecProblem {
  readonly problem: string;
  readonly fix: string;
}

/** What a kexec needs of the machine, so that a test can stand in for it. */
export interface KexecSystem {
  /** The content of a file of `/proc` or `/sys`; undefined when there is none, or it cannot be read. */
  read(path: string): string | undefined;
  /** Why a file cannot be read; undefined when it can. */
  unreadable(path: string): string | undefined;
  /** Why a LUO session of that name cannot be made now; undefined when it can. Nothing stays of the attempt. */
  sessionProblem(name: string): string | undefined;
  /** Why a file cannot be kept in a directory as DAX; undefined when it can. */
  daxProblem(directory: string): string | undefined;
  freeBytes(directory: string): number;
  load(next: NextKernel): void;
  unload(): void;
  /** Does not return when it works. */
  reboot(): void;
}

export const kexecSystem: KexecSystem = {
  read: (path) => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return undefined;
    }
  },
  unreadable: (path) => problemOf(() => closeSync(openSync(path, "r"))),
  sessionProblem: (name) =>
    problemOf(() => {
      const device = luoSystem.open();
      try {
        luoSystem.close(luoSystem.createSession(device, name));
      } finally {
        luoSystem.close(device);
      }
    }),
  daxProblem: (directory) =>
    problemOf(() => {
      const probe = join(directory, `.kstate-probe-${process.pid}`);
      try {
        writeFileSync(probe, Buffer.alloc(4096));
        openDax(probe, 4096).close();
      } finally {
        rmSync(probe, { force: true });
      }
    }),
  freeBytes: (directory) => {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  },
  load: ({ kernel, initrd, commandLine }) => {
    const files = [kernel, ...(initrd === null ? [] : [initrd])].map((path) => openSync(path, "r"));
    try {
      loadKernel(files[0]!, files[1] ?? null, commandLine);
    } finally {
      for (const file of files) closeSync(file);
    }
  },
  unload: unloadKernel,
  reboot: rebootInto,
};

/** The running kernel's own files, with the running command line, where nothing else is said. */
export function nextKernel(
  { kernel, initrd, append }: { kernel: string | null; initrd: string | null; append: string | null },
  system: KexecSystem = kexecSystem,
): NextKernel {
  const release = (system.read("/proc/sys/kernel/osrelease") ?? "").trim();
  const own = `/boot/initrd.img-${release}`;
  return {
    kernel: kernel ?? `/boot/vmlinuz-${release}`,
    initrd: initrd ?? (kernel === null && existsSync(own) ? own : null),
    commandLine: append ?? (system.read("/proc/cmdline") ?? "").trim().replace(/^BOOT_IMAGE=\S+\s*/, ""),
  };
}

const CAP_SYS_BOOT = 1n << 22n;

/** Everything that would stop a kexec that carries `stateBytes` to `to`; nothing is changed by looking. */
export function kexecProblems(
  to: string,
  next: NextKernel,
  stateBytes: number,
  system: KexecSystem = kexecSystem,
): KexecProblem[] {
  const address = parseCarrier(to);
  return [
    ...kernelProblems(next, system),
    ...(address.kind === "luo" ? luoProblems(address, next, stateBytes, system) : []),
    ...(address.kind === "dax" ? daxProblems(address, next, stateBytes, system) : []),
    ...(address.kind === "file"
      ? [
          {
            problem: `${to} is an ordinary file`,
            fix: "say --to luo:NAME or --to dax:PATH; for a file, kstate suspend and an ordinary reboot will do",
          },
        ]
      : []),
  ];
}

function kernelProblems({ kernel, initrd }: NextKernel, system: KexecSystem): KexecProblem[] {
  const problems: KexecProblem[] = [];
  const [, capabilities = "0"] = /^CapEff:\s*(\w+)/m.exec(system.read("/proc/self/status") ?? "") ?? [];
  if ((BigInt(`0x${capabilities}`) & CAP_SYS_BOOT) === 0n)
    problems.push({
      problem: "this process may not reboot the machine (CAP_SYS_BOOT)",
      fix: "run kstate kexec as root",
    });
  const loadedKernel = system.read("/sys/kernel/kexec_loaded");
  if (loadedKernel === undefined)
    problems.push({ problem: "the running kernel has no kexec", fix: "use one with CONFIG_KEXEC_FILE=y" });
  if ((system.read("/proc/sys/kernel/kexec_load_disabled") ?? "0").trim() !== "0")
    problems.push({
      problem: "kexec is disabled until the next reboot (kernel.kexec_load_disabled)",
      fix: "reboot, and leave that sysctl at 0",
    });
  if (/\[(integrity|confidentiality)\]/.test(system.read("/sys/kernel/security/lockdown") ?? ""))
    problems.push({
      problem: "the kernel is locked down: it starts signed kernels only",
      fix: "use a signed --kernel, or turn secure boot off",
    });
  const files = [["--kernel", kernel], ...(initrd === null ? [] : [["--initrd", initrd]])] as [
    string,
    string,
  ][];
  for (const [option, path] of files) {
    const reason = system.unreadable(path);
    if (reason !== undefined)
      problems.push({ problem: `${path} cannot be read: ${reason}`, fix: `name the file with ${option}` });
  }
  return problems;
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

function problemOf(step: () => void): string | undefined {
  try {
    step();
    return undefined;
  } catch (error) {
    return isKstateError(error) || error instanceof Error ? error.message : String(error);
  }
}
