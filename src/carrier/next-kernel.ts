import { existsSync } from "node:fs";
import { type KexecSystem, kexecSystem, type NextKernel } from "./kexec-system.ts";

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
