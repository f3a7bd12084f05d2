import {
  hexLines,
  type InspectEvent,
  isOnPath,
  parsePath,
  type StreamIndex,
  selected,
  streamJson,
  streamLine,
  treeHeading,
  treeLines,
  valuesJson,
  walkStream,
} from "../../inspect/index.ts";
import { ended, printAll, printError } from "../print.ts";
import { recordFrom } from "../record-source.ts";
import { withStreamPath } from "../service-stream.ts";
import { withStream } from "../stream-file.ts";
import { usage } from "../usage.ts";
import type { CliTool, ToolLine } from "./tool.ts";

export const inspect: CliTool = {
  help: `kstate inspect STREAM [options]

Shows what is in a saved stream, by the descriptions that its writer sent along: no code of the program is needed. Exit
status: 0 all was shown, 1 it is damaged or the path leads nowhere, 2 it cannot be read.

  STREAM         a file: a saved stream, or the state of a suspended service or of one without a supervisor; or a running
                 service, by its name or as unix:SOCKET, whose program saves its state and serves on
  --path PATH    only what is there: sections/player, sections/player/7, sections/player/7/hp
  --json         as JSON; 64-bit integers are texts
  --hex          every byte with what it belongs to
  --lock FILE    the descriptions, instead of those in the trailer: a lock file, git:REVISION, the module that describes
  --foreign      a kernel's stream, or without its trailer
  --all          all elements of large collections, not the first 100`,
  options: {
    path: { type: "string" },
    json: { type: "boolean" },
    hex: { type: "boolean" },
    lock: { type: "string" },
    foreign: { type: "boolean" },
    all: { type: "boolean" },
  },
  async run(line) {
    const [source, ...others] = line.positionals;
    if (source === undefined || others.length > 0) throw usage("name one STREAM");
    const lock = line.text("lock");
    const record = lock === undefined ? undefined : (await recordFrom(lock)).record;
    const options = { foreign: line.flag("foreign"), lock: record };
    return withStreamPath(source, (path) => withStream(path, options, (index) => show(index, line)));
  },
};

async function show(index: StreamIndex, line: ToolLine): Promise<number> {
  const text = line.text("path");
  const path = text === undefined ? undefined : parsePath(text);
  if (text !== undefined && path === undefined)
    throw usage(`--path ${text} does not begin with sections/NAME`);
  const seen = { damage: index.damages.length > 0, anything: false };
  const isWanted =
    path === undefined ? undefined : (head: Parameters<typeof isOnPath>[1]) => isOnPath(path, head);
  const all = walkStream(index, isWanted);
  const events = noting(path === undefined ? all : selected(all, path), seen);
  const isPart = path !== undefined && path.segments.length > 0;
  await printAll(output(index, events, line, path !== undefined, isPart));
  if (path !== undefined && !seen.anything) {
    printError(`kstate inspect: there is nothing at ${text}`);
    return 1;
  }
  return seen.damage ? 1 : 0;
}

function output(
  index: StreamIndex,
  events: Iterable<InspectEvent>,
  line: ToolLine,
  isSelected: boolean,
  isPart: boolean,
): Iterable<string> {
  const { source } = index;
  if (line.flag("json"))
    return isPart ? valuesJson(events, source) : streamJson(events, source, index.damages);
  if (line.flag("hex")) return ended(hexLines(events, source));
  const options = line.flag("all") ? { elements: Number.POSITIVE_INFINITY } : {};
  const lines = treeLines(events, source, options);
  return ended(isSelected ? lines : concat([streamLine(index), treeHeading], lines));
}

function* concat<T>(...parts: readonly Iterable<T>[]): Generator<T> {
  for (const part of parts) yield* part;
}

function* noting(
  events: Iterable<InspectEvent>,
  seen: { damage: boolean; anything: boolean },
): Generator<InspectEvent> {
  for (const event of events) {
    if (event.type === "damage") seen.damage = true;
    if (event.type === "open" || event.type === "leaf") seen.anything = true;
    yield event;
  }
}
