import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Description, defineState, string, u16, u32 } from "kstate";
import {
  type CheckReport,
  checkRecords,
  formatGithub,
  formatJson,
  formatSarif,
  formatText,
  rules,
  waiverRules,
} from "#src/check/index.js";
import { lockRecord } from "#src/description/index.js";

const lines = ["const x = 1;", "export const user = defineState({", '  fields: [["hp", u32]],', "});"];

function reportOf(old: Description, next: Description): CheckReport {
  const sources = new Map([
    ["/descriptions/0", { file: "src/state, one.ts", line: 2, column: 21 }],
    ["/descriptions/0/fields/0", { file: "src/state, one.ts", line: 3, column: 12 }],
  ]);
  const result = checkRecords(
    { record: lockRecord([old]), code: new Map() },
    { record: lockRecord([next]), sources, code: new Map() },
    { today: new Date("2026-06-01") },
  );
  return { verdict: result.verdict, comparisons: [{ old: "git:main", new: "kstate.lock.json", ...result }] };
}

const report = reportOf(
  defineState({
    name: "user",
    id: 1,
    fields: [
      ["hp", u16],
      ["nick", string({ max: 9 })],
    ],
  }),
  defineState({
    name: "user",
    id: 1,
    fields: [
      ["hp", u32],
      ["nick", string({ max: 9 })],
    ],
  }),
);
const waived = reportOf(
  defineState({ name: "user", id: 1, fields: [["nick", string({ max: 9 })]] }),
  defineState({
    name: "user",
    id: 1,
    fields: [["nick", string({ max: 5 })]],
    waivers: [{ rule: "limit-changed", owner: "ann", expires: "2026-06-30", why: "they are short" }],
  }),
);

const esc = "\u001b";
const text = (colour: boolean, of = report) => formatText(of, { colour, linesOf: () => lines });

describe("reports", () => {
  test("text shows what was found, where, and what to do", () => {
    assert.equal(
      text(false),
      `error user.hp: hp was u16 and is u32 in version 0, which both sides know [field-width-changed]
  concerns update and rollback
  at src/state, one.ts:3:12
    2 | export const user = defineState({
  > 3 |   fields: [["hp", u32]],
      |            ^
    4 | });
  fix: raise versionId to 1 and give the name twice: ["hp", u16] with until(0, { save, load }) and ["hp", u32] with since(1)

COLD: git:main → kstate.lock.json: 1 error, 0 warnings, 0 notes`,
    );
  });

  test("text is coloured only when asked for, and is the same text then", () => {
    assert.ok(!text(false).includes(esc));
    assert.ok(text(true).startsWith(`${esc}[31merror${esc}[0m `));
    assert.equal(
      text(true)
        .split(esc)
        .map((part, i) => (i === 0 ? part : part.replace(/^\[\d+m/, "")))
        .join(""),
      text(false),
    );
  });

  test("text without the source file still tells the place", () => {
    const bare = formatText(report, { colour: false, linesOf: () => undefined });
    assert.match(bare, /\n {2}at src\/state, one\.ts:3:12\n {2}fix: /);
  });

  test("text says by whom and until when something is waived", () => {
    assert.match(text(false, waived), /^waived user\.nick: .*\[limit-changed\]\n/);
    assert.match(text(false, waived), /waived by ann until 2026-06-30: they are short\n/);
    assert.match(text(false, waived), /: 0 errors, 0 warnings, 0 notes, 1 waived$/);
  });

  test("what is gone is shown at its description in the new source", () => {
    const gone = reportOf(
      defineState({
        name: "user",
        id: 1,
        fields: [
          ["hp", u16],
          ["nick", string({ max: 9 })],
        ],
      }),
      defineState({ name: "user", id: 1, fields: [["hp", u16]] }),
    );
    const [finding] = gone.comparisons[0]!.findings;
    assert.deepEqual(
      [finding?.rule, finding?.side, finding?.pointer, finding?.source?.line],
      ["field-removed", "old", "/descriptions/0/fields/1", 2],
    );
  });

  test("json is the report", () => {
    assert.deepEqual(JSON.parse(formatJson(report)), JSON.parse(JSON.stringify(report)));
    const [finding] = (JSON.parse(formatJson(report)) as CheckReport).comparisons[0]!.findings;
    assert.deepEqual(Object.keys(finding!).toSorted(), [
      "after",
      "before",
      "description",
      "directions",
      "effect",
      "field",
      "fix",
      "message",
      "pointer",
      "rule",
      "severity",
      "side",
      "source",
      "waiver",
    ]);
    assert.equal(finding?.pointer, "/descriptions/0/fields/0");
  });

  test("github has one escaped command a finding, and none for what is waived", () => {
    const [command, ...rest] = formatGithub(report).split("\n");
    assert.match(
      command!,
      /^::error file=src\/state%2C one\.ts,line=3,col=12,title=kstate field-width-changed%3A user\.hp::hp was .*%0Afix: raise/,
    );
    assert.deepEqual(rest, ["COLD: git:main → kstate.lock.json"]);
    assert.ok(!formatGithub(waived).includes("::"));
  });

  test("sarif names rules, places and what is suppressed", () => {
    const all = [...rules, ...waiverRules];
    const runOf = (of: CheckReport) =>
      (JSON.parse(formatSarif(of, all)) as { runs: Record<string, never>[] }).runs[0]!;
    const { results, tool } = runOf(report) as unknown as Sarif;
    const [result] = results;
    assert.equal(tool.driver.rules[result!.ruleIndex]?.id, "field-width-changed");
    assert.equal(tool.driver.rules.length, all.length);
    assert.equal(result?.level, "error");
    assert.deepEqual(result?.locations[0]?.physicalLocation, {
      artifactLocation: { uri: "src/state,%20one.ts" },
      region: { startLine: 3, startColumn: 12 },
    });
    const [suppressed] = (runOf(waived) as unknown as Sarif).results;
    assert.deepEqual(suppressed?.suppressions, [
      { kind: "inSource", justification: "ann until 2026-06-30: they are short" },
    ]);
  });
});

interface Sarif {
  readonly tool: { readonly driver: { readonly rules: readonly { readonly id: string }[] } };
  readonly results: readonly {
    readonly ruleIndex: number;
    readonly level: string;
    readonly locations: readonly { readonly physicalLocation: unknown }[];
    readonly suppressions?: unknown;
  }[];
}
