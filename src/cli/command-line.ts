import { resolve } from "node:path";
import { type ParseArgsConfig, parseArgs } from "node:util";
import { UNNAMED_SERVICE } from "../live/protocol.ts";
import {
  DEFAULT_DETACHED_MS,
  DEFAULT_STANDBY_MS,
  DEFAULT_TIMEOUTS,
  RESTART_POLICIES,
  type RestartPolicy,
  type UpdateTimeouts,
} from "../supervisor/index.ts";
import { usage } from "./usage.ts";

const known = {
  help: { type: "boolean", short: "h" },
  name: { type: "string" },
  json: { type: "boolean" },
  env: { type: "string", multiple: true },
  "env-file": { type: "string", multiple: true },
  memory: { type: "string" },
  "update-memory": { type: "string" },
  adopt: { type: "boolean" },
  force: { type: "boolean" },
  to: { type: "string" },
  from: { type: "string" },
  for: { type: "string" },
  "part-size": { type: "string" },
  "stale-ok": { type: "boolean" },
  "drop-collection": { type: "string", multiple: true },
  kernel: { type: "string" },
  initrd: { type: "string" },
  append: { type: "string" },
  "dry-run": { type: "boolean" },
  restart: { type: "string" },
  "restart-limit": { type: "string" },
  "update-on": { type: "string" },
  rehearse: { type: "boolean" },
  "drop-stalled": { type: "boolean" },
  standby: { type: "boolean" },
  "standby-timeout": { type: "string" },
  limit: { type: "string" },
  "boot-timeout": { type: "string" },
  "quiesce-timeout": { type: "string" },
  "freeze-timeout": { type: "string" },
  "detached-timeout": { type: "string" },
} as const satisfies ParseArgsConfig["options"];

/** Signals that are passed on to the program, or begin an update. */
export const SIGNALS = ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const;

export type OptionName = Exclude<keyof typeof known, "help">;
export const TIMEOUT_OPTIONS = ["boot-timeout", "quiesce-timeout", "freeze-timeout"] as const;

export interface CommandLine {
  readonly name: string;
  readonly help: boolean;
  readonly json: boolean;
  readonly environment: Readonly<Record<string, string>>;
  /** Absolute paths of files that are read whenever the program is started. */
  readonly environmentFiles: readonly string[];
  readonly timeouts: UpdateTimeouts;
  /** Size of the service's memory. */
  readonly memoryBytes: number;
  /** What a second program needs during an update; null: as much as the first one has, 0: it is not looked at. */
  readonly updateMemoryBytes: number | null;
  /** Take over a service whose supervisor has ended. */
  readonly adopt: boolean;
  /** Where a state goes or comes from, as it was written. */
  readonly to: string | null;
  readonly from: string | null;
  /** The lock file of the program that will resume. */
  readonly lockFile: string | null;
  readonly partBytes: number | null;
  readonly staleOk: boolean;
  /** Collections of the state that was kept without which the service begins. */
  readonly dropCollections: readonly string[];
  /** The next kernel of a kexec, as it was given. */
  readonly kernel: string | null;
  readonly initrd: string | null;
  readonly append: string | null;
  readonly dryRun: boolean;
  /** Update although a rollback would be refused or lose state. */
  readonly force: boolean;
  readonly restarts: { readonly policy: RestartPolicy; readonly limit: number };
  /** The signal that begins an update; null: none. */
  readonly updateOn: NodeJS.Signals | null;
  readonly rehearse: boolean;
  /** Close connections that wait for their clients alone when the time to quiesce is over. */
  readonly dropStalled: boolean;
  /** How long the previous version stands by, ms; null: it does not. */
  readonly standbyMs: number | null;
  /** How long detached responses may take to finish when their service is suspended, ms. */
  readonly detachedMs: number;
  /** How many entries are shown. */
  readonly limit: number;
  /** What stands after `--`; null when there is no `--`. */
  readonly command: readonly string[] | null;
}

