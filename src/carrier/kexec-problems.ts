import { carrierProblems, type KexecProblem } from "./carrier-problems.ts";
import { type KexecSystem, kexecSystem, type NextKernel } from "./kexec-system.ts";
import { parseCarrier } from "./open-carrier.ts";

const CAP_SYS_BOOT = 1n << 22n;

/** Everything that would stop a kexec that carries `stateBytes` to `to`; nothing is changed by looking. */
export function kexecProblems(
  to: string,
  next: NextKernel,
  stateBytes: number,
  system: KexecSystem = kexecSystem,
): KexecProblem[] {
  return [...kernelProblems(next, system), ...carrierProblems(parseCarrier(to), next, stateBytes, system)];
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
