import { bothDirections } from "../comparison.ts";
import type { Rule } from "../finding.ts";
import { sameIds } from "../same-ids.ts";

export const idReused: Rule = {
  id: "id-reused",
  title: "An id that stood for one description stands for another.",
  explanation:
    "Ids are never used again: a kept stream has them for ever. Where both stand in the same place of a stream, or one " +
    "would be carried unread beside the other, a direction is refused with DESCRIPTION_MISMATCH.",
  fix: "Give the new description an id that was never used.",
  *find(comparison) {
    for (const { old, next, meetIn, isRename } of sameIds(comparison)) {
      if (isRename) continue;
      yield {
        description: next.name,
        field: null,
        directions: meetIn.length > 0 ? meetIn : bothDirections,
        effect: meetIn.length > 0 ? "refused" : "depends",
        message: `the id ${next.id} of ${next.name} was that of ${old.name}`,
        before: old.name,
        after: next.name,
        fix: `give ${next.name} an id that was never used`,
        side: "new",
        target: next,
      };
    }
  },
};
