import { realpathSync } from "node:fs";
import {
  claimName,
  ensureRuntimeDirectory,
  runtimeDirectory,
  Supervisor,
  serveControl,
  socketPath,
  supervisorSystem,
} from "../../supervisor/index.ts";
import type { CommandLine } from "../command-line.ts";
import { usage } from "../usage.ts";

/** Runs a service until it ends; its exit status is the program's. */
export async function run({ name, command, memoryBytes }: CommandLine): Promise<number> {
  if (command === null) throw usage("no command: kstate run -- node app.js");
  const directory = runtimeDirectory(process.env);
  ensureRuntimeDirectory(directory);
  const server = await claimName(name, socketPath(directory, name));
  const exitCode = await new Promise<number>((resolve) => {
    const supervisor = new Supervisor(
      {
        name,
        command: { argv: command, environment: {} },
        cwd: logicalDirectory(),
        runtimeDirectory: directory,
        memoryBytes,
        log: (text) => console.error(`kstate: ${text}`),
        ended: resolve,
      },
      supervisorSystem,
    );
    serveControl(server, supervisor);
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
      process.on(signal, () => void supervisor.stop());
  });
  server.close();
  return exitCode;
}

/** The working directory as the shell names it: a symbolic link in it is followed anew for each version. */
function logicalDirectory(): string {
  const { PWD } = process.env;
  const here = process.cwd();
  try {
    return PWD !== undefined && realpathSync(PWD) === here ? PWD : here;
  } catch {
    return here;
  }
}
