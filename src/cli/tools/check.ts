import { readFileSync } from "node:fs";
import {
  type CheckReport,
  checkRecords,
  countsOf,
  formatGithub,
  formatJson,
  formatSarif,
  formatText,
  rules,
  type Severity,
  waiverRules,
  worstVerdict,
} from "../../check/index.ts";
import { defaultLockFile, remarksOn } from "../git-revision.ts";
import { print } from "../print.ts";
import { recordFrom } from "../record-source.ts";
import { usage } from "../usage.ts";
import type { CliTool, ToolLine } from "./tool.ts";

const allRules = [...rules, ...waiverRules];
const formats = ["text", "json", "github", "sarif"] as const;
const severities: readonly Severity[] = ["error", "warning", "note"];

export const check: CliTool = {
  help: `kstate check OLD [NEW] [options]
kstate check [NEW] --deployed OLD…
kstate check --explain RULE

Whether NEW can load what OLD saves, and OLD what NEW saves. Exit status: 0 fine, 1 findings, 2 could not check.

  OLD, NEW          a lock file, git:REVISION[:PATH], git:REVISION...[:PATH] for where this branch left it, a stream, the
                    module that describes, the name of a running service or unix:PATH of its control socket; NEW is
                    kstate.lock.json unless given
  --deployed OLD    another version that may still run or be rolled back to; may be repeated
  --format FORMAT   text, json, github or sarif (text)
  --fail-on LEVEL   exit with 1 from error, warning or note on (warning)
  --explain RULE    what a rule is about; all rules for "all"`,
  options: {
    deployed: { type: "string", multiple: true },
    format: { type: "string" },
    "fail-on": { type: "string" },
    explain: { type: "string" },
  },
  async run(line) {
    const explained = line.text("explain");
    if (explained !== undefined) return explain(explained);
    const format = oneOf("format", line.text("format") ?? "text", formats);
    const failOn = oneOf("fail-on", line.text("fail-on") ?? "warning", severities);
    const report = await compare(line);
    print(formatted(report, format));
    return isFailed(report, failOn) ? 1 : 0;
  },
};

async function compare(line: ToolLine): Promise<CheckReport> {
  const { olds, next } = sides(line);
  const right = await recordFrom(next);
  const comparisons: CheckReport["comparisons"][number][] = [];
  for (const old of olds) {
    const left = await recordFrom(old);
    const remarks = remarksOn(old);
    comparisons.push({
      old,
      new: next,
      ...checkRecords(left, right, { today: new Date() }),
      ...(remarks.length > 0 ? { remarks } : {}),
    });
  }
  return { verdict: worstVerdict(comparisons), comparisons };
}

function sides(line: ToolLine): { readonly olds: readonly string[]; readonly next: string } {
  const { positionals } = line;
  const deployed = line.texts("deployed");
  if (positionals.length > 2) throw usage("more than OLD and NEW; name further old versions with --deployed");
  if (positionals.length === 2) return { olds: [positionals[0]!, ...deployed], next: positionals[1]! };
  if (deployed.length > 0) return { olds: deployed, next: positionals[0] ?? defaultLockFile };
  if (positionals.length === 0) throw usage("nothing to compare: kstate check git:main");
  return { olds: positionals, next: defaultLockFile };
}

function formatted(report: CheckReport, format: (typeof formats)[number]): string {
  switch (format) {
    case "json":
      return formatJson(report);
    case "github":
      return formatGithub(report);
    case "sarif":
      return formatSarif(report, allRules);
    case "text":
      return formatText(report, { colour: hasColour(), linesOf });
  }
}

/** Only for people: on a terminal that does not forbid it. */
function hasColour(): boolean {
  return process.stdout.isTTY === true && !process.env.NO_COLOR;
}

function linesOf(file: string): readonly string[] | undefined {
  try {
    return readFileSync(file, "utf8").split(/\r?\n/);
  } catch {
    return undefined;
  }
}

function isFailed({ comparisons }: CheckReport, failOn: Severity): boolean {
  const failing = severities.slice(0, severities.indexOf(failOn) + 1);
  return comparisons.some(({ findings }) => {
    const counts = countsOf(findings);
    return failing.some((severity) => counts[severity] > 0);
  });
}

function explain(id: string): number {
  const asked = id === "all" ? allRules : allRules.filter((rule) => rule.id === id);
  if (asked.length === 0) {
    throw usage(`there is no rule ${id}; there are ${allRules.map((rule) => rule.id).join(", ")}`);
  }
  const texts = asked.map((rule) => `${rule.id}: ${rule.title}\n\n${rule.explanation}\n\nFix: ${rule.fix}`);
  print(texts.join("\n\n\n"));
  return 0;
}

function oneOf<T extends string>(option: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) throw usage(`--${option} ${text} is not one of ${choices.join(", ")}`);
  return choice;
}
