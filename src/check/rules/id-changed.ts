import type { Rule } from "../finding.ts";

export const idChanged: Rule = {
  id: "id-changed",
  title: "A description has another id, or its name is used for another description.",
  explanation:
    "A stream tells its entries apart by their ids, and the writer's names are compared. A name that has another id than " +
    "before is refused with DESCRIPTION_MISMATCH in both directions.",
  fix: "Give it back its id. A new description needs a name and an id that were never used.",
  *find({ pairs }) {
    for (const pair of pairs) {
      if (pair.old.id === pair.new.id) continue;
      yield {
        description: pair.name,
        field: null,
        directions: ["update", "rollback"],
        effect: "refused",
        message: `${pair.name} had the id ${pair.old.id} and has ${pair.new.id} now`,
        before: String(pair.old.id),
        after: String(pair.new.id),
        fix: `give ${pair.name} the id ${pair.old.id} again; if it is something else, give it another name`,
        side: "new",
        target: pair.new,
      };
    }
  },
};
