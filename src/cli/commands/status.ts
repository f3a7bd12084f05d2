import type { SupervisorStatus } from "../../supervisor/index.ts";
import { ask } from "../ask.ts";
import type { CommandLine } from "../command-line.ts";
import { print } from "../print.ts";

/** Prints what runs and how the last update went. */
export async function status({ name, json }: CommandLine): Promise<number> {
  const found = (await ask(name, { type: "status" })) as SupervisorStatus;
  print(json ? JSON.stringify(found) : describe(found));
  return 0;
}

function describe({
  name,
  supervisorPid,
  program,
  listeners,
  previousCommand,
  standby,
  updating,
  suspending,
  suspendedIn,
  lastUpdate,
}: SupervisorStatus): string {
  const found =
    suspendedIn === null
      ? `program ${program.pid} is ${program.phase} since ${program.startedAt}`
      : `suspended to ${suspendedIn}, no program runs; "kstate resume --name ${name}" goes on`;
  const lines = [
    `${name}: ${found}, supervisor ${supervisorPid}`,
    `  command      ${program.command.join(" ")}`,
    `  listens on   ${listeners.join(", ") || "nothing"}`,
    `  state        ${program.descriptions.map(({ name, versionId }) => `${name}@${versionId}`).join(", ") || "none"}`,
    `  rollback to  ${previousCommand?.join(" ") ?? "nothing yet"}`,
  ];
  if (standby !== null) {
    const how = standby.waiting ? "waits" : "boots, and waits";
    lines.push(`  stands by    ${standby.pid} ${how} until ${standby.until}: ${standby.command.join(" ")}`);
  }
  if (updating) lines.push("  an update is under way");
  if (suspending !== null) {
    const [done, total] = [suspending.doneBytes, suspending.totalBytes].map((bytes) =>
      Math.ceil(bytes / 1024 ** 2),
    );
    lines.push(`  it is being suspended: ${done} of ${total} MiB kept`);
  }
  if (lastUpdate !== null) {
    const { generation, outcome, at, figures, error } = lastUpdate;
    const more = error?.message ?? (figures === null ? "" : `blackout ${figures.blackoutMs.toFixed(1)} ms`);
    lines.push(`  last update  ${generation} ${outcome} at ${at}${more && `: ${more}`}`);
  }
  return lines.join("\n");
}
