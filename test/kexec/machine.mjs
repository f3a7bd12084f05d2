// A machine in QEMU under software emulation: two processors, a serial console, a root image that is not written to.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A loaded machine under emulation is slow; a hang is longer. */
const LIMIT_MS = 20 * 60_000;

/**
 * Runs a machine until it ends and returns what it printed. `told` has each line as it comes, and may end the machine.
 * `disk` is a second image, which is written to; a machine that `resets` begins anew with its firmware when it reboots.
 */
export async function runMachine(
  { kernel, initrd = null, memory, append, root, disk = null, resets = false },
  told = () => {},
) {
  const drive = (file, options) => ["-drive", `file=${file},if=virtio,format=raw,${options}`];
  const options = [
    ...["-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "2", "-m", memory, "-nographic"],
    ...(resets ? [] : ["-no-reboot"]),
    ...drive(root, "snapshot=on"),
    ...(disk === null ? [] : drive(disk, "cache=writeback")),
    ...["-kernel", kernel],
    ...(initrd === null ? [] : ["-initrd", initrd]),
    ...["-append", `console=ttyS0 panic=-1 ${append}`],
  ];
  const child = spawn("qemu-system-x86_64", options, { stdio: ["ignore", "pipe", "pipe"] });
  const end = () => child.kill("SIGKILL");
  const limit = setTimeout(end, LIMIT_MS);
  const lines = [];
  child.stderr.setEncoding("utf8").on("data", (text) => lines.push(text));
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    told(line, end);
  }
  clearTimeout(limit);
  return lines;
}

/** What a line of the console says, if a program of ours has written it. */
export function said(line) {
  const at = line.indexOf("@@ ");
  return at === -1 ? null : JSON.parse(line.slice(at + 3));
}
