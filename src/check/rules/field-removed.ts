import { changeFindings } from "../change-findings.ts";
import type { Rule } from "../finding.ts";

export const fieldRemoved: Rule = {
  id: "field-removed",
  title: "A field is gone from the list, and streams still have it.",
  explanation:
    "A version has the same bytes for ever. A field that is no longer wanted stays in the list with until, so that its " +
    "bytes are passed over. Both directions are refused with LAYOUT_MISMATCH.",
  fix: "Keep the field with until(the last version that has it), and raise versionId.",
  find: (comparison) =>
    changeFindings(comparison, "removed", ({ path, beforeText, versionId }, { old }) => ({
      message: `${path} is gone, but version ${versionId}, which both sides know, has it`,
      fix: `keep ["${path}", ${beforeText}] with until(${old.versionId}, { save }) and raise versionId to ${old.versionId + 1}`,
    })),
};
