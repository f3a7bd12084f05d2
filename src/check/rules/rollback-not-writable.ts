import { type DescriptionRecord, unwritableField } from "../../description/index.ts";
import type { Rule } from "../finding.ts";

export const rollbackNotWritable: Rule = {
  id: "rollback-not-writable",
  title: "A removed field has no save, so that no version which the old program reads can be written.",
  explanation:
    "A rollback writes the version that the old program reads, and that version has the removed field. Without " +
    "until(…, { save }) nobody knows what to write there, and the rollback is refused with NO_COMMON_VERSION.",
  fix: "Give the field until(1, { save: (state) => … }).",
  *find({ pairs }) {
    for (const pair of pairs) {
      if (pair.versionIds.rollback !== undefined) continue;
      const versionId = Math.min(pair.old.versionId, pair.new.versionId);
      if (versionId < Math.max(pair.old.minVersionId, pair.new.minVersionId)) continue;
      const path = unwritableField(pair.new.fields, versionId);
      if (path === undefined) continue;
      const field = pair.new.fields.find(
        ({ name, until }) => name === path.split(".")[0] && until !== undefined,
      );
      yield {
        description: pair.name,
        field: path,
        directions: ["rollback"],
        effect: "refused",
        message: `the old program reads version ${versionId}, which has ${path}; the new program does not know what to write there`,
        before: null,
        after: endOf(field, pair.new),
        fix: `say what is written for a rollback: until(${field?.until ?? versionId}, { save: (state) => … })`,
        side: "new",
        target: field ?? pair.new,
      };
    }
  },
};

function endOf(field: { readonly until?: number } | undefined, { versionId }: DescriptionRecord): string {
  return `until version ${field?.until ?? versionId}, without save`;
}
