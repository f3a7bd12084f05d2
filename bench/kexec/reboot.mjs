// In the guest: what `kstate kexec --to luo:bank` does, with a wait before the reboot, in which the console prints what was found.
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { kexecSystem } from "/app/dist/carrier/index.js";
import { parseCommandLine } from "/app/dist/cli/command-line.js";
import { requestSuspend } from "/app/dist/cli/commands/suspend.js";
import { say } from "./state.mjs";

const PRINT_MS = 500;
const commandLine = readFileSync("/proc/cmdline", "utf8").trim().replace("bench.step=1", "bench.step=2");
kexecSystem.load({ kernel: "/boot/kernel", initrd: null, commandLine });
const suspended = await requestSuspend(parseCommandLine(["--name", "bank"], ["name"]), "luo:bank", true);
say({ suspended, waitMs: PRINT_MS });
await setTimeout(PRINT_MS);
kexecSystem.reboot();
