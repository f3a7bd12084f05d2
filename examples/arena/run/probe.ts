/**
 * The probe: a player that says `ping` every millisecond and notes when the answers come. A process of its own:
 * `probe.js ADDRESS`, asked to `connect`, `measure` (the time since the last question) and `settle`.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { ProbeFigures } from "./counts.ts";
import { Player } from "./player.ts";
import { answer } from "./task.ts";

const PING_EVERY_MS = 1;
const PATIENCE_MS = 10_000;

const [address = ""] = process.argv.slice(2);
const player = new Player(address, "amber", "probe", (text) => console.error(text));
let answers: { readonly atMs: number; readonly pid: number }[] = [];
let pinging: NodeJS.Timeout | undefined;

async function connect(): Promise<void> {
  await player.opened();
  player.onAnswer = ({ pid = 0 }) => answers.push({ atMs: performance.now(), pid });
  pinging = setInterval(() => {
    if (!player.closed) player.send({ type: "ping" });
  }, PING_EVERY_MS);
}

function measure(): ProbeFigures {
  const gaps = answers.slice(1).map(({ atMs }, index) => atMs - answers[index]!.atMs);
  const switches = gaps.filter((_, index) => answers[index]!.pid !== answers[index + 1]!.pid);
  const figures = {
    answers: answers.length,
    medianGapMs: gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 0,
    longestGapMs: gaps.reduce((longest, gap) => Math.max(longest, gap), 0),
    blackoutMs: switches.length === 0 ? null : Math.max(...switches),
    lost: player.counts.lost,
    doubled: player.counts.doubled + player.counts.reordered,
  };
  answers = answers.slice(-1);
  return figures;
}

/** Stops for good, and waits for the last answers. */
async function settle(): Promise<ProbeFigures> {
  clearInterval(pinging);
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (!player.settled && !player.closed && performance.now() < deadlineMs) await delay(PING_EVERY_MS);
  const figures = measure();
  return { ...figures, lost: figures.lost + player.counts.unanswered };
}

answer({ connect, measure, settle });
