import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { isKstateError } from "#src/error/index.js";
import { commonProtocol, formatMessage, LineSplitter, MAX_LINE, parseMessage } from "#src/live/protocol.js";
import { Service } from "../support/service.js";

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

test("the highest protocol version that both sides speak is used", () => {
  assert.equal(commonProtocol([1, 3], [2, 5]), 3);
  assert.throws(
    () => commonProtocol([1, 1], [2, 3]),
    /protocol versions 1 to 1 and 2 to 3 have none in common/,
  );
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
