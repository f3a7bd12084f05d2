import { existsSync, readFileSync } from "node:fs";
import { formatLockFile, type LockFile, parseLockFile } from "../../check/index.ts";
import { lockHash } from "../../description/index.ts";
import { writeSource } from "../../system/index.ts";
import { entryOf } from "../entry.ts";
import { lockEntries } from "../lock-entries.ts";
import { print, printError } from "../print.ts";
import type { CliTool } from "./tool.ts";

export const lock: CliTool = {
  help: `kstate lock [ENTRY…] [--out FILE] [--check]

Writes the lock file: every description that the entries export or register while they are imported, as JSON, with
hashes and where it stands in the source. Commit it, so that a change of the format is seen in review.

  ENTRY         a module, TypeScript too; "kstate": { "entry": "src/state.ts" } in package.json unless given
  --out FILE    kstate.lock.json unless given
  --check       write nothing; exit with 1 if the file is stale: descriptions or the code of their functions have changed
                (line numbers alone do not make it stale)`,
  options: { out: { type: "string" }, check: { type: "boolean" } },
  async run(line) {
    const out = line.text("out") ?? "kstate.lock.json";
    const file = await lockEntries(entryOf(line.positionals));
    const count = file.record.descriptions.length;
    const what = `${count} ${count === 1 ? "description" : "descriptions"}`;
    if (line.flag("check")) {
      const isFresh = existsSync(out) && isSame(parseLockFile(readFileSync(out, "utf8")), file);
      if (isFresh) print(`${out}: up to date, ${what}`);
      else printError(`${out} is stale: run "kstate lock" and commit what it writes`);
      return isFresh ? 0 : 1;
    }
    writeSource(out, formatLockFile(file));
    print(`${out}: ${what}, ${lockHash(file.record).slice(0, 12)}`);
    return 0;
  },
};

/** A file of an earlier version does not tell the code. */
function isSame(old: LockFile, now: LockFile): boolean {
  if (lockHash(old.record) !== lockHash(now.record)) return false;
  const told = ({ code }: LockFile) =>
    JSON.stringify([...(code ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return old.code === undefined || told(old) === told(now);
}
