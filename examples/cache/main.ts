/**
 * `npm run example:cache`: fills the cache under `kstate run`, updates it, rolls it back and updates it again while clients
 * read and write, and tells what they have noticed and what memory that took.
 */
import { Undo } from "../arena/run/undo.ts";
import { type CacheOptions, parseOptions, usage } from "./run/cache-options.ts";
import { runCache } from "./run/run-cache.ts";

/** Exit status: 0 nothing was lost, 1 something was, 2 wrong options. */
async function main(args: readonly string[]): Promise<number> {
  let options: CacheOptions;
  try {
    options = parseOptions(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    return 2;
  }
  const undo = new Undo();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => void undo.end().then(() => process.exit(1)));
  }
  try {
    const problems = await runCache(options, undo);
    for (const problem of problems) console.log(`FAILED ${problem}`);
    if (problems.length === 0) console.log("No entry was lost, no request failed.");
    return problems.length === 0 ? 0 : 1;
  } catch (error) {
    if (!undo.ended) console.log(`FAILED ${(error as Error).message}`);
    return 1;
  } finally {
    await undo.end();
  }
}

process.exitCode = await main(process.argv.slice(2));
