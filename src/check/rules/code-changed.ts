import { codeChanges } from "../code-changes.ts";
import { bothDirections } from "../comparison.ts";
import type { Rule } from "../finding.ts";

export const codeChanged: Rule = {
  id: "code-changed",
  title: "A hook, or what a removed field saves or loads, is not what it was.",
  explanation:
    "A check compares descriptions, not what the program's own functions do. The lock file has a hash of the source of " +
    "each, so that it is known which were changed; what they call is not looked at.",
  fix: "Load streams of the released versions with what there is now: kstate golden verify.",
  *find(comparison) {
    for (const { description, what, change, field, record } of codeChanges(comparison)) {
      if (/: (check|custom .*)$|^check$/.test(what)) continue;
      yield {
        description,
        field,
        directions: bothDirections,
        effect: "none",
        message: `${what} ${change}; what it does was not compared`,
        before: null,
        after: null,
        fix: "load golden streams (kstate golden verify) or try an update with --rehearse",
        side: "new",
        target: record,
      };
    }
  },
};
