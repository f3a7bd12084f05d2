/**
 * The load: players over WebSockets and requests over HTTP, all of them checked. A process of its own:
 * `load.js ADDRESS CLIENTS CONNECTIONS`, asked to `connect`, `resume`, `settle` and `count`.
 */
import { setTimeout as delay } from "node:timers/promises";
import { roomNames } from "../room-names.ts";
import type { Counts } from "./counts.ts";
import { Player } from "./player.ts";
import { Requester } from "./requester.ts";
import { answer } from "./task.ts";

/** Between two messages of a player, and between two requests on a connection. */
const MESSAGE_EVERY_MS = 100;
const REQUEST_EVERY_MS = 50;
const TICK_MS = 10;
/** How long the last answers may take before they count as lost. */
const PATIENCE_MS = 10_000;

const [address = "", clients = "0", connections = "0"] = process.argv.slice(2);
const problems: string[] = [];
const problem = (text: string): void => {
  if (problems.length < 20) problems.push(text);
};
const players: Player[] = [];
const keepAlive = Array.from({ length: Number(connections) }, () => new Requester(address, problem));
const newcomer = new Requester(address, problem, { keepAlive: false });
let running = false;
let loops: Promise<void>[] = [];

async function connect(): Promise<Counts> {
  const batch = 20;
  for (let from = 0; from < Number(clients); from += batch) {
    const length = Math.min(batch, Number(clients) - from);
    const more = Array.from({ length }, (_, index) => newPlayer(from + index));
    await Promise.all(more.map((player) => player.opened()));
    players.push(...more);
  }
  return counts();
}

function newPlayer(index: number): Player {
  return new Player(address, roomNames[index % roomNames.length]!, `player-${index}`, problem);
}

function resume(): void {
  running = true;
  loops = [play(), ...keepAlive.map((requester, index) => visit(requester, index)), visit(newcomer, -1)];
}

/** Stops sending, waits until everything is answered, and says what came of it. */
async function settle(): Promise<Counts> {
  running = false;
  await Promise.all(loops);
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (!players.every(({ settled, closed }) => settled || closed) && performance.now() < deadlineMs) {
    await delay(TICK_MS);
  }
  return counts();
}

/** Every player sends every MESSAGE_EVERY_MS, not all at once. */
async function play(): Promise<void> {
  const groups = MESSAGE_EVERY_MS / TICK_MS;
  for (let turn = 0; running; turn++) {
    const nextTick = delay(TICK_MS);
    for (let index = turn % groups; index < players.length; index += groups) {
      const player = players[index]!;
      if (!player.closed) act(player, index, Math.floor(turn / groups));
    }
    await nextTick;
  }
}

function act(player: Player, index: number, round: number): void {
  if ((round + index) % 40 === 0) player.send({ type: "chat", text: `hello number ${round}` });
  else if (index % 20 === 0) player.sendInParts(player.step, 5);
  else player.send(player.step);
}

async function visit(requester: Requester, index: number): Promise<void> {
  for (let turn = 0; running; turn++) {
    const nextTick = delay(REQUEST_EVERY_MS);
    const room = `/rooms/${roomNames[Math.abs(index) % roomNames.length]}`;
    if (turn % 4 === 3)
      await requester.request("POST", `${room}/chat`, { from: `visitor-${index}`, text: "hi" });
    else await requester.request("GET", turn % 4 === 1 ? "/rooms" : `${room}/scores`);
    await nextTick;
  }
}

function counts(): Counts {
  const requesters = [...keepAlive, newcomer];
  const messages = players.map((player) => player.counts);
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
  return {
    webSockets: players.length,
    webSocketsClosed: players.filter(({ closed }) => closed).length,
    sent: sum(messages.map(({ sent }) => sent)),
    received: sum(messages.map(({ received }) => received)),
    lost: sum(messages.map(({ lost, unanswered }) => lost + unanswered)),
    doubled: sum(messages.map(({ doubled }) => doubled)),
    reordered: sum(messages.map(({ reordered }) => reordered)),
    keepAlive: keepAlive.length,
    reopened: sum(keepAlive.map(({ connections }) => Math.max(0, connections - 1))),
    requests: sum(requesters.map(({ requests }) => requests)),
    failed: sum(requesters.map(({ failed }) => failed)),
    posts: sum(requesters.map(({ posts }) => posts)),
    problems,
  };
}

answer({ connect, count: counts, settle, resume });
