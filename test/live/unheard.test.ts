import assert from "node:assert/strict";
import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  request,
  Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { PerformanceObserver } from "node:perf_hooks";
import { type TestContext, test } from "node:test";
import { defineState, u32 } from "kstate";
import { WebSocket, WebSocketServer } from "ws";
import { WebSockets } from "#src/live/sockets/web-sockets.js";
import { liveSystem } from "#src/live/system.js";
import { warmUp } from "#src/live/warm-up.js";

const state = defineState({ name: "unheard_socket", id: 1, fields: [["count", u32]] });

const channels = [
  ...["http.client.request.start", "http.client.response.finish", "http.server.request.start"],
  ...[
    "http.server.response.created",
    "http.server.response.finish",
    "net.client.socket",
    "net.server.socket",
  ],
  ...["asyncStart", "asyncEnd", "error"].map((event) => `tracing:net.server.listen:${event}`),
];

/** Puts another function in place of a method until the test ends; `seen` is told of each call. */
function patch(t: TestContext, target: object, name: string, seen: (...args: unknown[]) => void): void {
  const before = Object.getOwnPropertyDescriptor(target, name);
  const real = (target as Record<string, (...args: unknown[]) => unknown>)[name]!;
  const value = function (this: unknown, ...args: unknown[]): unknown {
    seen(...args);
    return Reflect.apply(real, this, args);
  };
  Object.defineProperty(target, name, { value, configurable: true, writable: true });
  t.after(() => {
    if (before === undefined) delete (target as Record<string, unknown>)[name];
    else Object.defineProperty(target, name, before);
  });
}

/** Everything that an observer of a program can hook into, written down. */
function watch(t: TestContext, WebSocketClass: { readonly prototype: object }): string[] {
  const seen: string[] = [];
  for (const name of channels) {
    const listener = (): void => void seen.push(name);
    subscribe(name, listener);
    t.after(() => unsubscribe(name, listener));
  }
  patch(t, Server.prototype, "emit", (event) => seen.push(`server ${event}`));
  patch(t, WebSocketServer.prototype, "emit", (event) => seen.push(`web socket server ${event}`));
  for (const method of ["emit", "send", "on"])
    patch(t, WebSocketClass.prototype, method, () => seen.push(`web socket ${method}`));
  patch(t, WebSocket.prototype, "send", () => seen.push("ws send"));
  return seen;
}

async function listening(t: TestContext, server: HttpServer): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function get(port: number, path: string): Promise<void> {
  const asked = request({ port, host: "127.0.0.1", path }).end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  response.resume();
  await once(response, "end");
}

test("nobody who watches the program hears of warming up, and everybody hears of a real request", async (t) => {
  let made = 0;
  // As instrumentation does it, below the types of ws: a subclass in place of the class.
  const OwnWebSocket = new Proxy(class extends WebSocket {}, {
    construct(target, args, newTarget) {
      made += 1;
      return Reflect.construct(target, args, newTarget) as object;
    },
  });
  const webSockets = new WebSocketServer({ noServer: true, WebSocket: OwnWebSocket as never });
  const handlers = { state, open: () => ({ count: 0 }), attach: () => {} };
  const described = new WebSockets(webSockets, handlers, () => []);
  const seen = watch(t, OwnWebSocket);
  const answer = (_: IncomingMessage, response: ServerResponse): void => void response.end("served");
  await warmUp(liveSystem, "successor", [described as unknown as WebSockets<object, unknown>]);
  assert.deepEqual([...new Set(seen)], []);
  assert.equal(made, 0);
  assert.equal(webSockets.clients.size, 0);
  const port = await listening(t, createServer(answer));
  await get(port, "/real");
  for (const name of channels.filter((each) => each.startsWith("http.server") && !each.includes("created")))
    assert.ok(seen.includes(name), `${name} was not heard`);
  assert.ok(seen.includes("server request"), "the request was not heard");
});

test("what the program does while it is warmed up is heard", async (t) => {
  const heard: string[] = [];
  const listener = (message: unknown): void =>
    void heard.push((message as { request: IncomingMessage }).request.url!);
  subscribe("http.server.request.start", listener);
  t.after(() => unsubscribe("http.server.request.start", listener));
  const port = await listening(
    t,
    createServer((_, response) => response.end()),
  );
  let warm = false;
  const warming = warmUp(liveSystem, "successor", []).then(() => {
    warm = true;
  });
  const during: string[] = [];
  for (let number = 0; !warm; number += 1) {
    await get(port, `/${number}`);
    during.push(`/${number}`);
  }
  await warming;
  assert.deepEqual(heard, during);
});

test("Node's own measurements of requests leave warming up out", async (t) => {
  const urls: string[] = [];
  const read = (list: { getEntries(): readonly { readonly name: string }[] }): void => {
    for (const entry of list.getEntries()) {
      const { req } = (entry as unknown as { detail: { req: { url: string } } }).detail;
      if (entry.name === "HttpRequest") urls.push(req.url);
    }
  };
  const observer = new PerformanceObserver(read);
  observer.observe({ entryTypes: ["http"] });
  t.after(() => observer.disconnect());
  const port = await listening(
    t,
    createServer((_, response) => response.end()),
  );
  await warmUp(liveSystem, "successor", []);
  await get(port, "/real");
  read({ getEntries: () => observer.takeRecords() });
  assert.deepEqual(urls, ["/real"]);
});

test("channels are as they were when warming up is over", async () => {
  const started = channel("http.server.request.start");
  await warmUp(liveSystem, "successor", []);
  assert.equal(Object.hasOwn(started, "publish"), false);
});
