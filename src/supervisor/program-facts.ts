import { shownCommand } from "./command-text.ts";
import type { ProgramFacts } from "./history.ts";
import type { Program } from "./program.ts";
import type { ProgramRecord } from "./service-record.ts";
import type { SupervisorSystem } from "./system.ts";

/** A program, as the history tells of it. */
export function factsOf({ pid, command, lock }: Program): ProgramFacts {
  return { pid, command: shownCommand(command.argv), descriptions: descriptionsOf(lock) };
}

/** What is shown of a lock record, which is not looked into otherwise. */
export function descriptionsOf(lock: unknown): { name: string; versionId: number }[] {
  const descriptions =
    (lock as { descriptions?: { name: string; versionId: number }[] } | undefined)?.descriptions ?? [];
  return descriptions
    .filter(({ name }) => !name.startsWith("kstate."))
    .map(({ name, versionId }) => ({ name, versionId }));
}

/** A program, as whoever adopts the service finds it. */
export function recordOf(program: Program, system: SupervisorSystem): ProgramRecord {
  const { pid, controlPath, command, startedAt } = program;
  const ticks = system.startTicks(pid);
  return {
    controlPath,
    command,
    startedAt: startedAt.toISOString(),
    process: ticks === null ? null : { pid, startTicks: ticks },
  };
}
