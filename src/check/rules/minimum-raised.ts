import type { Rule } from "../finding.ts";

export const minimumRaised: Rule = {
  id: "minimum-raised",
  title: "minVersionId was raised: older streams can no longer be loaded.",
  explanation:
    "Above the version that the old program writes, nothing can go from one to the other in either direction: " +
    "NO_COMMON_VERSION. Below it, kept streams of the versions between are refused with VERSION_TOO_OLD.",
  fix: "Keep minVersionId until no program and no kept stream has the older versions.",
  *find({ pairs }) {
    for (const pair of pairs) {
      const { minVersionId: before, versionId } = pair.old;
      const { minVersionId: after } = pair.new;
      if (after <= before) continue;
      const isRefused = after > versionId;
      yield {
        description: pair.name,
        field: null,
        directions: isRefused ? ["update", "rollback"] : ["update"],
        effect: isRefused ? "refused" : "depends",
        message: isRefused
          ? `the new program loads from version ${after} on, the old one writes up to ${versionId}`
          : `kept streams of versions ${before} to ${after - 1} can no longer be loaded`,
        before: String(before),
        after: String(after),
        fix: isRefused
          ? `lower minVersionId to ${versionId}, or update in two steps`
          : `keep minVersionId ${before} as long as there may be streams of those versions`,
        side: "new",
        target: pair.new,
      };
    }
  },
};
