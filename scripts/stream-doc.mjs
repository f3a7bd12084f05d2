// Makes docs/reference/stream-format.md from the header of src/stream/format.ts: `node scripts/stream-doc.mjs`, with
// --check to compare only.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

const source = fileURLToPath(new URL("../src/stream/format.ts", import.meta.url));
export const target = fileURLToPath(new URL("../docs/reference/stream-format.md", import.meta.url));

/** The page. */
export function streamPage(text = readFileSync(source, "utf8")) {
  const [, header] = /^\/\*\*\n([\s\S]*?)\n \*\//.exec(text);
  const lines = header.split("\n").map((line) => line.replace(/^ \* ?/, ""));
  const top = [
    "# The stream",
    "",
    "<!-- Made by scripts/stream-doc.mjs from src/stream/format.ts. Do not edit. -->",
    "",
  ];
  return `${[...top, ...lines].join("\n")}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const page = streamPage();
  if (!process.argv.includes("--check")) writeFileSync(target, page);
  else if (readFileSync(target, "utf8") !== page) {
    console.error(
      "docs/reference/stream-format.md is not what src/stream/format.ts says; run node scripts/stream-doc.mjs",
    );
    process.exitCode = 1;
  }
}
