import { changeFindings } from "../change-findings.ts";
import type { Rule } from "../finding.ts";

export const enumerationChanged: Rule = {
  id: "enumeration-changed",
  title: "The names of an enumeration were reordered, renamed, or taken out of the middle.",
  explanation:
    "A stream has the index of the name. One side's list must begin with all of the other's, or an index would mean " +
    "another name. Both directions are refused with LAYOUT_MISMATCH.",
  fix: "Restore the order, and add names at the end only.",
  find: (comparison) =>
    changeFindings(comparison, "names", ({ path, versionId }) => ({
      message: `the names of ${path} do not begin alike in version ${versionId}, so that an index means another name`,
      fix: "restore the names in their order and add new ones at the end",
    })),
};
