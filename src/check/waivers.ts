import type { DescriptionRecord, Waiver } from "../description/index.ts";
import { type CheckSide, completed } from "./completed.ts";
import type { Comparison, Finding, Rule, RuleFinding } from "./finding.ts";

/** The findings, each with the waiver that accepts it. The new description's waivers count, as long as there is one. */
export function withWaivers(
  findings: readonly Finding[],
  sides: Comparison,
  today: Date,
): readonly Finding[] {
  return findings.map((found) => {
    const waivers = (sides.new.get(found.description) ?? sides.old.get(found.description))?.waivers ?? [];
    const waiver = waivers.find((candidate) => covers(candidate, found) && !isOver(candidate, today));
    return waiver === undefined ? found : { ...found, waiver };
  });
}

function covers({ rule, field }: Waiver, found: Pick<Finding, "rule" | "field">): boolean {
  return rule === found.rule && (field === undefined || field === found.field);
}

/** From the day after its last. */
function isOver({ expires }: Waiver, today: Date): boolean {
  return today.toISOString().slice(0, 10) > expires;
}

/** Waivers that have expired, or that no finding needs, so that they do not stay for ever. */
export function uselessWaivers(
  findings: readonly Finding[],
  side: CheckSide,
  today: Date,
): readonly Finding[] {
  return side.record.descriptions.flatMap((record) =>
    (record.waivers ?? []).flatMap((waiver) => {
      const own = findings.filter((found) => found.description === record.name && covers(waiver, found));
      if (own.length > 0 && !isOver(waiver, today)) return [];
      const rule = own.length > 0 ? waiverExpired : waiverUnused;
      return [completed(rule, waiverFinding(record, waiver, own.length > 0), side, side)];
    }),
  );
}

function waiverFinding(record: DescriptionRecord, waiver: Waiver, isExpired: boolean): RuleFinding {
  const whose = `the waiver of ${waiver.rule} by ${waiver.owner}`;
  return {
    description: record.name,
    field: waiver.field ?? null,
    directions: ["update", "rollback"],
    effect: isExpired ? "depends" : "none",
    message: isExpired ? `${whose} was good until ${waiver.expires}` : `nothing needs ${whose}`,
    before: null,
    after: null,
    fix: isExpired ? "mend what it is about, or extend it with its owner" : "remove it",
    side: "new",
    target: record,
  };
}

const waiverExpired: Rule = {
  id: "waiver-expired",
  title: "A waiver is over, and what it was about is still there.",
  explanation: "A waiver has a last day. From the day after it, what it accepted counts again.",
  fix: "Mend what it is about, or extend it with its owner.",
  find: () => [],
};

const waiverUnused: Rule = {
  id: "waiver-unused",
  title: "No finding needs a waiver.",
  explanation: "What a waiver accepted is not there any more, or was never called by that rule and field.",
  fix: "Remove the waiver.",
  find: () => [],
};

/** Rules about waivers, which are judged after all others. */
export const waiverRules: readonly Rule[] = [waiverExpired, waiverUnused];
