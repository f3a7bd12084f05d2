/**
 * `npm start`: runs the arena under `kstate run`, loads it from other processes, updates it, rolls it back, updates
 * it again, tries a version that does not boot, and tells what its clients have noticed.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Counts, ProbeFigures } from "./run/counts.ts";
import { type Options, parseOptions, usage } from "./run/options.ts";
import { get, type Phase, runPhase, type Stage } from "./run/phase.ts";
import { Service } from "./run/service.ts";
import { table } from "./run/table.ts";
import { Task } from "./run/task.ts";
import { Undo } from "./run/undo.ts";
import { type Expectation, problemsOf } from "./run/verdict.ts";

const KEEP_ALIVE_CONNECTIONS = 16;

const program = (version: number): string => fileURLToPath(new URL(`server-v${version}.js`, import.meta.url));
const say = (text: string): void =>
  console.log(`${(performance.now() / 1000).toFixed(1).padStart(5)} s  ${text}`);

interface Champions {
  readonly champions: readonly object[];
}

/** Runs all phases; the result is what was wrong, in sentences. */
async function runArena({ clients, seconds, json }: Options, undo: Undo): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), "kstate-arena-"));
  undo.add(() => rmSync(directory, { recursive: true }));
  const service = new Service(directory, program(1));
  undo.add(() => service.end());
  const address = await service.serving();
  say(`version 1 serves on ${address}`);

  const load = new Task("load.js", [address, String(clients), String(KEEP_ALIVE_CONNECTIONS)]);
  undo.add(() => load.end());
  const probe = new Task("probe.js", [address]);
  undo.add(() => probe.end());
  const { webSockets, keepAlive } = (await load.ask("connect")) as Counts;
  await probe.ask("connect");
  say(
    `${webSockets} WebSocket clients, ${keepAlive} HTTP connections, and one client that asks every millisecond`,
  );

  const stage: Stage = { service, address, load, probe, seconds };
  const phases: Phase[] = [];
  const problems: string[] = [];
  const phase = async (title: string, expected: Expectation, update: Parameters<typeof runPhase>[2]) => {
    const done = await runPhase(stage, title, update);
    phases.push(done);
    problems.push(...problemsOf(done, expected));
    say(sentence(done));
  };
  const update = (version: number) => () =>
    service.command("update", ["--json", "--", process.execPath, program(version)]);

  await phase("no update", { outcome: null, version: 1 }, null);
  await phase("1 → 2", { outcome: "committed", version: 2 }, update(2));
  const before = await get<Champions>(address, "/champions");
  await phase("2 → 1 rollback", { outcome: "committed", version: 1 }, () =>
    service.command("rollback", ["--json"]),
  );
  await phase("1 → 2 again", { outcome: "committed", version: 2 }, update(2));
  const after = await get<Champions>(address, "/champions");
  await phase("2 → 3 broken", { outcome: "failed", version: 2 }, update(3));

  const carried = before.champions.filter((champion, index) =>
    isSame(champion, after.champions[index]),
  ).length;
  if (carried < before.champions.length)
    problems.push(`rollback: ${before.champions.length - carried} champions of version 2 lost`);
  const { posts } = (await load.ask("count")) as Counts;
  const { posts: kept } = await get<{ posts: number }>(address, "/digest");
  if (kept !== posts) problems.push(`the arena counts ${kept} posts, its clients ${posts}`);
  const rest = (await probe.ask("settle")) as ProbeFigures;
  if (rest.lost + rest.doubled > 0)
    problems.push(`the probe lost ${rest.lost} answers, ${rest.doubled} were doubled`);

  console.log(`\n${table(phases)}\n`);
  console.log(
    `${carried} of ${before.champions.length} champions, which version 1 does not know, were there again after the rollback.`,
  );
  if (json !== undefined) writeFileSync(json, JSON.stringify({ phases, problems }, null, 2));
  if (problems.length > 0) console.log(`\nOutput of the programs:\n${service.log()}`);
  return problems;
}

function isSame(one: object, other: object | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function sentence({ title, update, probe, counts }: Phase): string {
  if (update === null)
    return `${title}: an answer every ${probe.medianGapMs.toFixed(2)} ms, longest gap ${probe.longestGapMs.toFixed(1)} ms`;
  if (update.figures === undefined) return `${title}: refused, the arena goes on: ${update.error?.message}`;
  const { streamBytes, httpConnections, webSockets } = update.figures;
  return (
    `${title}: blackout ${probe.blackoutMs?.toFixed(1)} ms; moved ${streamBytes} bytes, ${httpConnections} HTTP ` +
    `connections, ${webSockets} WebSockets; ${counts.lost} messages lost, ${counts.failed} requests failed`
  );
}

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
