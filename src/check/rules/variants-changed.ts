import { changeFindings } from "../change-findings.ts";
import type { Rule } from "../finding.ts";

export const variantsChanged: Rule = {
  id: "variants-changed",
  title: "The variants of a oneOf were reordered, renamed, or taken out of the middle.",
  explanation:
    "A stream has the index of the variant. One side's list must begin with all of the other's, or an index would mean " +
    "another variant. Both directions are refused with LAYOUT_MISMATCH.",
  fix: "Restore the order, and add variants at the end only.",
  find: (comparison) =>
    changeFindings(comparison, "variants", ({ path, versionId }) => ({
      message: `the variants of ${path} do not begin alike in version ${versionId}, so that an index means another variant`,
      fix: "restore the variants in their order and add new ones at the end",
    })),
};
