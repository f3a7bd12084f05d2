import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { isKstateError } from "#src/error/index.js";
import {
  commonProtocol,
  decidedWord,
  formatMessage,
  isStaleWord,
  LineSplitter,
  MAX_LINE,
  parseMessage,
} from "#src/live/protocol.js";
import { brokerEvent } from "#src/live/update-messages.js";
import { fixture, Service } from "../support/service.js";

/** Makes a program speak another version of the protocol. */
const speaks = (version: number): Record<string, string> => ({
  NODE_OPTIONS: `--import=${pathToFileURL(fixture("speaks-protocol"))}`,
  SPEAKS: String(version),
});

test("a message is one line, whatever it holds", () => {
  const message = {
    type: "failed",
    error: { code: "X", message: "two\nlines", detail: { "": "\u2028" } },
  } as const;
  const line = formatMessage(message);
  assert.equal(line.indexOf("\n"), line.length - 1);
  assert.deepEqual(parseMessage(line.trim()), message);
});

test("what is not a message of the protocol is refused by its problem", () => {
  for (const [line, problem] of [
    ["{", "a line is not JSON"],
    ["null", "a message has no type"],
    ["{}", "a message has no type"],
    ['{"type":"constructor"}', "unknown message constructor"],
    ['{"type":7}', "unknown message 7"],
    ['{"type":"freeze","generation":1}', "freeze has no quiesceMs"],
  ] as const) {
    assert.throws(
      () => parseMessage(line),
      (error) =>
        isKstateError(error, "PROTOCOL_ERROR") &&
        error.message === `cannot read a control message: ${problem}`,
    );
  }
});

test("lines are found however the bytes arrive, and one without end is refused", () => {
  const lines = new LineSplitter();
  assert.deepEqual(
    ["a", "b\nc", "\n\nd\n"].flatMap((text) => lines.push(text)),
    ["ab", "c", "", "d"],
  );
  const endless = new LineSplitter();
  endless.push("x".repeat(MAX_LINE));
  assert.throws(() => endless.push("x"), /a line is too long/);
});

test("a line is looked at once, however small the pieces are in which it comes", () => {
  for (const size of [1, 7, 4096, 65_536]) {
    const lines = new LineSplitter();
    const piece = "x".repeat(size);
    const pieces = Math.floor(2_000_000 / size);
    for (let i = 0; i < pieces; i++) assert.deepEqual(lines.push(piece), []);
    const [line, ...more] = lines.push("\ny");
    assert.equal(line?.length, pieces * size);
    assert.deepEqual(more, []);
    assert.equal(lines.rest, "y");
    assert.ok(lines.steps <= 4 * pieces * size + 10, `${lines.steps} steps for ${pieces} pieces of ${size}`);
  }
});

test("a number, a list or a record that cannot be is refused by the member's name", () => {
  for (const [line, problem] of [
    ['{"type":"freeze","generation":1,"quiesceMs":1e308,"freezeMs":1}', "freeze has a wrong quiesceMs"],
    ['{"type":"freeze","generation":1.5,"quiesceMs":1,"freezeMs":1}', "freeze has a wrong generation"],
    ['{"type":"prepare","generation":1,"lock":7}', "prepare has a wrong lock"],
    ['{"type":"ready","lock":{"descriptions":[null]},"listeners":[]}', "ready has a wrong lock"],
    ['{"type":"ready","lock":{"descriptions":[]},"listeners":"a"}', "ready has a wrong listeners"],
    ['{"type":"hello","protocol":[1],"pid":1}', "hello has a wrong protocol"],
    ['{"type":"hello","protocol":[1,2],"pid":-1}', "hello has a wrong pid"],
    ['{"type":"failed","error":null}', "failed has a wrong error"],
    ['{"type":"serving","figures":{"quiesceMs":1}}', "serving has a wrong figures"],
    [
      '{"type":"serving","figures":{"quiesceMs":1,"blackoutMs":"\\u001b[2J","streamBytes":1}}',
      "serving has a wrong figures",
    ],
    [
      '{"type":"listen","key":"a","address":{"kind":"tcp","host":null,"port":65536}}',
      "listen has a wrong address",
    ],
    ['{"type":"progress","text":1}', "progress has a wrong text"],
    ['{"type":"prepared","versionIds":{"a":-1}}', "prepared has a wrong versionIds"],
  ] as const) {
    assert.throws(() => parseMessage(line), new RegExp(problem), line);
  }
});

test("the highest protocol version that both sides speak is used", () => {
  assert.equal(commonProtocol([1, 3], [2, 5]), 3);
  assert.throws(
    () => commonProtocol([1, 1], [2, 3]),
    /protocol versions 1 to 1 and 2 to 3 have none in common/,
  );
});

test("what a program says of an update says of which, from protocol version 2 on", () => {
  const prepared = { type: "prepared", versionIds: {} } as const;
  assert.deepEqual(parseMessage(JSON.stringify(prepared), 1), prepared);
  assert.throws(() => parseMessage(JSON.stringify(prepared), 2), /prepared has no generation/);
  const update = { generation: 3, rehearse: false, force: false, quiesceMs: 1, freezeMs: 1 };
  const event = { type: "prepared", rehearse: false };
  assert.deepEqual(brokerEvent("old", prepared, update), event, "of version 1: the update under way");
  assert.deepEqual(brokerEvent("old", { ...prepared, generation: 3 }, update), event);
  assert.equal(brokerEvent("old", { ...prepared, generation: 2 }, update), null);
  assert.equal(isStaleWord(decidedWord(2), 3), true);
  assert.equal(isStaleWord(decidedWord(3), 3), false);
  assert.equal(isStaleWord("decided", 3), false, "of version 1");
});

test("a program of protocol version 1 is updated, goes on after a cancel, and is rolled back to", async (t) => {
  const service = await Service.start(t, "counter", { env: speaks(1) });
  await service.get("/add");
  const refused = await service.update({ MODE: "throw-on-load" });
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /this version does not like the state/);
  const { status, stderr } = await service.update({ SPEAKS: "1" });
  assert.equal(status, 0, stderr);
  const back = await service.kstate("rollback");
  assert.equal(back.status, 0, back.stderr);
  assert.equal((await service.get("/")).body.count, 1);
});

test("a next version without a protocol in common is refused by both ranges", async (t) => {
  const service = await Service.start(t, "counter");
  const { body } = await service.get("/add");
  const { status, stderr } = await service.update(speaks(9));
  assert.equal(status, 1);
  assert.match(stderr, /protocol versions 1 to 2 and 9 to 9 have none in common.*\[PROTOCOL_MISMATCH\]/);
  assert.equal((await service.get("/")).body.pid, body.pid);
});

test("nonsense on a control socket harms neither the program nor the supervisor", async (t) => {
  const service = await Service.start(t, "counter");
  const { body } = await service.get("/add");
  const sockets = readdirSync(service.directory).filter((name) => name.endsWith(".sock"));
  assert.equal(sockets.length, 2, "the supervisor's and the program's");
  for (const name of sockets) {
    for (const nonsense of [
      "nonsense\n",
      '{"type":"update","command":[]}\n',
      '{"type":"freeze","generation":1}\n',
      "\0\n",
    ]) {
      const socket = connect(join(service.directory, name));
      socket.on("error", () => {});
      socket.end(nonsense);
      socket.resume();
      await new Promise((resolve) => socket.once("close", resolve));
    }
  }
  assert.equal((await service.get("/")).body.pid, body.pid);
  const { status, stderr } = await service.update();
  assert.equal(status, 0, stderr);
  assert.equal((await service.get("/")).body.count, 1);
});
