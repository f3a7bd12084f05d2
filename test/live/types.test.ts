import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { defineState, isKstateError, u32 } from "kstate";
import { joinLiveUpdate } from "kstate/live";
import { WebSocketServer } from "ws";

const live = await joinLiveUpdate({ name: "types", persist: false });
const state = defineState({ name: "types.socket", id: 1, fields: [["sent", u32]] });

test("the types of WebSockets and of their states come from the server and the description", () => {
  const server = new WebSocketServer({ noServer: true });
  live.webSockets(server, {
    state,
    open: (request) => ({ sent: request.url?.length ?? 0 }),
    attach(webSocket, me, { moved }) {
      const sent: number = me.sent;
      const was: boolean = moved;
      webSocket.on("message", (data) => webSocket.send(`${String(data)} ${sent} ${was}`));
      // @ts-expect-error the state has no such member
      me.received;
      // @ts-expect-error a WebSocket has no such member
      webSocket.frobnicate;
    },
  });
  // One description serves several servers.
  live.webSockets(new WebSocketServer({ noServer: true }), {
    state,
    open: () => ({ sent: 0 }),
    attach: () => {},
  });
  const wrong = { state, open: () => ({ wrong: 0 }), attach: () => {} };
  // @ts-expect-error open makes something else than the state
  const misuse = (): void => live.webSockets(server, wrong);
  assert.equal(typeof misuse, "function");
});

test("a program joins once", async () => {
  await assert.rejects(joinLiveUpdate({ name: "again" }), (error) => isKstateError(error, "ALREADY_JOINED"));
});

test("servers whose connections cannot move are refused with the way out", () => {
  const listen = live.listen.bind(live) as (server: unknown, options: object) => void;
  assert.throws(() => listen(createSecureServer(), { port: 0 }), /terminate TLS in front of the program/);
  assert.throws(
    () => listen(createTlsServer(), { port: 0 }),
    (error) =>
      isKstateError(error, "SERVER_UNSUPPORTED") && /TLS connections cannot move/.test(error.message),
  );
  assert.throws(
    () => listen({}, { port: 0 }),
    (error) => isKstateError(error, "SERVER_UNSUPPORTED") && /only servers of node:http/.test(error.message),
  );
  assert.throws(() => listen(createServer(), {}), /give either a port from 0 to 65535 or a path/);
  assert.throws(() => listen(createServer(), { port: 70_000 }), /give either a port/);
});

test("what cannot finish on the old side is refused with what to pass", () => {
  for (const subject of [null, {}, createServer()]) {
    assert.throws(
      () => live.detached(subject as object),
      (error) => isKstateError(error, "DETACH_UNSUPPORTED") && /reply\.raw/.test(error.message),
    );
  }
});

test("WebSocket servers that cannot move are refused with the way out", () => {
  const handlers = { state, open: () => ({ sent: 0 }), attach: () => {} };
  for (const [options, message] of [
    [{ noServer: true, clientTracking: false }, /clientTracking: false; leave it true/],
  ] as const) {
    assert.throws(
      () => live.webSockets(new WebSocketServer(options), handlers),
      (error) => isKstateError(error, "WEBSOCKETS_UNSUPPORTED") && message.test(error.message),
    );
  }
});

test("an unsupervised program serves, and refuses what comes too late", async (t) => {
  let from = "";
  const server = createServer((_, response) => response.end("here"));
  live.listen(server, { port: 0, host: "127.0.0.1" });
  assert.throws(
    () => live.listen(createServer(), { port: 0, host: "127.0.0.1" }),
    /twice; give one of them another name/,
  );
  live.start((context) => {
    from = context.from;
  });
  assert.equal(live.supervised, false);
  await live.ready();
  t.after(() => server.close());
  assert.equal(from, "boot");
  const { port } = server.address() as { port: number };
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "here");
  assert.throws(
    () => live.start(() => undefined),
    (error) => isKstateError(error, "NOT_ALLOWED_NOW") && /call it before ready\(\)/.test(error.message),
  );
});
