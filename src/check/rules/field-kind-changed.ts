import { changeFindings, retypeFix } from "../change-findings.ts";
import type { Rule } from "../finding.ts";

export const fieldKindChanged: Rule = {
  id: "field-kind-changed",
  title: "A field is of another kind in a version that both sides know.",
  explanation:
    "Bytes that were written as one kind would be read as another. The layouts are compared before anything is read, so " +
    "both directions are refused with LAYOUT_MISMATCH.",
  fix: "Raise versionId, and give the name twice, with until and since.",
  find: (comparison) =>
    changeFindings(comparison, "kind", (change, pair) => ({
      message: `${change.path} was ${change.beforeText} and is ${change.afterText} in version ${change.versionId}, which both sides know`,
      fix: retypeFix(change, pair),
    })),
};
