import type { DescriptionRecord } from "../../description/index.ts";
import type { Comparison, Rule, RuleFinding } from "../finding.ts";

export const versionOutOfBounds: Rule = {
  id: "version-out-of-bounds",
  title: "A since is above the versionId, or an until is not below it.",
  explanation:
    "A field that begins in a version which does not exist is never written, and one that ends in the newest version has " +
    "not ended. defineState refuses both with DESCRIPTION_INVALID, so the lock file was edited or merged by hand.",
  fix: "Raise versionId, then run kstate lock again.",
  *find(comparison) {
    yield* outOfBounds(comparison);
  },
};

function* outOfBounds(comparison: Comparison): Generator<RuleFinding> {
  for (const record of comparison.new.values()) {
    for (const field of record.fields) {
      const { since = 0, until = -1 } = field;
      const needed = Math.max(since, until + 1);
      if (needed <= record.versionId && until < record.versionId) continue;
      yield {
        description: record.name,
        field: field.name,
        directions: ["update", "rollback"],
        effect: "refused",
        message: `${field.name} is there ${since > record.versionId ? `since version ${since}` : `until version ${until}`}, but the newest version is ${record.versionId}`,
        before: versionOf(comparison.old.get(record.name)),
        after: `versionId ${record.versionId}`,
        fix: `raise versionId to ${needed} in the description, then run kstate lock`,
        side: "new",
        target: field,
      };
    }
  }
}

function versionOf(record: DescriptionRecord | undefined): string | null {
  return record === undefined ? null : `versionId ${record.versionId}`;
}
