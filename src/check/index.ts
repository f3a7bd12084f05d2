export {
  type CheckOptions,
  type CheckResult,
  checkRecords,
  type Verdict,
  verdictOf,
  worstVerdict,
} from "./check.ts";
export type { CheckSide } from "./completed.ts";
export type {
  Direction,
  Effect,
  Finding,
  Rule,
  RuleFinding,
  Severity,
  SideName,
  SourceLocation,
} from "./finding.ts";
export { formatLockFile, type LockFile, locationText, parseLockFile } from "./lock-file.ts";
export { type CheckReport, type ComparedSide, countsOf, formatJson, subjectOf } from "./report.ts";
export { formatGithub } from "./report-github.ts";
export { formatSarif } from "./report-sarif.ts";
export { formatText, type TextOptions } from "./report-text.ts";
export { rules } from "./rules/index.ts";
export { waiverRules } from "./waivers.ts";
