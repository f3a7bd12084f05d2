import type { Rule } from "../finding.ts";

export const neededChanged: Rule = {
  id: "needed-changed",
  title: "A description got or lost its needed.",
  explanation:
    "With needed, a section or subsection may be left out of a stream. The side that always had it before then keeps " +
    "what its objects have, or creates none: harmless only where its defaults mean the same as its absence.",
  fix: "Make sure that an absent one means what the other side starts with.",
  *find({ pairs }) {
    for (const { name, old, new: next } of pairs) {
      if ((old.needed ?? false) === (next.needed ?? false)) continue;
      const isNew = next.needed === true;
      yield {
        description: name,
        field: null,
        directions: isNew ? ["rollback"] : ["update"],
        effect: "depends",
        message: isNew
          ? `${name} may be left out by the new program; after a rollback the old one starts without it`
          : `${name} may have been left out by the old program; the new one then starts without it`,
        before: isNew ? "always there" : "there when needed",
        after: isNew ? "there when needed" : "always there",
        fix: "make sure that objects start with what its absence means",
        side: "new",
        target: next,
      };
    }
  },
};
