import { checkRecords, type Finding, subjectOf, type Verdict } from "../check/index.ts";
import type { LockRecord } from "../description/index.ts";
import { KstateError } from "../error/index.ts";

/**
 * Throws `UPDATE_REFUSED` unless the next version can take over, and a rollback is possible. `force` accepts everything
 * but what would be refused anyway.
 */
export function checkSuccessor(own: LockRecord, next: LockRecord, force: boolean): void {
  const { verdict, findings } = checkRecords({ record: own }, { record: next }, { today: new Date() });
  const grave = findings.filter(
    ({ effect, waiver }) => effect !== "none" && effect !== "depends" && waiver === null,
  );
  const isHopeless = ({ effect, directions }: Finding) =>
    effect === "refused" && directions.includes("update");
  const reasons = force ? grave.filter(isHopeless) : grave;
  if (reasons.length > 0) throw refused(verdict, findings, reasons);
}

function refused(verdict: Verdict, findings: readonly Finding[], reasons: readonly Finding[]): KstateError {
  const texts = reasons
    .slice(0, 5)
    .map((finding) => `${subjectOf(finding)}: ${finding.message} [${finding.rule}]`);
  const more = reasons.length > texts.length ? ` and ${reasons.length - texts.length} more` : "";
  const fix = verdict === "COLD" ? "mend it" : "mend it, or update with --force";
  return new KstateError(
    "UPDATE_REFUSED",
    `the next version is ${verdict}: ${texts.join("; ")}${more}; ${fix}`,
    { verdict, findings },
  );
}
