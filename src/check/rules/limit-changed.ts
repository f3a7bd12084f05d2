import { valueFindings } from "../change-findings.ts";
import type { Rule } from "../finding.ts";

export const limitChanged: Rule = {
  id: "limit-changed",
  title: "A limit (max) changed: one side may write more than the other takes.",
  explanation:
    "Limits are not part of the layout. A value above the reader's limit is refused with LIMIT_EXCEEDED while it is read, " +
    "before anything is changed: a lowered limit can refuse the update, a raised one the rollback.",
  fix: "Lower a limit only when no value is above it; keep raised limits unused until no rollback is wanted.",
  find: (comparison) =>
    valueFindings(comparison, "limit", ({ path, direction, writerText, readerText }) => ({
      message:
        direction === "update"
          ? `${path} may have ${writerText} in the old program, the new one takes ${readerText}`
          : `${path} may have ${writerText} in the new program, a rollback takes ${readerText}`,
      fix:
        direction === "update"
          ? "keep the limit as it was, or make sure that no value is above the new one"
          : "let no value pass the old limit as long as a rollback may be wanted",
    })),
};
