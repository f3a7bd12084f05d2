import { changeFindings } from "../change-findings.ts";
import type { Rule } from "../finding.ts";

export const conditionChanged: Rule = {
  id: "condition-changed",
  title: "The condition under which a field is in the stream changed.",
  explanation:
    "Whether the field's bytes are there would be decided differently by writer and reader. Conditions are part of the " +
    "layout, so both directions are refused with LAYOUT_MISMATCH.",
  fix: "Raise versionId, and give the name twice, each with its condition, with until and since.",
  find: (comparison) =>
    changeFindings(comparison, "condition", ({ path, beforeText, afterText, versionId }, { old }) => ({
      message: `${path} was there ${beforeText} and is there ${afterText} in version ${versionId}, which both sides know`,
      fix: `restore the condition, or raise versionId to ${old.versionId + 1} and give the name twice, each with its condition`,
    })),
};
