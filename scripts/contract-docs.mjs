// Makes the reference pages of the binary interfaces from the headers of their contract files:
// `node scripts/contract-docs.mjs`, with --check to compare only.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Which page is made from which file's header. */
export const contracts = [
  { title: "The stream", source: "src/stream/format.ts", target: "docs/reference/stream-format.md" },
  { title: "Physical memory", source: "src/memory/layout.ts", target: "docs/reference/memory-layout.md" },
  {
    title: "In-place collections",
    source: "src/memory/collections/layout.ts",
    target: "docs/reference/collections-layout.md",
  },
  {
    title: "The directory of a program's state",
    source: "src/live/state-directory.ts",
    target: "docs/reference/state-directory.md",
  },
  {
    title: "The image of a suspended service",
    source: "src/carrier/format.ts",
    target: "docs/reference/image-format.md",
  },
  {
    title: "The protocol of an update",
    source: "src/live/protocol.ts",
    target: "docs/reference/protocol.md",
  },
  {
    title: "The control socket",
    source: "src/supervisor/control-protocol.ts",
    target: "docs/reference/control-socket.md",
  },
  {
    title: "The history of a service",
    source: "src/supervisor/history.ts",
    target: "docs/reference/history.md",
  },
  {
    title: "What a supervisor writes down",
    source: "src/supervisor/service-record.ts",
    target: "docs/reference/service-record.md",
  },
];

const read = (path) => readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), "utf8");

/** The page of a contract. */
export function contractPage({ title, source }) {
  const [, header] = /^\/\*\*\n([\s\S]*?)\n \*\//.exec(read(source));
  const lines = header.split("\n").map((line) => line.replace(/^ \* ?/, ""));
  const top = [
    `# ${title}`,
    "",
    `<!-- Made by scripts/contract-docs.mjs from ${source}. Do not edit. -->`,
    "",
  ];
  return `${[...top, ...lines].join("\n")}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for (const contract of contracts) {
    const page = contractPage(contract);
    if (!process.argv.includes("--check")) {
      writeFileSync(fileURLToPath(new URL(`../${contract.target}`, import.meta.url)), page);
    } else if (read(contract.target) !== page) {
      console.error(
        `${contract.target} is not what ${contract.source} says; run node scripts/contract-docs.mjs`,
      );
      process.exitCode = 1;
    }
  }
}
