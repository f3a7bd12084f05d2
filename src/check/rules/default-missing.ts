import { absentFields } from "../absent-fields.ts";
import type { Rule } from "../finding.ts";

export const defaultMissing: Rule = {
  id: "default-missing",
  title: "A new field has no default for older streams.",
  explanation:
    "Older streams do not have the field. Without a default an object that is there keeps the value it has, and an object " +
    "that is created gets 0, an empty text or null: which of them depends on how it is loaded.",
  fix: "Declare the default: since(2, 100).",
  *find({ pairs }) {
    for (const pair of pairs) {
      for (const { path, direction, field, predecessor, writers } of absentFields(pair)) {
        if (direction !== "update" || predecessor !== undefined || writers !== undefined) continue;
        if (field.default !== undefined) continue;
        yield {
          description: pair.name,
          field: path,
          directions: ["update"],
          effect: "depends",
          message: `${path} is not in what the old program saves and has no default: objects keep what they have, created ones get zero`,
          before: null,
          after: `since version ${field.since ?? 0}`,
          fix: `declare what it gets: since(${field.since ?? 0}, a default)`,
          side: "new",
          target: field,
        };
      }
    }
  },
};
