import { unwrittenFields } from "../absent-fields.ts";
import type { Rule } from "../finding.ts";

export const fieldNotWrittenBack: Rule = {
  id: "field-not-written-back",
  title: "A rollback does not write a field that only the new program has.",
  explanation:
    "The old program has no such field, so it loses nothing. But after a rollback and another update the new program " +
    "starts with the default again. A subsection would be carried by the old program and come back.",
  fix: "Nothing, or put the field into a subsection.",
  *find({ pairs }) {
    for (const pair of pairs) {
      for (const { path, field } of unwrittenFields(pair)) {
        yield {
          description: pair.name,
          field: path,
          directions: ["rollback"],
          effect: "none",
          message: `a rollback is written in version ${pair.versionIds.rollback}, which does not have ${path}; another update starts with its default`,
          before: null,
          after: `since version ${field.since ?? 0}`,
          fix: "nothing, if the default will do then; else put it into a subsection, which the old program carries",
          side: "new",
          target: field,
        };
      }
    }
  },
};
