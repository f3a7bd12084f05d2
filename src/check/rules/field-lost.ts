import { absentFields } from "../absent-fields.ts";
import { ends } from "../comparison.ts";
import type { Rule } from "../finding.ts";

export const fieldLost: Rule = {
  id: "field-lost",
  title: "A field does not arrive, because the description goes in a version that does not have it.",
  explanation:
    "The highest version that one side can write and the other can read is older than the field. The loading program gets " +
    "the field's default, or keeps what it has, though the other side has or had a value.",
  fix: "Make the newer version writable: give removed fields until(…, { save }), and keep minVersionId low.",
  *find({ pairs }) {
    for (const pair of pairs) {
      for (const { path, direction, versionId, field, predecessor, writers } of absentFields(pair)) {
        if (predecessor !== undefined || (direction === "update" && writers === undefined)) continue;
        const { writer, reader } = ends(pair, direction);
        yield {
          description: pair.name,
          field: path,
          directions: [direction],
          effect: "lost",
          message: `a ${direction} goes in version ${versionId}, which does not have ${path}`,
          before: `version ${pair.old.versionId}`,
          after: `version ${pair.new.versionId}`,
          fix: `let version ${Math.min(writer.versionId, reader.versionId)} be written: give the fields that ended with it until(…, { save })`,
          side: direction === "update" ? "new" : "old",
          target: field,
        };
      }
    }
  },
};
