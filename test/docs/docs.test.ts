import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../../../", import.meta.url));
/** Pages whose code is run. */
const pages = [
  "docs/reference/kernel.md",
  "docs/guides/describe-state.md",
  "docs/guides/change-a-description.md",
  "docs/guides/collections-and-references.md",
  "docs/guides/custom-fields.md",
  "docs/guides/kernel.md",
];
/** Pages whose code would serve for ever: it has the right types. */
const servicePages = ["docs/guides/connections.md"];
const workDir = join(root, "build/docs");

/** All blocks of a page in one module, as a reader would type them one after the other. */
function programOf(page: string): string {
  const blocks = [...readFileSync(join(root, page), "utf8").matchAll(/^```ts\n([\s\S]*?)^```$/gm)];
  assert.ok(blocks.length > 0, `${page} has no code`);
  return blocks.map(([, code]) => code).join("\n");
}

function sourceOf(page: string): string {
  return join(workDir, `${page.replaceAll("/", "-").replace(/\.md$/, "")}.ts`);
}

describe("the documentation", () => {
  mkdirSync(workDir, { recursive: true });
  for (const page of [...pages, ...servicePages]) writeFileSync(sourceOf(page), programOf(page));

  test("its code has the right types", () => {
    const { config } = ts.readConfigFile(join(root, "tsconfig.base.json"), ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
    const program = ts.createProgram([...pages, ...servicePages].map(sourceOf), {
      ...options,
      composite: false,
      noEmit: true,
    });
    const problems = ts.getPreEmitDiagnostics(program);
    assert.equal(
      ts.formatDiagnostics(problems, {
        getCanonicalFileName: (name) => name,
        getCurrentDirectory: () => root,
        getNewLine: () => "\n",
      }),
      "",
    );
  });

  for (const page of pages) {
    test(`the code of ${page} runs`, async () => {
      const { outputText } = ts.transpileModule(programOf(page), {
        compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
      });
      const file = sourceOf(page).replace(/\.ts$/, ".mjs");
      writeFileSync(file, outputText);
      await import(pathToFileURL(file).href);
      rmSync(file);
    });
  }

  test("links lead somewhere", () => {
    const files = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".md"),
    );
    assert.ok(files.length >= pages.length);
    for (const name of files) {
      const file = join(root, "docs", name);
      for (const [, link] of readFileSync(file, "utf8").matchAll(/\]\(([^)\s]+)\)/g)) {
        const [path, anchor] = link!.split("#");
        if (/^[a-z]+:/.test(link!)) continue;
        const target = path === "" ? file : resolve(dirname(file), path!);
        assert.ok(existsSync(target), `${relative(root, file)}: ${link} leads nowhere`);
        if (anchor !== undefined)
          assert.ok(anchorsOf(target).includes(anchor), `${relative(root, file)}: no ${link}`);
      }
    }
  });

  test("the pages about formats are made from their contracts", async () => {
    const { href } = pathToFileURL(join(root, "scripts/contract-docs.mjs"));
    const { contracts, contractPage } = (await import(href)) as {
      contracts: { target: string }[];
      contractPage(contract: object): string;
    };
    assert.ok(contracts.length > 0);
    for (const contract of contracts) {
      const page = readFileSync(join(root, contract.target), "utf8");
      assert.equal(page, contractPage(contract), `run node scripts/contract-docs.mjs`);
    }
  });
});

function anchorsOf(file: string): readonly string[] {
  const headings = readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm);
  return Array.from(headings, ([, text]) =>
    text!
      .toLowerCase()
      .replaceAll(/[^\p{Letter}\p{Number}\s_-]/gu, "")
      .replaceAll(/\s/g, "-"),
  );
}
