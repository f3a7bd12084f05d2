// Puts real output into pages: `node scripts/output-docs.mjs` runs what a page says, in a project of its own, and writes
// what comes out below each `<!-- output: COMMAND -->`. A test checks that nothing has changed.
//
//   <!-- file: NAME -->       the next block is written to that file
//   <!-- run: COMMAND -->     is run; its output is not shown
//   <!-- output: COMMAND -->  is run; the next block is its output, and its exit status if that is not 0
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Pages whose output is real. */
export const outputPages = ["docs/guides/check.md", "docs/guides/inspect.md"];

/** The text of a page as it should be. */
export function pageWithOutput(page) {
  const directory = project();
  const lines = readFileSync(join(root, page), "utf8").split("\n");
  const out = [];
  try {
    for (let at = 0; at < lines.length; at++) {
      out.push(lines[at]);
      const [, what, argument] = /^<!-- (file|run|output): (.*) -->$/.exec(lines[at]) ?? [];
      if (what === "run") run(directory, argument);
      if (what !== "file" && what !== "output") continue;
      const end = lines.indexOf("```", at + 1);
      if (!lines[at + 1].startsWith("```") || end < 0) throw new Error(`${page}: no block after ${argument}`);
      const block = lines.slice(at + 2, end);
      if (what === "file") writeBlock(join(directory, argument), block);
      out.push(
        lines[at + 1],
        ...(what === "file" ? block : run(directory, argument, true).split("\n")),
        "```",
      );
      at = end;
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return out.join("\n");
}

function writeBlock(file, block) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${block.join("\n")}\n`);
}

function project() {
  const directory = mkdtempSync(join(tmpdir(), "kstate-docs-"));
  mkdirSync(join(directory, "node_modules/.bin"), { recursive: true });
  symlinkSync(root, join(directory, "node_modules/kstate"));
  symlinkSync(join(root, "node_modules/tsx"), join(directory, "node_modules/tsx"));
  const command = `#!/bin/sh\nexec "${process.execPath}" "${join(root, "dist/cli/main.js")}" "$@"\n`;
  writeFileSync(join(directory, "node_modules/.bin/kstate"), command, { mode: 0o755 });
  writeFileSync(join(directory, ".gitignore"), "node_modules\n");
  run(directory, "git init -q -b main");
  return directory;
}

function run(directory, command, mayFail = false) {
  const { status, stdout } = spawnSync("sh", ["-c", `exec 2>&1; ${command}`], {
    cwd: directory,
    encoding: "utf8",
    env: {
      ...process.env,
      PATH: `${join(directory, "node_modules/.bin")}:${dirname(process.execPath)}:${process.env.PATH}`,
      KSTATE_RUNTIME_DIR: join(directory, "run"),
      NODE_OPTIONS: "",
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_AUTHOR_NAME: "ann",
      GIT_AUTHOR_EMAIL: "ann@example.org",
      GIT_COMMITTER_NAME: "ann",
      GIT_COMMITTER_EMAIL: "ann@example.org",
    },
  });
  if (status !== 0 && !mayFail) throw new Error(`${command}: exit status ${status}\n${stdout}`);
  return stdout.trimEnd() + (status === 0 ? "" : `\n(exit status ${status})`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const page of outputPages) writeFileSync(join(root, page), pageWithOutput(page));
}
