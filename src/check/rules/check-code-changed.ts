import { codeChanges } from "../code-changes.ts";
import { bothDirections } from "../comparison.ts";
import type { Rule } from "../finding.ts";

export const checkCodeChanged: Rule = {
  id: "check-code-changed",
  title: "A check, or the code of a custom field, is not what it was.",
  explanation:
    "A check decides by code which values are refused, and a custom field makes its own bytes. What they do cannot be " +
    "compared, only that their source is another: values that one side saves may be refused by the other, and bytes of a " +
    "custom field misread if they have changed and its format's name has not.",
  fix: "Give a custom field another format name if its bytes have changed; try both directions with golden streams.",
  *find(comparison) {
    for (const { description, what, change, field, record } of codeChanges(comparison)) {
      const custom = /: custom (.*)$/.exec(what)?.[1];
      if (custom === undefined && !/(^|: )check$/.test(what)) continue;
      yield {
        description,
        field,
        directions: bothDirections,
        effect: "depends",
        message:
          custom === undefined
            ? `${what} ${change}; which values it refuses was not compared`
            : `the code of ${custom} ${change}, and its name has not; whether its bytes are the same was not compared`,
        before: null,
        after: null,
        fix:
          custom === undefined
            ? "make sure that each side takes what the other saves; load golden streams (kstate golden verify)"
            : `if its bytes are others, call the format another name than ${custom}; else load golden streams (kstate golden verify)`,
        side: "new",
        target: record,
      };
    }
  },
};
