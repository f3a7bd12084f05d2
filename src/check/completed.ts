import type { CodeHashes, LockRecord } from "../description/index.ts";
import { type Finding, type Rule, type RuleFinding, type SourceLocation, severityOf } from "./finding.ts";
import { pointerOf } from "./pointer.ts";

/** One side of a check. */
export interface CheckSide {
  readonly record: LockRecord;
  /** Where its parts were found, by JSON pointer. */
  readonly sources?: ReadonlyMap<string, SourceLocation>;
  /** Hashes of its functions; nothing is said about them unless given. */
  readonly code?: CodeHashes | undefined;
}

/** What a rule has found, with where it stands. The source is that of the new side: the old one's lines have moved. */
export function completed(rule: Rule, found: RuleFinding, old: CheckSide, next: CheckSide): Finding {
  const { target, ...rest } = found;
  const pointer = pointerOf((found.side === "old" ? old : next).record, target);
  const place = found.side === "old" ? pointerOfDescription(next.record, found.description) : pointer;
  const source = sourceAt(place, next.sources) ?? null;
  return { rule: rule.id, severity: severityOf[found.effect], ...rest, pointer, source, waiver: null };
}

function pointerOfDescription({ descriptions }: LockRecord, name: string): string {
  const index = descriptions.findIndex((description) => description.name === name);
  return index < 0 ? "" : `/descriptions/${index}`;
}

/** The nearest part around it whose source is known. */
function sourceAt(pointer: string, sources: CheckSide["sources"]): SourceLocation | undefined {
  for (let at = pointer; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
    const source = sources?.get(at);
    if (source !== undefined) return source;
  }
  return undefined;
}
