/**
 * `npm start`: runs the arena under `kstate run`, loads it from other processes, updates it, rolls it back, updates
 * it again, tries a version that does not boot, and tells what its clients have noticed.
 */
import { type Options, parseOptions, usage } from "./run/options.ts";
import { runArena } from "./run/run-arena.ts";
import { Undo } from "./run/undo.ts";

/** Exit status: 0 nothing was lost, 1 something was, 2 wrong options. */
async function main(args: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    return 2;
  }
  const undo = new Undo();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      console.log(`interrupted by ${signal}: ending what was started`);
      void undo.end().then(() => process.exit(1));
    });
  }
  try {
    const problems = await runArena(options, undo);
    for (const problem of problems) console.log(`FAILED ${problem}`);
    if (problems.length === 0) console.log("Nothing was lost, doubled or refused.");
    return problems.length === 0 ? 0 : 1;
  } catch (error) {
    if (!undo.ended) console.log(`FAILED ${(error as Error).message}`);
    return 1;
  } finally {
    await undo.end();
  }
}

process.exitCode = await main(process.argv.slice(2));
