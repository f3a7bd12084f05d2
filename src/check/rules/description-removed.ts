import type { Rule } from "../finding.ts";

export const descriptionRemoved: Rule = {
  id: "description-removed",
  title: "A registered description is gone.",
  explanation:
    "The new program carries its sections as opaque bytes and writes them again with every save, so that a rollback, or a " +
    "later version that registers it again, has them. Nothing is lost, and nothing is freed.",
  fix: "Nothing, if a later version or a rollback wants it; else keep it registered until it is empty.",
  *find(comparison) {
    const ids = new Set(Array.from(comparison.new.values(), ({ id }) => id));
    for (const record of comparison.old.values()) {
      if (record.section !== true || comparison.new.has(record.name) || ids.has(record.id)) continue;
      yield {
        description: record.name,
        field: null,
        directions: ["update"],
        effect: "none",
        message: `${record.name} is not there any more; its sections are carried unread`,
        before: `${record.name}@${record.versionId}`,
        after: null,
        fix: "nothing, if they should wait for a rollback or a later version; the id must stay unused",
        side: "old",
        target: record,
      };
    }
  },
};
