import { isSameNewest } from "../../description/index.ts";
import type { Rule } from "../finding.ts";
import { isFixed } from "../fixed-rows.ts";

export const inPlaceLayoutChanged: Rule = {
  id: "in-place-layout-changed",
  title: "Objects that are kept in place in memory would have to be converted.",
  explanation:
    "Collections in memory (live.memory.array and map) keep the newest version's fields. When those differ, the new " +
    "program converts the rows into new folios after the update, and a rollback converts them again; a field that is of " +
    "another kind under the same name is refused with COLLECTION_MISMATCH. Other state is not concerned.",
  fix: "Nothing, or keep the row as it is: reserve room with spare fields.",
  *find({ pairs }) {
    for (const { name, old, new: next } of pairs) {
      if (!isFixed(old) || !isFixed(next) || isSameNewest(old, next)) continue;
      yield {
        description: name,
        field: null,
        directions: ["update", "rollback"],
        effect: "none",
        message: `rows of ${name} in an in-place collection would be converted, which copies them`,
        before: `${name}@${old.versionId}`,
        after: `${name}@${next.versionId}`,
        fix: "nothing, if it is not kept in place or the copy does not matter",
        side: "new",
        target: next,
      };
    }
  },
};
