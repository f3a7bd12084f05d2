import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A project of a user: its files, with kstate and perhaps others in node_modules. Goes with the test. */
export function project(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  packages: readonly string[] = [],
): string {
  const directory = mkdtempSync(join(tmpdir(), "kstate-project-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, "node_modules"));
  symlinkSync(root, join(directory, "node_modules/kstate"));
  for (const name of packages)
    symlinkSync(join(root, "node_modules", name), join(directory, "node_modules", name));
  writeFiles(directory, { "package.json": '{"type":"module"}', ...files });
  return directory;
}

export function writeFiles(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
}
