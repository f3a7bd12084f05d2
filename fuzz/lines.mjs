// Feeds damaged lines to whoever reads a control socket: `node fuzz/lines.mjs [inputs] [seed]`, after a build. Whatever
// comes, in whatever pieces, it is refused with PROTOCOL_ERROR or is a message whose every member may be used.
import assert from "node:assert/strict";
import { fromErrorRecord, isKstateError } from "../dist/error/index.js";
import { LineSplitter, MAX_TIME_MS, parseMessage } from "../dist/live/protocol.js";
import { brokerEvent } from "../dist/live/update-messages.js";
import { parseRequest, parseResponse } from "../dist/supervisor/control-protocol.js";
import { descriptionsOf } from "../dist/supervisor/program-facts.js";
import { mutated } from "./mutate.mjs";
import { mutatedJson } from "./mutate-json.mjs";
import { fuzzerOf, runAsProgram, trying } from "./runner.mjs";

const error = { code: "REQUESTS_BUSY", message: "busy", detail: { timeoutMs: 1, requests: [] } };
const lock = { format: 1, descriptions: [{ name: "player", versionId: 2 }], collections: [] };
const figures = {
  quiesceMs: 1.5,
  blackoutMs: 2.25,
  streamBytes: 77,
  preCopy: [],
  freedFolios: 0,
  httpConnections: 1,
  webSockets: 2,
  otherConnections: 0,
};
const generation = 3;
const timeouts = { bootMs: 30_000, quiesceMs: 1_000, freezeMs: 5_000 };

const messages = [
  { type: "listening", key: "tcp:80", error: null },
  { type: "boot" },
  { type: "prepare", generation, lock, force: true },
  { type: "receive", generation, timeoutMs: 7_000, versionIds: { player: 2 } },
  { type: "freeze", generation, quiesceMs: 1_000, freezeMs: 5_000 },
  { type: "suspend", generation, quiesceMs: 1_000, freezeMs: 5_000, lock: null, detachedMs: 5 },
  { type: "save", path: "/tmp/x" },
  { type: "hello", protocol: [1, 2], pid: 77 },
  { type: "adopted", protocol: [1, 2], pid: 77, listeners: ["tcp:80"] },
  { type: "listen", key: "tcp:80", address: { kind: "tcp", host: "::", port: 80 } },
  { type: "listen", key: "u", address: { kind: "udp", family: 4, host: null, port: 80 } },
  { type: "listen", key: "x", address: { kind: "unix", path: "/tmp/s" } },
  { type: "ready", lock, listeners: ["tcp:80"] },
  { type: "prepared", generation, versionIds: { player: 2 } },
  { type: "progress", generation, text: "slice 1" },
  { type: "refused", generation, error },
  { type: "left", generation, connections: 2 },
  { type: "serving", figures, resumed: null },
  {
    type: "suspended",
    generation,
    figures: { quiesceMs: 1, saveMs: 1, streamBytes: 1, folios: 1, connections: 1 },
  },
  { type: "failed", error },
];
const requests = [
  {
    type: "update",
    command: ["node", "app.js"],
    environment: { A: "b" },
    timeouts,
    force: false,
    standbyMs: 5,
    rehearse: true,
  },
  { type: "rollback", timeouts, standbyMs: null },
  { type: "suspend", to: "file:/x", partBytes: 4096, lock, timeouts, detachedMs: 5 },
  { type: "resume", command: null, environment: {} },
  { type: "save", path: "/tmp/x" },
  { type: "status" },
];
const responses = [
  { type: "progress", text: "booting" },
  { type: "image", sizeBytes: 4096 },
  { type: "done", result: { pid: 1 } },
  { type: "error", error },
];
const all = [...messages, ...requests, ...responses];
const texts = all.map((each) => Buffer.from(`${JSON.stringify(each)}\n`));
const update = { generation, rehearse: false, force: false, quiesceMs: 1, freezeMs: 1 };

/** The line, or undefined when it is refused as it should be. */
function read(parse, line) {
  try {
    return parse(line);
  } catch (error) {
    assert.ok(isKstateError(error, "PROTOCOL_ERROR"), error?.stack ?? String(error));
    assert.ok(error.message.length < 1_000, "what was sent is repeated in the message");
    return undefined;
  }
}

function isTime(value) {
  return Number.isFinite(value) && value > 0 && value <= MAX_TIME_MS;
}

/** What whoever has read a message does with it. */
function use(message) {
  for (const side of ["old", "successor"]) brokerEvent(side, message, update);
  if ("lock" in message && message.lock !== null) descriptionsOf(message.lock);
  if (message.error) fromErrorRecord(message.error);
  if (message.figures) for (const name of ["quiesceMs", "blackoutMs"]) message.figures[name]?.toFixed(1);
}

function useRequest(request) {
  for (const time of Object.values(request.timeouts ?? {})) assert.ok(isTime(time));
  if (request.standbyMs != null) assert.ok(isTime(request.standbyMs));
  for (const text of [...(request.command ?? []), ...Object.entries(request.environment ?? {}).flat()])
    assert.ok(typeof text === "string" && !text.includes("\0"));
}

/** The text in random pieces. */
function* pieces(text, random) {
  for (let at = 0; at < text.length; ) {
    const size = 1 + random.below(random.pick([8, 64, 4096]));
    yield text.slice(at, at + size);
    at += size;
  }
}

function one(random) {
  const which = random.below(all.length);
  const damaged =
    random.below(2) === 0
      ? `${JSON.stringify(mutatedJson(all[which], all, random))}\n`
      : mutated(texts[which], texts, random).toString();
  return trying(damaged, () => {
    const splitter = new LineSplitter(65_536);
    const lines = [...pieces(damaged, random)].flatMap((piece) => splitter.push(piece));
    assert.equal([...lines, splitter.rest].join("\n"), damaged);
    assert.ok(splitter.steps <= 4 * damaged.length + 16, "a character was looked at again and again");
    let outcome = "no line";
    for (const line of lines) {
      const message = read((text) => parseMessage(text, 1 + random.below(2)), line);
      const request = read(parseRequest, line);
      const response = read(parseResponse, line);
      if (message !== undefined) use(message);
      if (request !== undefined) useRequest(request);
      if (response?.type === "error") fromErrorRecord(response.error);
      outcome = message?.type ?? request?.type ?? response?.type ?? "refused";
    }
    return outcome;
  });
}

export const fuzz = fuzzerOf(one);
runAsProgram(import.meta.url, fuzz);
