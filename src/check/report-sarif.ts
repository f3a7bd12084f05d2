import type { Finding, Rule } from "./finding.ts";
import { type CheckReport, subjectOf } from "./report.ts";

/** SARIF 2.1.0, which code scanning services read. Waived findings are there as suppressed ones. */
export function formatSarif({ comparisons }: CheckReport, rules: readonly Rule[]): string {
  const results = comparisons.flatMap(({ old, new: next, findings }) =>
    findings.map((found) => resultOf(found, rules, old, next)),
  );
  const driver = {
    name: "kstate",
    rules: rules.map(({ id, title, explanation, fix }) => ({
      id,
      shortDescription: { text: title },
      fullDescription: { text: explanation },
      help: { text: fix },
    })),
  };
  const runs = [{ tool: { driver }, columnKind: "utf16CodeUnits", results }];
  return JSON.stringify(
    { $schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs },
    null,
    2,
  );
}

function resultOf(found: Finding, rules: readonly Rule[], old: string, next: string) {
  const { rule, severity, message, fix, source, side, pointer, directions, effect, waiver } = found;
  const artifact = side === "old" ? old : next;
  const region = source === null ? { startLine: 1 } : { startLine: source.line, startColumn: source.column };
  return {
    ruleId: rule,
    ruleIndex: rules.findIndex(({ id }) => id === rule),
    level: severity,
    message: { text: `${subjectOf(found)}: ${message}. Fix: ${fix}` },
    locations: [
      {
        physicalLocation: { artifactLocation: { uri: encodeURI(source?.file ?? artifact) }, region },
        logicalLocations: [{ fullyQualifiedName: subjectOf(found) }],
      },
    ],
    partialFingerprints: { "kstate/v1": `${rule} ${subjectOf(found)} ${directions.join(" ")}` },
    properties: { directions, effect, pointer, old, new: next },
    ...(waiver === null
      ? {}
      : {
          suppressions: [
            { kind: "inSource", justification: `${waiver.owner} until ${waiver.expires}: ${waiver.why}` },
          ],
        }),
  };
}
