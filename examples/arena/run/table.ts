/** What came of the phases, for people. */
import type { Phase } from "./phase.ts";

type Cell = string | number;

const heads: readonly (readonly [above: string, below: string])[] = [
  ["", "update"],
  ["", "outcome"],
  ["blackout, ms", "client"],
  ["", "server"],
  ["longest", "gap, ms"],
  ["connections", "HTTP"],
  ["kept", "WebSocket"],
  ["", "messages"],
  ["", "lost"],
  ["", "doubled"],
  ["", "requests"],
  ["", "failed"],
  ["state digest", "before"],
  ["", "after"],
];

/** One line for each phase. */
export function table(phases: readonly Phase[]): string {
  const rows = phases.map(row).map((cells) => cells.map(text));
  const lines = [heads.map(([above]) => above), heads.map(([, below]) => below), ...rows];
  const widths = heads.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const isText = (column: number): boolean => column < 2 || column >= heads.length - 2;
  const pad = (cell: string, column: number): string =>
    isText(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
  return lines.map((line) => line.map(pad).join("  ").trimEnd()).join("\n");
}

function row({ title, update, probe, counts, digest }: Phase): Cell[] {
  const moved = update?.outcome === "committed";
  return [
    title,
    update === null ? "" : moved ? "committed" : "refused",
    probe.blackoutMs?.toFixed(1) ?? "",
    update?.figures?.blackoutMs.toFixed(1) ?? "",
    probe.longestGapMs.toFixed(1),
    `${counts.keepAlive - counts.reopened}/${counts.keepAlive}`,
    `${counts.webSockets - counts.webSocketsClosed}/${counts.webSockets}`,
    counts.sent + counts.received,
    counts.lost,
    counts.doubled + counts.reordered,
    counts.requests,
    counts.failed,
    moved ? digest.frozen.slice(0, 8) : "",
    moved ? digest.restored.slice(0, 8) : "",
  ];
}

function text(cell: Cell): string {
  return typeof cell === "number" ? cell.toLocaleString("en") : cell;
}

/** What came of one phase, in a line. */
export function sentence({ title, update, probe, counts }: Phase): string {
  if (update === null) {
    const [median, longest] = [probe.medianGapMs.toFixed(2), probe.longestGapMs.toFixed(1)];
    return `${title}: an answer every ${median} ms, longest gap ${longest} ms`;
  }
  if (update.figures === undefined) return `${title}: refused, the arena goes on: ${update.error?.message}`;
  const { streamBytes, httpConnections, webSockets } = update.figures;
  return (
    `${title}: blackout ${probe.blackoutMs?.toFixed(1)} ms; moved ${streamBytes} bytes, ${httpConnections} HTTP ` +
    `connections, ${webSockets} WebSockets; ${counts.lost} messages lost, ${counts.failed} requests failed`
  );
}
