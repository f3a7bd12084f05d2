import { notCompared } from "./code-changes.ts";
import { compareRecords } from "./comparison.ts";
import { type CheckSide, completed } from "./completed.ts";
import type { Finding, Rule } from "./finding.ts";
import { rules as allRules } from "./rules/index.ts";
import { uselessWaivers, withWaivers } from "./waivers.ts";

/**
 * - `IN_PLACE`: both directions keep all, and nothing in memory has to be copied.
 * - `LIVE`: both directions keep all: every field of the loading program gets what the other has.
 * - `FORWARD_ONLY`: the update works; a rollback is refused, or loses what is listed.
 * - `COLD`: the update is refused, or loses what is listed.
 *
 * Findings that depend on values (warnings) do not change a verdict: what they warn of is refused before anything is
 * changed.
 */
export type Verdict = "IN_PLACE" | "LIVE" | "FORWARD_ONLY" | "COLD";

const verdicts: readonly Verdict[] = ["IN_PLACE", "LIVE", "FORWARD_ONLY", "COLD"];

export interface CheckResult {
  readonly verdict: Verdict;
  /** In the order of the rules, waived ones included. */
  readonly findings: readonly Finding[];
  /** What nothing is said about, because a side does not tell its code. */
  readonly notCompared: readonly string[];
}

export interface CheckOptions {
  /** The day by which waivers are judged. */
  readonly today: Date;
  /** All unless given. */
  readonly rules?: readonly Rule[];
}

/** Whether the new program can load what the old one saves, and the other way round. */
export function checkRecords(old: CheckSide, next: CheckSide, options: CheckOptions): CheckResult {
  const comparison = compareRecords(old.record, next.record, { old: old.code, new: next.code });
  const findings: Finding[] = [];
  for (const rule of options.rules ?? allRules) {
    for (const found of rule.find(comparison)) findings.push(completed(rule, found, old, next));
  }
  const judged = withWaivers(findings, comparison, options.today);
  const stale = uselessWaivers(judged, next, options.today);
  return {
    verdict: verdictOf(findings),
    findings: [...judged, ...stale],
    notCompared: notCompared(comparison),
  };
}

/** The worse of what the findings mean. */
export function verdictOf(findings: readonly Finding[]): Verdict {
  const severe = findings.filter(({ effect }) => effect === "refused" || effect === "lost");
  if (severe.some(({ directions }) => directions.includes("update"))) return "COLD";
  if (severe.length > 0) return "FORWARD_ONLY";
  return findings.some(({ rule }) => rule === "in-place-layout-changed") ? "LIVE" : "IN_PLACE";
}

export function worstVerdict(results: readonly { readonly verdict: Verdict }[]): Verdict {
  const ranks = results.map(({ verdict }) => verdicts.indexOf(verdict));
  return verdicts[Math.max(0, ...ranks)]!;
}
