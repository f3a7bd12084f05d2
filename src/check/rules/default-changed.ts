import { sameName } from "../../description/index.ts";
import type { Rule } from "../finding.ts";

export const defaultChanged: Rule = {
  id: "default-changed",
  title: "The default of a field changed.",
  explanation:
    "Streams that do not have the field give objects another value than they gave before. Streams that have it are not " +
    "concerned.",
  fix: "Nothing, if that is what is meant.",
  *find({ pairs }) {
    for (const pair of pairs) {
      for (const field of pair.new.fields) {
        const before = pair.old.fields.find((other) => other.since === field.since && sameName(other, field));
        if (before === undefined || before.default === field.default) continue;
        yield {
          description: pair.name,
          field: field.name,
          directions: ["update"],
          effect: "none",
          message: `${field.name} gets another default where a stream does not have it`,
          before: before.default ?? "none",
          after: field.default ?? "none",
          fix: "nothing, if that is what is meant",
          side: "new",
          target: field,
        };
      }
    }
  },
};
