/** What was wrong with a run, in sentences; nothing when all went as promised. */
import type { Phase } from "./phase.ts";

/** Whether the update of a phase is meant to succeed. */
export interface Expectation {
  readonly outcome: "committed" | "failed" | null;
  /** The version that serves afterwards. */
  readonly version: number;
}

export function problemsOf(phase: Phase, expected: Expectation): string[] {
  const { title, update, digest, counts } = phase;
  const problems: string[] = [];
  const none = (count: number, what: string): void => {
    if (count !== 0) problems.push(`${title}: ${count} ${what}`);
  };
  none(counts.lost, "messages lost");
  none(counts.doubled, "messages doubled");
  none(counts.reordered, "messages out of order");
  none(counts.webSocketsClosed, "WebSockets closed");
  none(counts.failed, "requests failed");
  none(counts.reopened, "keep-alive connections opened again");
  problems.push(...counts.problems.map((problem) => `${title}: ${problem}`));
  const outcome = update?.outcome ?? null;
  if (outcome !== expected.outcome) {
    problems.push(`${title}: the update ${outcome}: ${update?.error?.message ?? "nobody knows why"}`);
  }
  if (digest.version !== expected.version)
    problems.push(`${title}: version ${digest.version} serves, not ${expected.version}`);
  if (digest.frozen !== digest.restored)
    problems.push(`${title}: the state digest was ${digest.frozen} before and is ${digest.restored}`);
  if (outcome === "committed" && digest.frozen === "") problems.push(`${title}: there is no state digest`);
  return problems;
}
