import { changeFindings, retypeFix } from "../change-findings.ts";
import type { Rule } from "../finding.ts";

export const customFormatChanged: Rule = {
  id: "custom-format-changed",
  title: "A custom field has another format in a version that both sides know.",
  explanation:
    "The bytes of a custom field are the program's own; its format name is all that can be compared. Another name means " +
    "other bytes, so both directions are refused with LAYOUT_MISMATCH.",
  fix: "Raise versionId, and keep the old format with until beside the new one with since.",
  find: (comparison) =>
    changeFindings(comparison, "format", (change, pair) => ({
      message: `${change.path} was ${change.beforeText} and is ${change.afterText} in version ${change.versionId}, which both sides know`,
      fix: retypeFix(change, pair),
    })),
};
