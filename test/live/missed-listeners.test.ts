/** Listeners of `connection` that moved connections do not meet are warned of, and no others. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import {
  type ConnectionListeners,
  ownListener,
  warnOfMissedListeners,
} from "#src/live/sockets/missed-listeners.js";

/** What is warned of meanwhile. */
function warnings(t: TestContext, warn: () => void): string[] {
  const emit = t.mock.method(process, "emitWarning", () => {});
  warn();
  emit.mock.restore();
  return emit.mock.calls.map(({ arguments: given }) => (given as unknown[]).map(String).join(" "));
}

test("a net server's own listeners are warned of by its description, before the first update and after one", (t) => {
  const server = createServer();
  server.on(
    "connection",
    ownListener(() => {}),
  );
  const warn = (moved: number, more: ConnectionListeners = {}) =>
    warnings(t, () =>
      warnOfMissedListeners(server, { name: "session", call: "connections", ...more }, moved),
    );
  assert.deepEqual(warn(0), []);
  server.on("connection", () => {});
  const [early, ...rest] = warn(0);
  assert.match(
    early!,
    /connections\(\) .* by session has a listener .*an update moves will not meet.*attach/,
  );
  assert.match(early!, /CONNECTION_LISTENERS$/);
  assert.deepEqual(rest, []);
  server.once("connection", () => {});
  assert.match(warn(7)[0]!, /has 2 listeners .*7 connections that have just been moved did not meet/);
  assert.deepEqual(warn(7, { connectionListeners: "new" }), []);
});
