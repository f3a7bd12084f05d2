import { ask } from "../ask.ts";
import type { CommandLine } from "../command-line.ts";
import { print } from "../print.ts";

/** Ends the previous version that stands by for a rollback: the update is for good. */
export async function commit({ name, json }: CommandLine): Promise<number> {
  const ended = (await ask(name, { type: "commit" })) as { readonly pid: number } | null;
  const text = ended === null ? "no previous version stood by" : `${ended.pid} stands by no longer`;
  print(json ? JSON.stringify({ standby: ended }) : `${name}: ${text}`);
  return 0;
}
