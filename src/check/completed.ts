import type { LockRecord } from "../description/index.ts";
import { type Finding, type Rule, type RuleFinding, type SourceLocation, severityOf } from "./finding.ts";
import { pointerOf } from "./pointer.ts";

/** One side of a check. */
export interface CheckSide {
  readonly record: LockRecord;
  /** Where its parts were found, by JSON pointer. */
  readonly sources?: ReadonlyMap<string, SourceLocation>;
}

/** What a rule has found, with where it stands. */
export function completed(rule: Rule, found: RuleFinding, { record, sources }: CheckSide): Finding {
  const { target, ...rest } = found;
  const pointer = pointerOf(record, target);
  const source = sourceAt(pointer, sources) ?? null;
  return { rule: rule.id, severity: severityOf[found.effect], ...rest, pointer, source, waiver: null };
}

/** The nearest part around it whose source is known. */
function sourceAt(pointer: string, sources: CheckSide["sources"]): SourceLocation | undefined {
  for (let at = pointer; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
    const source = sources?.get(at);
    if (source !== undefined) return source;
  }
  return undefined;
}
