import { valueFindings } from "../change-findings.ts";
import type { Rule } from "../finding.ts";

export const rangeChanged: Rule = {
  id: "range-changed",
  title: "A 64-bit integer is a bigint on one side and a safe number on the other.",
  explanation:
    "u64 and u64.safe are the same eight bytes. A value outside of the safe integers is refused with VALUE_INVALID by the " +
    "side that wants a number, before anything is changed.",
  fix: "Keep bigint unless no value can be outside of the safe integers.",
  find: (comparison) =>
    valueFindings(comparison, "range", ({ path, direction, writerText, readerText }) => ({
      message: `${path} is ${writerText} in the ${direction === "update" ? "old" : "new"} program, and ${readerText} where it is loaded: values above 2^53 - 1 are refused`,
      fix: `keep ${writerText}, or make sure that no value is outside of the safe integers`,
    })),
};
