import { type HistoryEntry, HistoryFile, runtimeDirectory, socketPath } from "../../supervisor/index.ts";
import type { CommandLine } from "../command-line.ts";
import { droppedText } from "../dropped-text.ts";
import { print } from "../print.ts";

/** Prints what has happened to a service, the newest last; also when it does not run. */
export async function history({ name, json, limit }: CommandLine): Promise<number> {
  const directory = runtimeDirectory(process.env);
  socketPath(directory, name); // refuses a name that cannot be one
  const entries = new HistoryFile(directory, name).read();
  for (const entry of entries.slice(Math.max(0, entries.length - limit)))
    print(json ? JSON.stringify(entry) : described(entry));
  if (entries.length === 0 && !json) print(`${name}: nothing has happened yet`);
  return 0;
}

/** An entry that lacks something, or is of a later version, as it is. */
function described(entry: HistoryEntry): string {
  try {
    return describe(entry) ?? JSON.stringify(entry);
  } catch {
    return JSON.stringify(entry);
  }
}

function describe(entry: HistoryEntry): string {
  switch (entry.kind) {
    case "update":
    case "rollback": {
      const { generation, by, from, to, outcome, phases, totalMs, figures, error } = entry;
      const who = by === null ? "by signal" : `by ${by.user} (uid ${by.uid}, pid ${by.pid})`;
      const times = Object.entries(phases).map(([phase, ms]) => `${phase} ${ms.toFixed(0)} ms`);
      const moved =
        figures === null
          ? []
          : [
              `blackout ${figures.blackoutMs.toFixed(1)} ms, state ${figures.streamBytes} bytes, ` +
                `${figures.httpConnections} HTTP connections, ${figures.webSockets} WebSockets`,
              ...droppedText(figures),
            ];
      return [
        `${entry.at} ${entry.kind} ${generation} ${outcome === "crashed" ? "CRASHED" : outcome} ${who}, ${(totalMs / 1000).toFixed(2)} s`,
        `${from.pid} ${versions(from)} -> ${to.pid} ${versions(to)}: ${to.command.join(" ")}`,
        times.join(", "),
        ...moved,
        ...(error === null ? [] : [`${error.message} [${error.code}]`]),
      ].join("\n  ");
    }
    case "resolved":
      return `${entry.at} update ${entry.generation} had been ${entry.verdict.toLowerCase()} when its supervisor was gone`;
    case "crashed":
      return `${entry.at} CRASHED ${entry.program.pid}: ${entry.error.message} [${entry.error.code}]`;
    case "ended":
      return `${entry.at} ended ${entry.program.pid}: ${entry.error.message}`;
    default:
      return `${entry.at} ${entry.kind} ${entry.program.pid}: ${entry.program.command.join(" ")}`;
  }
}

function versions({
  descriptions,
}: {
  descriptions: readonly { name: string; versionId: number }[];
}): string {
  return `(${descriptions.map(({ name, versionId }) => `${name}@${versionId}`).join(", ") || "no state"})`;
}
