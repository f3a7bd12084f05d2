// Makes docs/reference/check-rules.md from the rules as they are built: node scripts/rules-doc.mjs
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
export const rulesPage = "docs/reference/check-rules.md";

export async function rulesText() {
  const { rules, waiverRules } = await import(pathToFileURL(join(root, "dist/check/index.js")).href);
  const all = [...rules, ...waiverRules];
  const sections = all.map(
    ({ id, title, explanation, fix }) => `## ${id}\n\n**${title}**\n\n${explanation}\n\n_Fix:_ ${fix}\n`,
  );
  return `# Rules of kstate check

<!-- Made by scripts/rules-doc.mjs from src/check/rules. Do not edit. -->

\`kstate check --explain RULE\` prints these. Ids never change their meaning. How a check is done:
[Check a change](../guides/check.md).

| effect | severity | what comes of it |
| --- | --- | --- |
| \`refused\` | error | the direction is refused, whatever the values are |
| \`lost\` | error | a value that the loading program has a field for does not arrive |
| \`depends\` | warning | on the values, or on streams that were kept: what does not fit is refused before anything is changed |
| \`none\` | note | nothing is refused or lost |

${sections.join("\n")}`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  writeFileSync(join(root, rulesPage), await rulesText());
