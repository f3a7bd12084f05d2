import type { Rule } from "../finding.ts";
import { subsectionChanges } from "../subsection-changes.ts";

export const subsectionAdded: Rule = {
  id: "subsection-added",
  title: "A subsection is new, and a rollback would drop it.",
  explanation:
    "An old program carries unknown subsections of sections unread, so that another update has them again. Those of nested " +
    "structs, and those with references in them, are passed over: the old program loses nothing that it knows, but " +
    "another update starts with their defaults.",
  fix: "Nothing, or give the section itself the subsection.",
  *find(comparison) {
    for (const { parent, subsection, isCarried } of subsectionChanges(comparison, "added")) {
      if (isCarried) continue;
      yield {
        description: parent.name,
        field: subsection.name,
        directions: ["rollback"],
        effect: "none",
        message: `a rollback drops the subsection ${subsection.name}; another update starts with its defaults`,
        before: null,
        after: `${subsection.name}@${subsection.versionId}`,
        fix: "nothing, if the defaults will do then",
        side: "new",
        target: subsection,
      };
    }
  },
};
