import assert from "node:assert/strict";
import { test } from "node:test";
import { isKstateError } from "#src/error/index.js";
import { DEFAULT_TIMEOUTS, parseRequest } from "#src/supervisor/control-protocol.js";

test("a request is completed with the defaults", () => {
  assert.deepEqual(parseRequest('{"type":"status","more":1}'), { type: "status" });
  assert.deepEqual(parseRequest('{"type":"rollback","timeouts":{"bootMs":5}}'), {
    type: "rollback",
    timeouts: { ...DEFAULT_TIMEOUTS, bootMs: 5 },
    standbyMs: null,
    rehearse: false,
  });
  assert.deepEqual(parseRequest('{"type":"update"}'), {
    type: "update",
    command: null,
    environment: {},
    timeouts: DEFAULT_TIMEOUTS,
    force: false,
    standbyMs: null,
    rehearse: false,
  });
  assert.deepEqual(parseRequest('{"type":"commit"}'), { type: "commit" });
});

test("a request that is not whole is refused by its problem", () => {
  for (const [line, problem] of [
    ["", "it is not JSON"],
    ["null", "there is no request undefined"],
    ['{"type":"reboot"}', "there is no request reboot"],
    ['{"type":"save","path":"here"}', "path is not absolute"],
    ['{"type":"update","command":[]}', "command is not a list of texts"],
    ['{"type":"update","command":"node"}', "command is not a list of texts"],
    ['{"type":"update","command":[1]}', "command is not a list of texts"],
    ['{"type":"update","environment":{"A":1}}', "environment is not an object of texts"],
    ['{"type":"update","timeouts":{"bootMs":-1}}', "bootMs is not a time in ms"],
    ['{"type":"update","standbyMs":0}', "standbyMs is not a time in ms"],
    ['{"type":"rollback","rehearse":1}', "rehearse is not true or false"],
  ] as const) {
    assert.throws(
      () => parseRequest(line),
      (error) =>
        isKstateError(error, "PROTOCOL_ERROR") && error.message === `cannot read the request: ${problem}`,
    );
  }
});
