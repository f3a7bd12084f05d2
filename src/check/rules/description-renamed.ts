import { bothDirections } from "../comparison.ts";
import type { Rule } from "../finding.ts";
import { sameIds } from "../same-ids.ts";

export const descriptionRenamed: Rule = {
  id: "description-renamed",
  title: "A description has another name.",
  explanation:
    "The name of a description is part of the layout, other than that of a field: it tells a reused id from the same " +
    "description. Both directions are refused with DESCRIPTION_MISMATCH.",
  fix: "Keep the name; the constant in the program may have any other.",
  *find(comparison) {
    for (const { old, next, meetIn, isRename } of sameIds(comparison)) {
      if (!isRename) continue;
      yield {
        description: next.name,
        field: null,
        directions: meetIn.length > 0 ? meetIn : bothDirections,
        effect: meetIn.length > 0 ? "refused" : "depends",
        message: `${old.name} seems to be called ${next.name} now`,
        before: old.name,
        after: next.name,
        fix: `keep the name ${old.name}`,
        side: "new",
        target: next,
      };
    }
  },
};
