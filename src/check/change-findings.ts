/** Findings of rules that look at one kind of change each. */

import { kindText } from "../description/index.ts";
import { type FieldChange, type FieldChangeType, fieldChanges } from "./field-changes.ts";
import type { Comparison, Pair, RuleFinding } from "./finding.ts";
import { type ValueChange, valueChanges } from "./value-changes.ts";

/** Changes of the bytes of a version that both sides know: each of them is refused. */
export function* changeFindings(
  comparison: Comparison,
  type: FieldChangeType,
  say: (change: FieldChange, pair: Pair) => Pick<RuleFinding, "message" | "fix">,
): Generator<RuleFinding> {
  for (const pair of comparison.pairs) {
    for (const change of fieldChanges(pair)) {
      if (change.type !== type) continue;
      const { path, before, after, beforeText, afterText, directions } = change;
      yield {
        description: pair.name,
        field: path,
        directions,
        effect: "refused",
        ...say(change, pair),
        before: beforeText,
        after: afterText,
        side: after === undefined ? "old" : "new",
        target: after ?? before!,
      };
    }
  }
}

/** Values that one side may write and the other refuses. */
export function* valueFindings(
  comparison: Comparison,
  type: ValueChange["type"],
  say: (change: ValueChange, pair: Pair) => Pick<RuleFinding, "message" | "fix">,
): Generator<RuleFinding> {
  for (const pair of comparison.pairs) {
    for (const change of valueChanges(pair)) {
      if (change.type !== type) continue;
      const { path, direction, reader, writerText, readerText } = change;
      const isUpdate = direction === "update";
      yield {
        description: pair.name,
        field: path,
        directions: [direction],
        effect: "depends",
        ...say(change, pair),
        before: isUpdate ? writerText : readerText,
        after: isUpdate ? readerText : writerText,
        side: isUpdate ? "new" : "old",
        target: reader,
      };
    }
  }
}

/** How the next version is called in a fix. */
export function nextVersion({ old }: Pair): number {
  return old.versionId + 1;
}

/** How to change a field for good: the old form until the old version, the new form since the next. */
export function retypeFix(change: FieldChange, pair: Pair): string {
  const { before, after } = change;
  const next = nextVersion(pair);
  const [from, to] = [before!, after!].map((field) => kindText(field.kind, change.versionId));
  return (
    `raise versionId to ${next} and give the name twice: ["${before!.name}", ${from}] with until(${pair.old.versionId}, ` +
    `{ save, load }) and ["${after!.name}", ${to}] with since(${next})`
  );
}
