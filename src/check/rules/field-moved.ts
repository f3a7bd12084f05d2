import { changeFindings } from "../change-findings.ts";
import type { Rule } from "../finding.ts";

export const fieldMoved: Rule = {
  id: "field-moved",
  title: "A field stands in another place.",
  explanation:
    "The order of the fields is the order of the bytes. Both directions are refused with LAYOUT_MISMATCH, even where the " +
    "fields that changed places are of one size.",
  fix: "Put the field back where it was; the order of the list means nothing to the program.",
  find: (comparison) =>
    changeFindings(comparison, "moved", ({ path, beforeText, afterText, versionId }) => ({
      message: `${path} was the ${beforeText} field of version ${versionId} and is now the ${afterText}`,
      fix: `put ${path} back where it was in the list`,
    })),
};
