import type { StopResult } from "../../supervisor/index.ts";
import { ask } from "../ask.ts";
import type { CommandLine } from "../command-line.ts";
import { print, printError } from "../print.ts";

/** Ends the service and waits until it has ended. Status 1 when it has, and its state was not kept as it was. */
export async function stop({ name, json }: CommandLine): Promise<number> {
  const { exitCode = null, error = null } = (await ask(name, { type: "stop" })) as Partial<StopResult>;
  if (json) print(JSON.stringify({ stopped: name, exitCode, error }));
  else print(`${name}: stopped${exitCode ? `; its program ended with exit code ${exitCode}` : ""}`);
  if (error === null) return 0;
  if (!json)
    printError(
      `kstate stop: ${name} has ended, but its state was not kept: ${error.message} [${error.code}]; ` +
        "the next start says what is there of it and how to go on",
    );
  return 1;
}
