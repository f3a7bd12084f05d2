import { existsSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { runtimeDirectory } from "../../supervisor/index.ts";
import { parseCommandLine } from "../command-line.ts";
import { DevService } from "../dev/dev-service.ts";
import { sourceCommand } from "../dev/source-command.ts";
import { SourceWatch } from "../dev/source-watch.ts";
import { printError } from "../print.ts";
import { logWithoutWaiting } from "../service-log.ts";
import { usage } from "../usage.ts";
import type { CliTool } from "./tool.ts";

export const dev: CliTool = {
  help: `kstate dev ENTRY [ARGUMENT…] [--watch DIR]… [--name NAME] [--memory SIZE] [--boot-timeout MS]

Runs a program and makes every change of its sources a live update: state and connections are kept. A change that does
not boot, or cannot load the state, leaves the version before serving and says why; the next change tries again.

  ENTRY          a JavaScript or TypeScript file; TypeScript is run by the project's tsx if it has one, else by Node
                 itself, from version 22.18 on
  --watch DIR    what to watch; may be repeated. Unless given the entry's package: the nearest directory with a
                 package.json. Sources and JSON count, without node_modules and names that begin with a dot
  --name NAME    "dev" unless given here or in KSTATE_NAME; other commands work with it: kstate status --name dev

What follows "--" is passed to the program.`,
  options: {
    watch: { type: "string", multiple: true },
    name: { type: "string" },
    memory: { type: "string" },
    "boot-timeout": { type: "string" },
  },
  async run(line) {
    const [entry, ...args] = line.positionals;
    if (entry === undefined) throw usage("no program: kstate dev app.ts");
    logWithoutWaiting();
    const log = (text: string): void => printError(`kstate: ${text}`);
    const { memoryBytes, timeouts } = parseCommandLine(serviceOptions(line), ["memory", "boot-timeout"]);
    const name = line.text("name") ?? (process.env.KSTATE_NAME || "dev");
    const service = new DevService({ name, argv: sourceCommand(entry, args), memoryBytes, timeouts, log });
    const watched = line.texts("watch").length > 0 ? line.texts("watch") : [packageOf(entry)];
    const own = resolve(runtimeDirectory(process.env));
    const watch = new SourceWatch(
      watched.map((directory) => resolve(directory)),
      own,
    );
    try {
      await service.start();
      log(`${name}: watching ${watched.map((directory) => relative("", directory) || ".").join(", ")}`);
      await renewals(service, watch, (text) => log(`${name}: ${text}`));
      await service.stop();
      return 0;
    } finally {
      watch.close(); // it would keep the process alive
    }
  },
};

/** Renews the service at every change, until a signal ends it. What fails is said, and the next change tries again. */
async function renewals(service: DevService, watch: SourceWatch, log: (text: string) => void): Promise<void> {
  const stopped = new Promise<"stopped">((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
      process.on(signal, () => resolve("stopped"));
  });
  for (;;) {
    const changed = await Promise.race([watch.next(), stopped]);
    if (changed === "stopped") return;
    log(`${changed.map((path) => relative("", path)).join(", ")} changed`);
    const renewed = service.renew().catch((error: unknown) => {
      log(`the next change tries again: ${error instanceof Error ? error.message : String(error)}`);
    });
    if ((await Promise.race([renewed, stopped])) === "stopped") return;
  }
}

function serviceOptions(line: { text(option: string): string | undefined }): string[] {
  return ["memory", "boot-timeout"].flatMap((option) => {
    const value = line.text(option);
    return value === undefined ? [] : [`--${option}`, value];
  });
}

/** The directory of the package that a file belongs to; its own if there is none. */
function packageOf(entry: string): string {
  const own = dirname(resolve(entry));
  for (let at = own; ; at = dirname(at)) {
    if (existsSync(join(at, "package.json"))) return at;
    if (at === dirname(at)) return own;
  }
}
