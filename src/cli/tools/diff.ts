import { type Difference, diffStreams, type StreamIndex } from "../../inspect/index.ts";
import { ended, printAll } from "../print.ts";
import { recordFrom } from "../record-source.ts";
import { withStreamPath } from "../service-stream.ts";
import { withStream } from "../stream-file.ts";
import { usage } from "../usage.ts";
import type { CliTool } from "./tool.ts";

export const diff: CliTool = {
  help: `kstate diff A B [options]

What differs between two saved streams, by instance and by field. Exit status: 0 nothing, 1 something, 2 they cannot be
read.

  A, B           files, or running services
  --json         a list of { type, path, before, after, value }
  --lock FILE    the descriptions, instead of those in the trailers
  --foreign      kernels' streams, or without their trailers`,
  options: { json: { type: "boolean" }, lock: { type: "string" }, foreign: { type: "boolean" } },
  async run(line) {
    const [a, b, ...others] = line.positionals;
    if (a === undefined || b === undefined || others.length > 0)
      throw usage("name two streams: kstate diff A B");
    const lock = line.text("lock");
    const record = lock === undefined ? undefined : (await recordFrom(lock)).record;
    const options = { foreign: line.flag("foreign"), lock: record };
    const opened = (path: string, use: (index: StreamIndex) => Promise<number>): Promise<number> =>
      withStreamPath(path, (file) => withStream(file, options, use));
    return opened(a, (left) => opened(b, (right) => show(left, right, line.flag("json"))));
  },
};

async function show(left: StreamIndex, right: StreamIndex, isJson: boolean): Promise<number> {
  let count = 0;
  const counted = function* (): Generator<Difference> {
    for (const difference of diffStreams(left, right)) {
      count += 1;
      yield difference;
    }
  };
  await printAll(isJson ? jsonPieces(counted()) : ended(lines(counted())));
  return count === 0 ? 0 : 1;
}

function* lines(differences: Iterable<Difference>): Generator<string> {
  for (const difference of differences) {
    const { type, path } = difference;
    if (type === "changed") yield `~ ${path}: ${difference.before} → ${difference.after}`;
    else yield `${type === "added" ? "+" : "-"} ${path}: ${difference.value}`;
  }
}

function* jsonPieces(differences: Iterable<Difference>): Generator<string> {
  let before = "[";
  for (const difference of differences) {
    yield `${before}${JSON.stringify(difference)}`;
    before = ",\n";
  }
  yield before === "[" ? "[]\n" : "]\n";
}
