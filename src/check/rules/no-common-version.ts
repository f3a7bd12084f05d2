import { bothDirections } from "../comparison.ts";
import type { Direction, Pair, Rule } from "../finding.ts";
import { minimumRaised } from "./minimum-raised.ts";
import { rollbackNotWritable } from "./rollback-not-writable.ts";
import { versionLowered } from "./version-lowered.ts";

export const noCommonVersion: Rule = {
  id: "no-common-version",
  title: "There is no version that one side writes and the other loads.",
  explanation:
    "The versions that the two sides know do not overlap, for a reason that no other rule names: the old program's " +
    "minimum is above the new program's newest version. Refused with NO_COMMON_VERSION.",
  fix: "Update in smaller steps.",
  *find(comparison) {
    for (const pair of comparison.pairs) {
      const directions = bothDirections.filter((direction) => isUnexplained(pair, direction));
      if (directions.length === 0) continue;
      const { old, new: next } = pair;
      yield {
        description: pair.name,
        field: null,
        directions,
        effect: "refused",
        message: `the old program has versions ${old.minVersionId} to ${old.versionId}, the new one ${next.minVersionId} to ${next.versionId}`,
        before: `${old.minVersionId} to ${old.versionId}`,
        after: `${next.minVersionId} to ${next.versionId}`,
        fix: "update in smaller steps, through a version that both know",
        side: "new",
        target: next,
      };
    }
  },
};

function isUnexplained(pair: Pair, direction: Direction): boolean {
  if (pair.versionIds[direction] !== undefined) return false;
  const alone = { old: new Map(), new: new Map(), pairs: [pair] };
  const findings = [minimumRaised, versionLowered, rollbackNotWritable].flatMap((rule) => [
    ...rule.find(alone),
  ]);
  return !findings.some(({ effect, directions }) => effect === "refused" && directions.includes(direction));
}
