import { constants, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Description } from "../../description/index.ts";
import { isKstateError } from "../../error/index.ts";
import { type LoadReport, Registry } from "../../registry/index.ts";
import { entryOf } from "../entry.ts";
import { loadDescriptions } from "../load-descriptions.ts";
import { print, printError } from "../print.ts";
import { withStreamPath } from "../service-stream.ts";
import { withStream } from "../stream-file.ts";
import { usage } from "../usage.ts";
import type { CliTool, ToolLine } from "./tool.ts";

const suffix = ".kstate";

export const golden: CliTool = {
  help: `kstate golden add STREAM [--as NAME] [--dir DIR]
kstate golden verify [ENTRY…] [--dir DIR]

Keeps streams of released versions, and loads them all with the descriptions of today. Exit status: 0 done, 1 a stream
is refused, 2 it could not be tried.

  add           copies a whole, undamaged stream, or the state of a running service, to DIR/NAME${suffix}; one that is there is never overwritten
  verify        loads every stream of DIR into new objects, hooks and all
  ENTRY         the modules that describe; "kstate": { "entry": … } in package.json unless given
  --as NAME     v and the version in package.json unless given
  --dir DIR     golden unless given`,
  options: { as: { type: "string" }, dir: { type: "string" } },
  run(line) {
    const [action, ...rest] = line.positionals;
    const directory = line.text("dir") ?? "golden";
    if (action === "add") return add(rest, line, directory);
    if (action === "verify") return verify(entryOf(rest), directory);
    throw usage("say kstate golden add STREAM, or kstate golden verify");
  },
};

function add(streams: readonly string[], line: ToolLine, directory: string): Promise<number> {
  const [stream, ...others] = streams;
  if (stream === undefined || others.length > 0) throw usage("name one STREAM");
  return withStreamPath(stream, (path) => addFile(path, line, directory));
}

async function addFile(stream: string, line: ToolLine, directory: string): Promise<number> {
  const file = join(directory, `${line.text("as") ?? packageVersion()}${suffix}`);
  const damage = await withStream(stream, { foreign: false, lock: undefined }, ({ damages, isForeign }) =>
    isForeign ? "it has no trailer" : damages[0]?.problem,
  );
  if (damage !== undefined) {
    printError(`kstate golden: ${stream} is not kept: ${damage}`);
    return 1;
  }
  if (existsSync(file)) {
    printError(
      `kstate golden: ${file} is there already; golden streams are added, never changed: give another --as`,
    );
    return 1;
  }
  mkdirSync(directory, { recursive: true });
  copyFileSync(stream, file, constants.COPYFILE_EXCL);
  print(`${file}: added`);
  return 0;
}

function packageVersion(): string {
  const { version } = existsSync("package.json")
    ? (JSON.parse(readFileSync("package.json", "utf8")) as { readonly version?: unknown })
    : {};
  if (typeof version === "string" && !/[/\\]/.test(version)) return `v${version}`;
  throw usage("there is no version in package.json: say --as NAME");
}

async function verify(entries: readonly string[], directory: string): Promise<number> {
  const files = existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => name.endsWith(suffix))
        .sort()
    : [];
  if (files.length === 0) throw usage(`there are no streams in ${directory}; add one with kstate golden add`);
  const descriptions: Description[] = [];
  for (const entry of entries) descriptions.push(...(await loadDescriptions(entry)));
  let failures = 0;
  for (const name of files) {
    const file = join(directory, name);
    try {
      print(`${file}: ${summary(load(descriptions, readFileSync(file)))}`);
    } catch (error) {
      if (!isKstateError(error)) throw error;
      failures += 1;
      printError(`${file}: ${error.message} [${error.code}]`);
    }
  }
  const verdict = failures === 0 ? "all can be loaded" : `${failures} cannot be loaded`;
  print(`${files.length} ${files.length === 1 ? "stream" : "streams"}, ${verdict}`);
  return failures === 0 ? 0 : 1;
}

/** Into objects that are made for it. */
function load(descriptions: readonly Description[], stream: Uint8Array): LoadReport {
  const registry = new Registry();
  for (const description of new Set(descriptions))
    registry.registerAll(description as Description<object>, new Map());
  return registry.load(stream);
}

function summary({ restored, carried }: LoadReport): string {
  const counts = new Map<string, number>();
  for (const { description } of restored) counts.set(description, (counts.get(description) ?? 0) + 1);
  const texts = Array.from(counts, ([name, count]) => `${count} ${name}`);
  const unread = [...new Set(carried.map(({ description }) => description))];
  if (unread.length > 0) texts.push(`carried unread: ${unread.join(", ")}`);
  return texts.join(", ") || "nothing in it";
}
