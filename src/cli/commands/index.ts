import { type CommandLine, type OptionName, TIMEOUT_OPTIONS } from "../command-line.ts";
import { kexec } from "./kexec.ts";
import { resume } from "./resume.ts";
import { run } from "./run.ts";
import { status } from "./status.ts";
import { stop } from "./stop.ts";
import { suspend } from "./suspend.ts";
import { rollback, update } from "./update.ts";

export interface CliCommand {
  readonly options: readonly OptionName[];
  /** Resolves with the exit status. */
  run(line: CommandLine): Promise<number>;
}

export const commands: Readonly<Record<string, CliCommand>> = Object.assign(Object.create(null), {
  run: { options: ["name", "memory", "adopt", "from", "stale-ok"], run },
  suspend: {
    options: ["name", "to", "for", "part-size", "json", "quiesce-timeout", "freeze-timeout"],
    run: suspend,
  },
  resume: { options: ["name", "memory", "env", "stale-ok", "json"], run: resume },
  kexec: {
    options: [
      ...(["name", "to", "for", "kernel", "initrd", "append", "dry-run", "json"] as const),
      ...(["quiesce-timeout", "freeze-timeout"] as const),
    ],
    run: kexec,
  },
  update: { options: ["name", "env", "force", "json", ...TIMEOUT_OPTIONS], run: update },
  rollback: { options: ["name", "json", ...TIMEOUT_OPTIONS], run: rollback },
  status: { options: ["name", "json"], run: status },
  stop: { options: ["name"], run: stop },
} satisfies Record<string, CliCommand>);
