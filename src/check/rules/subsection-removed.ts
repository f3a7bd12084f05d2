import type { Rule } from "../finding.ts";
import { subsectionChanges } from "../subsection-changes.ts";

export const subsectionRemoved: Rule = {
  id: "subsection-removed",
  title: "A subsection is gone.",
  explanation:
    "Directly under a section the new program carries it unread, and a rollback has it again; an object that the new " +
    "program makes has none. Under a nested struct, or with references in it, it is dropped: a rollback loses it.",
  fix: "Keep the subsection as long as a rollback may be wanted.",
  *find(comparison) {
    for (const { parent, subsection, isCarried } of subsectionChanges(comparison, "removed")) {
      yield {
        description: parent.name,
        field: subsection.name,
        directions: ["rollback"],
        effect: isCarried ? "none" : "lost",
        message: isCarried
          ? `the new program carries the subsection ${subsection.name} unread, and a rollback has it again`
          : `the new program drops the subsection ${subsection.name}, and a rollback does not get it back`,
        before: `${subsection.name}@${subsection.versionId}`,
        after: null,
        fix: isCarried
          ? "nothing; objects that the new program makes have none"
          : `keep the subsection ${subsection.name} as long as a rollback may be wanted`,
        side: "old",
        target: subsection,
      };
    }
  },
};
