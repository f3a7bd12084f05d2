import { existsSync, readFileSync } from "node:fs";
import type { Description } from "../../description/index.ts";
import { compiledModule } from "../../stream/index.ts";
import { writeSource } from "../../system/index.ts";
import { entryOf } from "../entry.ts";
import { loadDescriptions } from "../load-descriptions.ts";
import { print, printError } from "../print.ts";
import type { CliTool } from "./tool.ts";

export const compile: CliTool = {
  help: `kstate compile [ENTRY…] [--out FILE] [--check]

Writes a module with the code that saves and loads the descriptions which the entries export or register while they are
imported. Without it that code is made when the program runs; where code from strings is forbidden, import the module, or
start with node --import ./kstate.compiled.mjs. Code of other descriptions, or of another version of kstate, is not used:
the interpreter serves then, slower and with the same result.

  ENTRY         a module, TypeScript too; "kstate": { "entry": "src/state.ts" } in package.json unless given
  --out FILE    kstate.compiled.mjs unless given
  --check       write nothing; exit with 1 if the file is stale`,
  options: { out: { type: "string" }, check: { type: "boolean" } },
  async run(line) {
    const out = line.text("out") ?? "kstate.compiled.mjs";
    const descriptions: Description[] = [];
    for (const entry of entryOf(line.positionals)) descriptions.push(...(await loadDescriptions(entry)));
    const { text, units, left } = compiledModule(descriptions);
    const what = `${units} functions for ${descriptions.length} ${descriptions.length === 1 ? "description" : "descriptions"}`;
    if (line.flag("check")) {
      const isFresh = existsSync(out) && readFileSync(out, "utf8") === text;
      if (isFresh) print(`${out}: up to date, ${what}`);
      else printError(`${out} is stale: run "kstate compile"`);
      return isFresh ? 0 : 1;
    }
    writeSource(out, text);
    print(`${out}: ${what}`);
    if (left.length > 0) print(`left to the interpreter: ${left.join(", ")}`);
    return 0;
  },
};
