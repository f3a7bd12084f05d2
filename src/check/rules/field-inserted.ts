import { changeFindings, nextVersion } from "../change-findings.ts";
import type { Rule } from "../finding.ts";

export const fieldInserted: Rule = {
  id: "field-inserted",
  title: "A new field was added to a version that both sides know.",
  explanation:
    "Streams of that version do not have the field. It belongs into the next version. Both directions are refused with " +
    "LAYOUT_MISMATCH.",
  fix: "Give the field since(the next version), and raise versionId.",
  find: (comparison) =>
    changeFindings(comparison, "inserted", ({ path, afterText, versionId }, pair) => ({
      message: `${path} is new, but stands in version ${versionId}, which both sides know`,
      fix: `raise versionId to ${nextVersion(pair)} and write ["${path}", ${afterText}] with since(${nextVersion(pair)}, a default)`,
    })),
};
