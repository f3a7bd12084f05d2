/**
 * The load: connections that read and write entries, and one that asks for the statistics every millisecond. A process of
 * its own: `cache-load.js ADDRESS ENTRIES`, asked to `fill`, to `begin` and to `measure` (the time since the last question).
 */
import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { answer } from "../../arena/run/task.ts";
import { entryKey, entryValue, isEntryValue } from "./entry.ts";

/** What happened since the last question. */
export interface LoadFigures {
  readonly requests: number;
  readonly failed: number;
  /** Answers that were not the entry's. */
  readonly wrong: number;
  readonly reopened: number;
  readonly medianGapMs: number;
  readonly longestGapMs: number;
  /** The gap between the last answer of a program and the first one of the next; null when there was none. */
  readonly blackoutMs: number | null;
  readonly problems: readonly string[];
}

const CONNECTIONS = 8;
const PROBE_EVERY_MS = 1;
const [address = "", entriesText = "0"] = process.argv.slice(2);
const entries = Number(entriesText);
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
const probe = new Agent({ keepAlive: true, maxSockets: 1 });

let connections = 0;
let counts = { requests: 0, failed: 0, wrong: 0, reopened: 0 };
let problems: string[] = [];
let answers: { atMs: number; pid: number }[] = [];

function send(
  method: string,
  path: string,
  over: Agent,
  body?: Buffer,
): Promise<[status: number, body: Buffer]> {
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(path, `http://${address}`), { method, agent: over }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve([response.statusCode ?? 0, Buffer.concat(chunks)]));
      response.on("error", reject);
    });
    outgoing.on("socket", (socket) => {
      if (!socket.connecting) return;
      connections += 1;
      if (connections > CONNECTIONS + 1) counts.reopened += 1;
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** A request that may fail, and is counted. */
async function counted(what: string, call: () => Promise<boolean>): Promise<void> {
  counts.requests += 1;
  try {
    if (await call()) return;
    counts.wrong += 1;
    problems.push(`${what}: another value`);
  } catch (error) {
    counts.failed += 1;
    problems.push(`${what}: ${(error as Error).message}`);
  }
}

async function put(number: number): Promise<boolean> {
  const [status] = await send("PUT", `/cache/${entryKey(number)}`, agent, entryValue(number));
  if (status !== 204) throw new Error(`status ${status}`);
  return true;
}

async function get(number: number): Promise<boolean> {
  const [status, value] = await send("GET", `/cache/${entryKey(number)}`, agent);
  if (status !== 200) throw new Error(`status ${status}`);
  return isEntryValue(number, value);
}

/** Every entry once, and then every entry read. */
async function fill(): Promise<number> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let number = next++; number < entries; number = next++) await put(number);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, lane));
  return entries;
}

async function readAll(): Promise<LoadFigures> {
  for (let number = 0; number < entries; number += 1)
    await counted(`GET ${entryKey(number)}`, () => get(number));
  return measure();
}

function begin(): null {
  const lane = async (): Promise<void> => {
    for (;;) {
      const number = Math.floor(Math.random() * entries);
      const isWrite = Math.random() < 0.1;
      await counted(`${isWrite ? "PUT" : "GET"} ${entryKey(number)}`, () =>
        isWrite ? put(number) : get(number),
      );
      await delay(1);
    }
  };
  for (let i = 0; i < CONNECTIONS; i += 1) void lane();
  void ask();
  return null;
}

async function ask(): Promise<void> {
  for (;;) {
    await counted("GET /stats", async () => {
      const [, body] = await send("GET", "/stats", probe);
      answers.push({ atMs: performance.now(), pid: (JSON.parse(String(body)) as { pid: number }).pid });
      return true;
    });
    await delay(PROBE_EVERY_MS);
  }
}

function measure(): LoadFigures {
  const gaps = answers.slice(1).map(({ atMs }, index) => atMs - answers[index]!.atMs);
  const switches = gaps.filter((_, index) => answers[index]!.pid !== answers[index + 1]!.pid);
  const figures = {
    ...counts,
    medianGapMs: gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 0,
    longestGapMs: gaps.reduce((longest, gap) => Math.max(longest, gap), 0),
    blackoutMs: switches.length === 0 ? null : Math.max(...switches),
    problems: problems.slice(0, 5),
  };
  counts = { requests: 0, failed: 0, wrong: 0, reopened: 0 };
  problems = [];
  answers = answers.slice(-1);
  return figures;
}

answer({ fill, begin, measure, readAll });
