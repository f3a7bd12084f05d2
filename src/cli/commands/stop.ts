import { ask } from "../ask.ts";
import type { CommandLine } from "../command-line.ts";
import { print } from "../print.ts";

/** Ends the service and waits until it has ended. */
export async function stop({ name, json }: CommandLine): Promise<number> {
  await ask(name, { type: "stop" });
  print(json ? JSON.stringify({ stopped: name }) : `${name}: stopped`);
  return 0;
}
