import type { Rule } from "../finding.ts";
import { sameIds } from "../same-ids.ts";

export const idReused: Rule = {
  id: "id-reused",
  title: "An id that stood for one description stands for another.",
  explanation:
    "Ids are never used again: a kept stream has them for ever. Where both stand in the same place of a stream, both " +
    "directions are refused with DESCRIPTION_MISMATCH.",
  fix: "Give the new description an id that was never used.",
  *find(comparison) {
    for (const { old, next, meet, isRename } of sameIds(comparison)) {
      if (isRename) continue;
      yield {
        description: next.name,
        field: null,
        directions: ["update", "rollback"],
        effect: meet ? "refused" : "depends",
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
