import type { Rule } from "../finding.ts";

export const versionLowered: Rule = {
  id: "version-lowered",
  title: "versionId is lower than it was.",
  explanation:
    "A version number is never taken back. The old program has to write an older version for the new one, as for a " +
    "rollback; where it cannot, the update is refused with NO_COMMON_VERSION. Kept streams of the newer version are lost.",
  fix: "Merge the newer description, or raise versionId above both.",
  *find({ pairs }) {
    for (const pair of pairs) {
      const [before, after] = [pair.old.versionId, pair.new.versionId];
      if (after >= before) continue;
      const isRefused = pair.versionIds.update === undefined;
      yield {
        description: pair.name,
        field: null,
        directions: ["update"],
        effect: isRefused ? "refused" : "depends",
        message: isRefused
          ? `versionId went from ${before} to ${after}, and the old program cannot write a version that the new one loads`
          : `versionId went from ${before} to ${after}: kept streams of version ${before} cannot be loaded`,
        before: String(before),
        after: String(after),
        fix: `take over the description of version ${before}, or raise versionId to ${before + 1}`,
        side: "new",
        target: pair.new,
      };
    }
  },
};
