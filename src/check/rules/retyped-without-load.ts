import { kindText } from "../../description/index.ts";
import { absentFields } from "../absent-fields.ts";
import type { Rule } from "../finding.ts";

export const retypedWithoutLoad: Rule = {
  id: "retyped-without-load",
  title: "A field got another kind in a new version, and nothing converts the old value.",
  explanation:
    "The name stands twice: with until for the old versions, with since for the new ones. Without load the value of an " +
    "old stream is read and dropped, and the field gets its default.",
  fix: "Convert in until(1, { load(state, value) { … } }); an empty load says that the value is dropped on purpose.",
  *find({ pairs }) {
    for (const pair of pairs) {
      for (const { path, direction, versionId, field, predecessor } of absentFields(pair)) {
        if (predecessor === undefined || predecessor.load === true) continue;
        yield {
          description: pair.name,
          field: path,
          directions: [direction],
          effect: "lost",
          message: `${path} is ${kindText(predecessor.kind, versionId)} in version ${versionId} and ${kindText(field.kind, versionId)} now; a stream's value is dropped`,
          before: kindText(predecessor.kind, versionId),
          after: kindText(field.kind, versionId),
          fix: `convert it: until(${predecessor.until ?? versionId}, { load: (state, value) => { state.${field.name} = … } })`,
          side: direction === "update" ? "new" : "old",
          target: predecessor,
        };
      }
    }
  },
};
