// Makes docs/reference/errors.md from src/error/codes.ts: `node scripts/errors-doc.mjs`, with --check to compare only.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";

const source = fileURLToPath(new URL("../src/error/codes.ts", import.meta.url));
export const target = fileURLToPath(new URL("../docs/reference/errors.md", import.meta.url));

/** The parts of the table: heading and codes, each with its doc line and the type of its detail. */
export function errorTable(text = readFileSync(source, "utf8")) {
  const file = ts.createSourceFile("codes.ts", text, ts.ScriptTarget.ES2023, true);
  const table = file.statements.find(
    (node) => ts.isInterfaceDeclaration(node) && node.name.text === "ErrorDetails",
  );
  const parts = [];
  for (const member of table.members) {
    const leading = text.slice(member.getFullStart(), member.getStart());
    const heading = /\/\/ -+ (.*?) -+/.exec(leading)?.[1];
    if (heading !== undefined || parts.length === 0) parts.push({ heading: heading ?? "errors", codes: [] });
    parts.at(-1).codes.push({
      code: member.name.text,
      doc: docOf(member),
      detail: oneLine(member.type.getText(file)),
    });
  }
  return parts;
}

function docOf(member) {
  const [doc] = ts.getJSDocCommentsAndTags(member);
  return doc === undefined ? "" : oneLine(ts.getTextOfJSDocComment(doc.comment) ?? "");
}

function oneLine(text) {
  return text.replaceAll("readonly ", "").replace(/\s+/g, " ").trim();
}

/** The page. */
export function errorsPage(parts = errorTable()) {
  const lines = [
    "# Errors",
    "",
    "<!-- Made by scripts/errors-doc.mjs from src/error/codes.ts. Do not edit. -->",
    "",
    "Everything that kstate throws on purpose is a `KstateError`. Tell errors apart by `code`, and narrow `detail` with",
    "`isKstateError`:",
    "",
    "```ts",
    'import { isKstateError } from "kstate";',
    "",
    "try {",
    "  registry.load(stream);",
    "} catch (error) {",
    '  if (isKstateError(error, "VERSION_TOO_NEW")) console.error(error.detail.versionId);',
    "  else throw error;",
    "}",
    "```",
    "",
    "A code may be added, never renamed or used for something else. Messages are for people and may change.",
    "",
    "`Place` is `{ path: string; description: string; offset: number }`: where in the state, in which description and",
    "version, and at which byte of the stream (-1 if there is none yet).",
  ];
  for (const { heading, codes } of parts) {
    lines.push("", `## ${heading[0].toUpperCase()}${heading.slice(1)}`);
    for (const { code, doc, detail } of codes)
      lines.push("", `### ${code}`, "", doc, "", `Detail: \`${detail}\``);
  }
  return `${lines.join("\n")}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const page = errorsPage();
  if (!process.argv.includes("--check")) writeFileSync(target, page);
  else if (readFileSync(target, "utf8") !== page) {
    console.error(
      "docs/reference/errors.md is not what src/error/codes.ts says; run node scripts/errors-doc.mjs",
    );
    process.exitCode = 1;
  }
}
