import type { CheckResult, Verdict } from "./check.ts";
import type { Finding, Severity } from "./finding.ts";

/** One old side against the new one. */
export interface ComparedSide extends CheckResult {
  /** How the sides were called on the command line. */
  readonly old: string;
  readonly new: string;
  /** What is to be said about the sides themselves. */
  readonly remarks?: readonly string[];
}

/** What a check came to. */
export interface CheckReport {
  /** The worst of all. */
  readonly verdict: Verdict;
  readonly comparisons: readonly ComparedSide[];
}

/** How many findings there are of each severity, and how many are waived. */
export function countsOf(findings: readonly Finding[]): Readonly<Record<Severity | "waived", number>> {
  const counts = { error: 0, warning: 0, note: 0, waived: 0 };
  for (const { severity, waiver } of findings) counts[waiver === null ? severity : "waived"] += 1;
  return counts;
}

/** `player.hp`. */
export function subjectOf({ description, field }: Finding): string {
  return field === null ? description : `${description}.${field}`;
}

/** `kstate check --format json`: the report itself. */
export function formatJson(report: CheckReport): string {
  return JSON.stringify(report, null, 2);
}
