import assert from "node:assert/strict";
import { test } from "node:test";
import { isKstateError } from "#src/error/index.js";
import {
  DEFAULT_DETACHED_MS,
  DEFAULT_TIMEOUTS,
  parseRequest,
  parseResponse,
} from "#src/supervisor/control-protocol.js";

test("a request is completed with the defaults", () => {
  assert.deepEqual(parseRequest('{"type":"status","more":1}'), { type: "status" });
  assert.deepEqual(parseRequest('{"type":"rollback","timeouts":{"bootMs":5}}'), {
    type: "rollback",
    timeouts: { ...DEFAULT_TIMEOUTS, bootMs: 5 },
    standbyMs: null,
    rehearse: false,
    dropStalled: false,
  });
  assert.deepEqual(parseRequest('{"type":"update"}'), {
    type: "update",
    command: null,
    environment: {},
    environmentFiles: [],
    timeouts: DEFAULT_TIMEOUTS,
    force: false,
    standbyMs: null,
    rehearse: false,
    dropStalled: false,
  });
  assert.deepEqual(parseRequest('{"type":"suspend","dropStalled":true}'), {
    type: "suspend",
    to: null,
    partBytes: null,
    lock: null,
    timeouts: DEFAULT_TIMEOUTS,
    detachedMs: DEFAULT_DETACHED_MS,
    dropStalled: true,
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
    ['{"type":"update","timeouts":{"bootMs":-1}}', "bootMs is not a time in ms up to 999999999"],
    ['{"type":"update","standbyMs":0}', "standbyMs is not a time in ms up to 999999999"],
    ['{"type":"rollback","rehearse":1}', "rehearse is not true or false"],
    ['{"type":"update","timeouts":{"bootMs":1e308}}', "bootMs is not a time in ms up to 999999999"],
    ['{"type":"update","timeouts":{"freezeMs":2147483648}}', "freezeMs is not a time in ms up to 999999999"],
    ['{"type":"update","timeouts":[]}', "timeouts is not an object"],
    ['{"type":"update","standbyMs":1e308}', "standbyMs is not a time in ms up to 999999999"],
    ['{"type":"suspend","detachedMs":1e10}', "detachedMs is not a time in ms up to 999999999"],
    ['{"type":"suspend","partBytes":1e308}', "partBytes is not a size"],
    ['{"type":"suspend","lock":7}', "lock is not a lock record"],
    ['{"type":"save","path":"/a\\u0000b"}', "path is not absolute"],
    ['{"type":"update","command":[""]}', "command is not a list of texts"],
    ['{"type":"update","environment":{"A=B":"C"}}', "environment is not an object of texts"],
    ['{"type":"update","environment":["A"]}', "environment is not an object of texts"],
    ["[1]", "there is no request undefined"],
  ] as const) {
    assert.throws(
      () => parseRequest(line),
      (error) =>
        isKstateError(error, "PROTOCOL_ERROR") && error.message === `cannot read the request: ${problem}`,
    );
  }
});

test("an answer that is none of the protocol is refused before it is used", () => {
  for (const line of [
    "",
    "null",
    "[]",
    '{"type":"progress"}',
    '{"type":"image","sizeBytes":1e308}',
    '{"type":"image","sizeBytes":-1}',
    '{"type":"error","error":{"code":1,"message":""}}',
    '{"type":"error"}',
  ])
    assert.throws(
      () => parseResponse(line),
      (error) => isKstateError(error, "PROTOCOL_ERROR"),
      line,
    );
  assert.deepEqual(parseResponse('{"type":"image","sizeBytes":4096}'), { type: "image", sizeBytes: 4096 });
  const error = { code: "X", message: "y", detail: {} };
  assert.deepEqual(parseResponse('{"type":"error","error":{"code":"X","message":"y"}}'), {
    type: "error",
    error,
  });
});
