import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../../../", import.meta.url);
const { outputPages, pageWithOutput } = (await import(new URL("scripts/output-docs.mjs", root).href)) as {
  outputPages: readonly string[];
  pageWithOutput(page: string): string;
};
const { rulesPage, rulesText } = (await import(new URL("scripts/rules-doc.mjs", root).href)) as {
  rulesPage: string;
  rulesText(): Promise<string>;
};

for (const page of outputPages) {
  test(`the output in ${page} is what its commands print`, () => {
    const text = readFileSync(new URL(page, root), "utf8");
    assert.ok(text.includes("<!-- output: "), "it has output");
    assert.equal(text, pageWithOutput(page), "run node scripts/output-docs.mjs");
  });
}

test("the table of rules is made from the rules", async () => {
  assert.equal(
    readFileSync(new URL(rulesPage, root), "utf8"),
    await rulesText(),
    "run node scripts/rules-doc.mjs",
  );
});
