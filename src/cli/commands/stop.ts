import { ask } from "../ask.ts";
import type { CommandLine } from "../command-line.ts";

/** Ends the service and waits until it has ended. */
export async function stop({ name }: CommandLine): Promise<number> {
  await ask(name, { type: "stop" });
  console.log(`${name}: stopped`);
  return 0;
}
