import { changeFindings, retypeFix } from "../change-findings.ts";
import type { Rule } from "../finding.ts";

export const fieldWidthChanged: Rule = {
  id: "field-width-changed",
  title: "A field has another width, size or count in a version that both sides know.",
  explanation:
    "All fields after it would be read from the wrong place. The layouts are compared before anything is read, so both " +
    "directions are refused with LAYOUT_MISMATCH.",
  fix: "Raise versionId, and give the name twice, with until and since.",
  find: (comparison) =>
    changeFindings(comparison, "width", (change, pair) => ({
      message: `${change.path} was ${change.beforeText} and is ${change.afterText} in version ${change.versionId}, which both sides know`,
      fix: retypeFix(change, pair),
    })),
};
