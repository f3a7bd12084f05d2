import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Service } from "../../arena/run/service.ts";
import { Task } from "../../arena/run/task.ts";
import type { Undo } from "../../arena/run/undo.ts";
import type { LoadFigures } from "./cache-load.ts";
import type { CacheOptions } from "./cache-options.ts";
import { phaseTable } from "./cache-table.ts";
import { VALUE_BYTES } from "./entry.ts";
import { type MemoryShare, memoryShare } from "./memory-share.ts";

/** One phase of the run: what the clients saw, what the update cost, and what memory there was at most. */
export interface CachePhase {
  readonly title: string;
  readonly version: number;
  readonly entries: number;
  readonly load: LoadFigures;
  /** As `kstate update --json` says it; null without an update. */
  readonly update: { readonly outcome: string; readonly figures?: UpdateFigures } | null;
  /** When the most programs, and then the most pages, were there. */
  readonly peak: MemoryShare;
}

interface UpdateFigures {
  readonly blackoutMs: number;
  readonly streamBytes: number;
}

interface Stats {
  readonly version: number;
  readonly entries: number;
}

interface Stage {
  readonly service: Service;
  readonly address: string;
  readonly load: Task;
  readonly seconds: number;
}

const MIB = 1024 * 1024;
/** Looking at the memory costs a walk over all its pages. */
const SAMPLE_EVERY_MS = 100;
/** Blocks are a power of two and eighths of it; the index and one more update need room, too. */
const ROOM = 1.5;

/** Runs all phases and prints what there is to say. Resolves with what was wrong, in sentences. */
export async function runCache({ mib, seconds, json }: CacheOptions, undo: Undo): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), "kstate-cache-"));
  undo.add(() => rmSync(directory, { recursive: true }));
  process.env.CACHE_MIB = String(Math.ceil(mib * 1.25) + 8);
  const options = ["--memory", `${Math.ceil(mib * ROOM) + 64}M`];
  const service = new Service(directory, program(1), { name: "cache", options });
  undo.add(() => service.end());
  try {
    const address = await service.serving();
    const entries = Math.max(1, Math.floor((mib * MIB) / VALUE_BYTES));
    say(`version 1 serves on ${address}; filling it with ${entries} entries of ${VALUE_BYTES / 1024} KiB`);
    const load = new Task(new URL("./cache-load.js", import.meta.url).href, [address, String(entries)]);
    undo.add(() => load.end());
    await load.ask("fill");
    const { phases, problems } = await runPhases({ service, address, load, seconds }, entries);
    if (json !== undefined) writeFileSync(json, JSON.stringify({ phases, problems }, null, 2));
    if (problems.length > 0) console.log(`\nOutput of the programs:\n${service.log()}`);
    return problems;
  } catch (error) {
    const text = `${(error as Error).message}\nOutput of the programs:\n${service.log()}`;
    throw new Error(text, { cause: error });
  }
}

async function runPhases(
  stage: Stage,
  entries: number,
): Promise<{ phases: CachePhase[]; problems: string[] }> {
  const { load } = stage;
  await load.ask("begin");
  const phases: CachePhase[] = [];
  for (const [title, version, args] of [
    ["no update", 1, null],
    ["1 → 2", 2, ["update", "--json", "--", process.execPath, program(2)]],
    ["2 → 1 rollback", 1, ["rollback", "--json"]],
    ["1 → 2 again", 2, ["update", "--json", "--", process.execPath, program(2)]],
  ] as const) {
    const phase = await runPhase(stage, title, args);
    say(`${title}: ${phase.entries} entries, longest gap ${phase.load.longestGapMs.toFixed(1)} ms`);
    phases.push({ ...phase, version });
    if (phase.version !== version)
      throw new Error(`${title}: version ${phase.version} serves, not ${version}`);
  }
  const all = (await load.ask("readAll")) as LoadFigures;
  console.log(`\n${phaseTable(phases)}\n`);
  say(`every one of the ${entries} entries was read at the end and compared`);
  return { phases, problems: [...phases.flatMap((phase) => problemsOf(phase, entries)), ...all.problems] };
}

async function runPhase(
  { service, address, load, seconds }: Stage,
  title: string,
  args: readonly [string, ...string[]] | null,
): Promise<CachePhase> {
  await load.ask("measure");
  const sampler = new Sampler(service.supervisorPid);
  const half = (seconds * 1000) / 2;
  await delay(half);
  const result = args === null ? null : await service.command(args[0], args.slice(1));
  await delay(half);
  const peak = sampler.end();
  const figures = (await load.ask("measure")) as LoadFigures;
  const { version, entries } = (await (await fetch(`http://${address}/stats`)).json()) as Stats;
  const update = result === null ? null : (JSON.parse(result.output) as NonNullable<CachePhase["update"]>);
  return { title, version, entries, load: figures, update, peak };
}

/** Looks at the memory again and again; `end` tells the highest figures. */
class Sampler {
  #peak: MemoryShare;
  readonly #timer: NodeJS.Timeout;

  constructor(supervisorPid: number) {
    this.#peak = memoryShare(supervisorPid);
    this.#timer = setInterval(() => {
      const now = memoryShare(supervisorPid);
      this.#peak = {
        programs: Math.max(now.programs, this.#peak.programs),
        shared: Math.max(now.shared, this.#peak.shared),
        own: Math.max(now.own, this.#peak.own),
      };
    }, SAMPLE_EVERY_MS);
  }

  end(): MemoryShare {
    clearInterval(this.#timer);
    return this.#peak;
  }
}

function problemsOf({ title, load, update, entries }: CachePhase, expected: number): string[] {
  const problems = load.problems.map((problem) => `${title}: ${problem}`);
  if (load.reopened > 0) problems.push(`${title}: ${load.reopened} connections were opened anew`);
  if (update !== null && update.outcome !== "committed") problems.push(`${title}: ${JSON.stringify(update)}`);
  if (entries !== expected) problems.push(`${title}: ${entries} entries instead of ${expected}`);
  return problems;
}

function program(version: number): string {
  return fileURLToPath(new URL(`../server-v${version}.js`, import.meta.url));
}

function say(text: string): void {
  console.log(`${(performance.now() / 1000).toFixed(1).padStart(5)} s  ${text}`);
}
