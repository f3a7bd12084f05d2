import { isSameLayout } from "../../description/index.ts";
import { exchangedVersions } from "../comparison.ts";
import type { Rule } from "../finding.ts";
import { olderVersions } from "../older-versions.ts";

export const keptStreamsRefused: Rule = {
  id: "kept-streams-refused",
  title: "An older version than the one that is exchanged has other bytes than before.",
  explanation:
    "An update is not concerned, because it goes in a newer version. But streams of that version which were kept (files, " +
    "suspended programs, golden streams) are refused with LAYOUT_MISMATCH.",
  fix: "Restore the fields of that version, or raise minVersionId above it.",
  *find({ pairs }) {
    for (const pair of pairs) {
      if (exchangedVersions(pair).some(([versionId]) => !isSameLayout(pair.old, pair.new, versionId)))
        continue;
      for (const versionId of olderVersions(pair)) {
        if (isSameLayout(pair.old, pair.new, versionId)) continue;
        yield {
          description: pair.name,
          field: null,
          directions: ["update", "rollback"],
          effect: "depends",
          message: `version ${versionId} has other fields than before; kept streams of it cannot be loaded`,
          before: null,
          after: null,
          fix: `restore the fields of version ${versionId}, or raise minVersionId to ${versionId + 1}`,
          side: "new",
          target: pair.new,
        };
        break;
      }
    }
  },
};
