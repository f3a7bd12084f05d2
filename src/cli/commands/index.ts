import { type CommandLine, type OptionName, TIMEOUT_OPTIONS } from "../command-line.ts";
import { commit } from "./commit.ts";
import { history } from "./history.ts";
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

const UPDATE_OPTIONS = [
  ...TIMEOUT_OPTIONS,
  "rehearse",
  "drop-stalled",
  "standby",
  "standby-timeout",
] as const;

const SUSPEND_OPTIONS = ["quiesce-timeout", "freeze-timeout", "detached-timeout", "drop-stalled"] as const;

export const commands: Readonly<Record<string, CliCommand>> = Object.assign(Object.create(null), {
  suspend: {
    options: ["name", "to", "for", "part-size", "json", ...SUSPEND_OPTIONS],
    run: suspend,
  },
  resume: { options: ["name", "memory", "env", "env-file", "stale-ok", "json"], run: resume },
  kexec: {
    options: [
      ...(["name", "to", "for", "kernel", "initrd", "append", "dry-run", "json"] as const),
      ...SUSPEND_OPTIONS,
    ],
    run: kexec,
  },
  run: {
    options: [
      "name",
      "memory",
      "update-memory",
      "env",
      "env-file",
      "adopt",
      "from",
      "stale-ok",
      "drop-collection",
      "restart",
      "restart-limit",
      "update-on",
      ...TIMEOUT_OPTIONS,
    ],
    run,
  },
  update: { options: ["name", "env", "env-file", "force", "json", ...UPDATE_OPTIONS], run: update },
  rollback: { options: ["name", "json", ...UPDATE_OPTIONS], run: rollback },
  commit: { options: ["name", "json"], run: commit },
  history: { options: ["name", "json", "limit"], run: history },
  status: { options: ["name", "json"], run: status },
  stop: { options: ["name", "json"], run: stop },
} satisfies Record<string, CliCommand>);
