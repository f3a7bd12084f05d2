import { changeFindings } from "../change-findings.ts";
import type { Rule } from "../finding.ts";

export const fieldVersionsChanged: Rule = {
  id: "field-versions-changed",
  title: "since or until of a field changed, and with them the bytes of a version that both sides know.",
  explanation:
    "A version has the same fields for ever: since never changes, and until can be added only for versions that do not " +
    "exist yet. Both directions are refused with LAYOUT_MISMATCH.",
  fix: "Restore since and until as they were.",
  find: (comparison) =>
    changeFindings(comparison, "versions", ({ path, beforeText, afterText, versionId }) => ({
      message: `${path} was there ${beforeText} and is there ${afterText}; they differ in version ${versionId}, which both sides know`,
      fix: `give ${path} back the versions it had: ${beforeText}`,
    })),
};
