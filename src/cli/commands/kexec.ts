import { kexecProblems, kexecSystem, nextKernel } from "../../carrier/index.ts";
import { KstateError } from "../../error/index.ts";
import type { SupervisorStatus } from "../../supervisor/index.ts";
import { ask } from "../ask.ts";
import { absoluteAddress } from "../carrier-option.ts";
import type { CommandLine } from "../command-line.ts";
import { print, printError } from "../print.ts";
import { usage } from "../usage.ts";
import { describe, requestSuspend } from "./suspend.ts";

/**
 * Carries a service over a reboot into another kernel: loads that kernel, suspends the service, reboots. Everything that
 * would stop it is found before the service is touched; what fails after that is undone.
 */
export async function kexec(line: CommandLine): Promise<number> {
  const { name, to, json, dryRun } = line;
  if (to === null || to === "-") throw usage("say where the state waits: --to luo:NAME or --to dax:PATH");
  const address = absoluteAddress(to);
  const next = nextKernel(line);
  const { memory } = (await ask(name, { type: "status" })) as SupervisorStatus;
  const problems = kexecProblems(address, next, memory.usedBytes);
  if (dryRun) {
    print(
      json
        ? JSON.stringify({ outcome: problems.length === 0 ? "ready" : "refused", next, problems })
        : inWords(problems, next.kernel),
    );
    return problems.length === 0 ? 0 : 1;
  }
  if (problems.length > 0)
    throw new KstateError("KEXEC_REFUSED", `cannot kexec: ${inWords(problems, next.kernel)}`, { problems });
  kexecSystem.load(next);
  try {
    const result = await requestSuspend(line, address, json);
    print(json ? JSON.stringify({ outcome: "suspended", ...result }) : describe(name, to, result).join("\n"));
  } catch (error) {
    kexecSystem.unload();
    throw error;
  }
  try {
    kexecSystem.reboot();
  } catch (error) {
    kexecSystem.unload();
    const { message } = error as Error;
    printError(`kstate kexec: ${message}; "kstate resume --name ${name}" goes on with the state in ${to}`);
  }
  return 1;
}

function inWords(problems: ReturnType<typeof kexecProblems>, kernel: string): string {
  if (problems.length === 0) return `nothing would stop a kexec into ${kernel}`;
  return problems.map(({ problem, fix }) => `${problem}; ${fix}`).join("\n  ");
}
