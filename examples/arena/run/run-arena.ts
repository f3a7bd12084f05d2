import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Counts, ProbeFigures } from "./counts.ts";
import type { Options } from "./options.ts";
import { get, type Phase, runPhase, type Stage } from "./phase.ts";
import { Service } from "./service.ts";
import { sentence, table } from "./table.ts";
import { Task } from "./task.ts";
import type { Undo } from "./undo.ts";
import { type Expectation, problemsOf } from "./verdict.ts";

const KEEP_ALIVE_CONNECTIONS = 16;

interface Champions {
  readonly champions: readonly object[];
}

/** Runs all phases and prints the table. Resolves with what was wrong, in sentences. */
export async function runArena({ clients, seconds, json }: Options, undo: Undo): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), "kstate-arena-"));
  undo.add(() => rmSync(directory, { recursive: true }));
  const service = new Service(directory, program(1));
  undo.add(() => service.end());
  try {
    const stage = await setUp(service, clients, seconds, undo);
    const { phases, problems } = await runPhases(stage);
    if (json !== undefined) writeFileSync(json, JSON.stringify({ phases, problems }, null, 2));
    if (problems.length > 0) console.log(`\nOutput of the programs:\n${service.log()}`);
    return problems;
  } catch (error) {
    throw new Error(`${(error as Error).message}\nOutput of the programs:\n${service.log()}`, {
      cause: error,
    });
  }
}

async function setUp(service: Service, clients: number, seconds: number, undo: Undo): Promise<Stage> {
  const address = await service.serving();
  say(`version 1 serves on ${address}`);
  const load = new Task("load.js", [address, String(clients), String(KEEP_ALIVE_CONNECTIONS)]);
  undo.add(() => load.end());
  const probe = new Task("probe.js", [address]);
  undo.add(() => probe.end());
  const { webSockets, keepAlive } = (await load.ask("connect")) as Counts;
  await probe.ask("connect");
  say(
    `${webSockets} WebSocket clients, ${keepAlive} HTTP connections, one client that asks every millisecond`,
  );
  return { service, address, load, probe, seconds };
}

async function runPhases(stage: Stage): Promise<{ phases: Phase[]; problems: string[] }> {
  const { service, address } = stage;
  const phases: Phase[] = [];
  const problems: string[] = [];
  const run = async (title: string, expected: Expectation, update: Parameters<typeof runPhase>[2]) => {
    const phase = await runPhase(stage, title, update);
    phases.push(phase);
    problems.push(...problemsOf(phase, expected));
    say(sentence(phase));
  };
  const update = (version: number) => () =>
    service.command("update", ["--json", "--", process.execPath, program(version)]);
  const rollback = () => service.command("rollback", ["--json"]);

  await run("no update", { outcome: null, version: 1 }, null);
  await run("1 → 2", { outcome: "committed", version: 2 }, update(2));
  const before = await get<Champions>(address, "/champions");
  await run("2 → 1 rollback", { outcome: "committed", version: 1 }, rollback);
  await run("1 → 2 again", { outcome: "committed", version: 2 }, update(2));
  const after = await get<Champions>(address, "/champions");
  await run("2 → 3 broken", { outcome: "failed", version: 2 }, update(3));
  problems.push(...(await lastProblems(stage)));

  console.log(`\n${table(phases)}\n`);
  const { length } = before.champions;
  const carried = before.champions.filter((champion, index) =>
    isSame(champion, after.champions[index]),
  ).length;
  console.log(
    `Champions, which version 1 does not know: ${length}, ${carried} of them there again after the rollback.`,
  );
  if (carried < length) problems.push(`rollback: ${length - carried} champions of version 2 lost`);
  return { phases, problems };
}

/** What can be counted at the end only. */
async function lastProblems({ address, load, probe }: Stage): Promise<string[]> {
  const problems: string[] = [];
  const { posts } = (await load.ask("count")) as Counts;
  const arena = await get<{ posts: number }>(address, "/digest");
  if (arena.posts !== posts) problems.push(`the arena counts ${arena.posts} posts, its clients ${posts}`);
  const { lost, doubled } = (await probe.ask("settle")) as ProbeFigures;
  if (lost + doubled > 0)
    problems.push(`the probe: ${lost} messages lost, ${doubled} doubled or out of order`);
  return problems;
}

function program(version: number): string {
  return fileURLToPath(new URL(`../server-v${version}.js`, import.meta.url));
}

function isSame(one: object, other: object | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function say(text: string): void {
  console.log(`${(performance.now() / 1000).toFixed(1).padStart(5)} s  ${text}`);
}
