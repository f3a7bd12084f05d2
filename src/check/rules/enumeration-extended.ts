import { valueFindings } from "../change-findings.ts";
import type { Rule } from "../finding.ts";

export const enumerationExtended: Rule = {
  id: "enumeration-extended",
  title: "An enumeration has names at its end that the other side does not know.",
  explanation:
    "A longer list works as long as the names that only one side knows are not used. A stream that has one is refused by " +
    "the other side with VALUE_INVALID, before anything is changed.",
  fix: "Bring the name with one release, and use it with the next.",
  find: (comparison) =>
    valueFindings(comparison, "names", ({ path, direction, writerText, readerText }) => ({
      message:
        direction === "update"
          ? `${path} may be one of ${writerText} in the old program; the new one knows only ${readerText}`
          : `${path} may be one of ${writerText} in the new program; a rollback knows only ${readerText}`,
      fix:
        direction === "update"
          ? "keep the names at the end that the old program may have used"
          : "use the new names only when no rollback is wanted any more",
    })),
};
