import { changeFindings } from "../change-findings.ts";
import type { Rule } from "../finding.ts";

export const fieldRenamed: Rule = {
  id: "field-renamed",
  title: "A field has another name, and nothing says that it is the same field.",
  explanation:
    "Bytes do not change with a name, but two fields that changed places look just like this. Unless was says that it is " +
    "the same field, both directions are refused with LAYOUT_MISMATCH.",
  fix: 'Say was("the old name"). It needs no new version.',
  find: (comparison) =>
    changeFindings(comparison, "renamed", ({ path, beforeText }) => ({
      message: `${beforeText} seems to be called ${path} now`,
      fix: `if it is the same field, say so: .was("${beforeText}")`,
    })),
};
