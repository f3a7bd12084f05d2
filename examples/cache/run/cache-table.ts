import type { CachePhase } from "./run-cache.ts";

const heads = [
  "update",
  "blackout, ms: client",
  "server",
  "longest gap, ms",
  "stream, bytes",
  "programs",
  "shared, MiB",
  "own, MiB",
  "requests",
  "failed",
];

/** One line for each phase; memory is Pss, at most in the phase. */
export function phaseTable(phases: readonly CachePhase[]): string {
  const lines = [heads, ...phases.map(row)];
  const widths = heads.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map((line) =>
      line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "),
    )
    .join("\n");
}

function row({ title, load, update, peak }: CachePhase): string[] {
  return [
    title,
    load.blackoutMs?.toFixed(1) ?? "",
    update?.figures?.blackoutMs.toFixed(1) ?? "",
    load.longestGapMs.toFixed(1),
    update?.figures?.streamBytes.toLocaleString("en") ?? "",
    String(peak.programs),
    peak.shared.toFixed(1),
    peak.own.toFixed(1),
    load.requests.toLocaleString("en"),
    String(load.failed + load.wrong),
  ];
}
