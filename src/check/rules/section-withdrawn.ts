import type { Rule } from "../finding.ts";

export const sectionWithdrawn: Rule = {
  id: "section-withdrawn",
  title: "A description is only part of others now, and was registered itself before.",
  explanation:
    "Sections of a description that the new program does not register are carried unread: what they hold does not reach " +
    "the program. A lock file of exports has every exported description as registered.",
  fix: "Register it as long as there may be instances, or export it as before.",
  *find({ pairs }) {
    for (const { name, old, new: next } of pairs) {
      if (old.section !== true || next.section === true) continue;
      yield {
        description: name,
        field: null,
        directions: ["update"],
        effect: "depends",
        message: `${name} was registered or exported itself and is only part of others now; its own instances are carried unread`,
        before: "a section",
        after: "part of others",
        fix: `register ${name} as long as there may be instances of it`,
        side: "new",
        target: next,
      };
    }
  },
};