/** Reads the options that a command allows; `USAGE` says what is wrong. */
export function parseCommandLine(argv: readonly string[], allowed: readonly OptionName[]): CommandLine {
  const split = argv.indexOf("--");
  const values = parse(split === -1 ? argv : argv.slice(0, split));
  for (const option of Object.keys(values)) {
    if (option !== "help" && !allowed.includes(option as OptionName))
      throw usage(`--${option} is not an option of this command`);
  }
  const command = split === -1 ? null : argv.slice(split + 1);
  if (command?.length === 0) throw usage("no command after --");
  return {
    name: values.name ?? (process.env.KSTATE_NAME || UNNAMED_SERVICE),
    help: values.help ?? false,
    json: values.json ?? false,
    environment: Object.fromEntries((values.env ?? []).map(assignment)),
    environmentFiles: (values["env-file"] ?? []).map((path) => resolve(path)),
    adopt: values.adopt ?? false,
    force: values.force ?? false,
    memoryBytes: bytes("memory", values.memory ?? "1G"),
    updateMemoryBytes: updateMemory(values["update-memory"]),
    to: values.to ?? null,
    from: values.from ?? null,
    lockFile: values.for ?? null,
    partBytes: values["part-size"] === undefined ? null : bytes("part-size", values["part-size"]),
    staleOk: values["stale-ok"] ?? false,
    dropCollections: values["drop-collection"] ?? [],
    kernel: values.kernel ?? null,
    initrd: values.initrd ?? null,
    append: values.append ?? null,
    dryRun: values["dry-run"] ?? false,
    restarts: {
      policy: oneOf("restart", values.restart ?? "on-failure", RESTART_POLICIES),
      limit: wholeNumber("restart-limit", values["restart-limit"] ?? "5"),
    },
    updateOn: values["update-on"] === undefined ? null : oneOf("update-on", values["update-on"], SIGNALS),
    rehearse: values.rehearse ?? false,
    dropStalled: values["drop-stalled"] ?? false,
    standbyMs:
      values.standby || values["standby-timeout"] !== undefined
        ? milliseconds("standby-timeout", values["standby-timeout"], DEFAULT_STANDBY_MS)
        : null,
    detachedMs: milliseconds("detached-timeout", values["detached-timeout"], DEFAULT_DETACHED_MS),
    limit: wholeNumber("limit", values.limit ?? "20"),
    timeouts: {
      bootMs: milliseconds("boot-timeout", values["boot-timeout"], DEFAULT_TIMEOUTS.bootMs),
      quiesceMs: milliseconds("quiesce-timeout", values["quiesce-timeout"], DEFAULT_TIMEOUTS.quiesceMs),
      freezeMs: milliseconds("freeze-timeout", values["freeze-timeout"], DEFAULT_TIMEOUTS.freezeMs),
    },
    command,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: known, allowPositionals: false }).values;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL") {
      const [, found = ""] = /'(.*)'/.exec(message) ?? [];
      throw usage(`unexpected ${found}; a command and its arguments stand after --, as in "-- node app.js"`);
    }
    throw usage(message.replace(/\.? ?To specify.*$/s, ""));
  }
}

function assignment(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw usage(`--env ${text} is not KEY=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function oneOf<T extends string>(option: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found === undefined) throw usage(`--${option} ${text} is none of ${choices.join(", ")}`);
  return found;
}

function wholeNumber(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw usage(`--${option} ${text} is not a whole number`);
  return Number(text);
}

function milliseconds(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw usage(`--${option} ${text} is not a number of milliseconds from 1`);
  return Number(text);
}

function updateMemory(text: string | undefined): number | null {
  if (text === undefined) return null;
  return text === "0" ? 0 : bytes("update-memory", text);
}

/** `512M`, `16G`: sparse, so more than there is does no harm until it is used. */
function bytes(option: string, text: string): number {
  const [, count, unit] = /^([1-9]\d{0,5})([MG])$/.exec(text) ?? [];
  if (count === undefined) throw usage(`--${option} ${text} is not a size such as 512M or 16G`);
  return Number(count) * (unit === "G" ? 1024 ** 3 : 1024 ** 2);
}
