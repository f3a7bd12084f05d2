import { isSameLayout } from "../../description/index.ts";
import { exchangedVersions } from "../comparison.ts";
import { fieldChanges } from "../field-changes.ts";
import type { Rule } from "../finding.ts";

export const layoutChanged: Rule = {
  id: "layout-changed",
  title: "A version has other bytes than before, in a way that no other rule names.",
  explanation:
    "Writer and reader disagree about the fields of a version that both know, so both directions are refused with " +
    "LAYOUT_MISMATCH. Should you meet this rule, a more precise one is missing in kstate: please report it.",
  fix: "Raise versionId, and give what changed since and until.",
  *find({ pairs }) {
    for (const pair of pairs) {
      for (const [versionId, directions] of exchangedVersions(pair)) {
        if (isSameLayout(pair.old, pair.new, versionId)) continue;
        if (fieldChanges(pair).some((change) => change.versionId === versionId)) continue;
        yield {
          description: pair.name,
          field: null,
          directions,
          effect: "refused",
          message: `version ${versionId} has other fields than before`,
          before: null,
          after: null,
          fix: `raise versionId to ${pair.old.versionId + 1}, and give what changed since and until`,
          side: "new",
          target: pair.new,
        };
      }
    }
  },
};
