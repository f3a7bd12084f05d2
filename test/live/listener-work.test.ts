/** Work that listeners go on with after they have returned is seen, and nothing else of them changes. */
import assert from "node:assert/strict";
import { EventEmitter, errorMonitor, once } from "node:events";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { WebSocket } from "ws";
import { ListenerWork } from "#src/live/sockets/listener-work.js";

interface Watched {
  readonly work: ListenerWork<EventEmitter>;
  readonly emitter: EventEmitter;
  pending(): readonly EventEmitter[];
}

function watched(): Watched {
  const work = new ListenerWork<EventEmitter>();
  const emitter = new EventEmitter();
  work.watch(emitter);
  return { work, emitter, pending: () => [...work.pending(new Set([emitter])).connections] };
}

test("promises count until they are settled, whatever they are settled with", async () => {
  const values = [1, "<pending>", "{ <pending> }", { a: { b: [1] } }, [1, 2], new Map([[1, 2]]), undefined];
  const { emitter, pending } = watched();
  emitter.on("said", (promise: unknown) => promise);
  for (const value of values) {
    let settle = (_: unknown): void => {};
    emitter.emit(
      "said",
      new Promise((resolve) => {
        settle = resolve;
      }),
    );
    assert.deepEqual(pending(), [emitter]);
    settle(value);
    assert.deepEqual(pending(), [], String(value));
  }
  class Named extends Promise<void> {}
  const named = Object.assign(new Named(() => {}), { "{ name": 1 });
  emitter.emit("said", named);
  assert.deepEqual(pending(), [emitter]);
});

test("no result that is no promise counts, and no promise of it is made", () => {
  const { work, emitter, pending } = watched();
  // biome-ignore lint/suspicious/noThenProperty: it is what must not be looked at
  const lazy = Object.defineProperty({}, "then", { get: () => assert.fail("then was looked at") });
  emitter.on("said", () => lazy);
  emitter.on("said", () => 1);
  emitter.emit("said");
  assert.deepEqual(pending(), []);
  assert.equal(work.remembered, 0);
});

test("listeners are called, listed and removed as before", () => {
  const { emitter } = watched();
  const heard: unknown[] = [];
  const hear = function (this: unknown, ...args: unknown[]): void {
    heard.push(this === emitter, ...args);
  };
  assert.equal(emitter.emit("said"), false);
  assert.throws(() => emitter.emit("error", new Error("not listened to")), /not listened to/);
  emitter.once("said", hear);
  emitter.on("said", hear);
  emitter.prependOnceListener("said", () => heard.push("first"));
  assert.deepEqual(emitter.listeners("said").length, 3);
  assert.equal(emitter.emit("said", 1, 2), true);
  assert.deepEqual(heard.splice(0), ["first", true, 1, 2, true, 1, 2]);
  assert.deepEqual(emitter.listeners("said"), [hear]);
  emitter.off("said", hear);
  assert.equal(emitter.emit("said"), false);
  assert.deepEqual(heard.splice(0), []);
  emitter.on(errorMonitor, () => heard.push("monitored"));
  emitter.on("error", () => heard.push("error"));
  emitter.emit("error", new Error("listened to"));
  assert.deepEqual(heard, ["monitored", "error"]);
});

test("a rejection that nobody catches is told as before, and one that is caught is not", async (t) => {
  const { emitter } = watched();
  const caught = Promise.reject(new Error("caught"));
  emitter.once("said", () => {
    caught.catch(() => {});
    return caught;
  });
  emitter.emit("said");
  const told: unknown[] = [];
  const listeners = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  t.after(() => {
    process.removeAllListeners("unhandledRejection");
    for (const listener of listeners) process.on("unhandledRejection", listener);
  });
  const heard = once(process, "unhandledRejection");
  process.on("unhandledRejection", (error) => told.push(error));
  const error = new Error("nobody's");
  emitter.once("said", async () => {
    throw error;
  });
  emitter.emit("said");
  await heard;
  assert.deepEqual(told, [error]);
});

test("what is remembered of settled promises has a bound", () => {
  const { work, emitter } = watched();
  emitter.on("said", async () => {});
  for (let count = 0; count < 10_000; count += 1) emitter.emit("said");
  assert.ok(work.remembered <= 256, `${work.remembered} promises`);
});

test("what a connection that has closed leaves behind is told apart, and not kept alive", async () => {
  const { work, emitter } = watched();
  let settle = (): void => {};
  const left = new Promise<void>((resolve) => {
    settle = resolve;
  });
  emitter.once("said", () => left);
  emitter.emit("said");
  assert.deepEqual(work.pending(new Set()), { connections: new Set(), gone: true });
  settle();
  assert.deepEqual(work.pending(new Set()), { connections: new Set(), gone: false });

  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  let client: EventEmitter | undefined = new EventEmitter();
  work.watch(client);
  client.once("said", () => new Promise((resolve) => client!.once("never said", resolve)));
  client.emit("said");
  assert.equal(work.pending(new Set([client])).connections.size, 1);
  client = undefined;
  while (work.pending(new Set()).gone) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
});

test("handlers of ws's addEventListener count, and are removed, also those that were there before", () => {
  const [before, after] = [() => {}, async () => new Promise(() => {})];
  const webSocket = new WebSocket(null as never, undefined, {});
  webSocket.addEventListener("message", before);
  const work = new ListenerWork<WebSocket>();
  work.watch(webSocket);
  webSocket.addEventListener("message", after);
  webSocket.emit("message", Buffer.from("hello"), false);
  assert.equal(work.pending(new Set([webSocket])).connections.size, 1);
  for (const handler of [before, after]) webSocket.removeEventListener("message", handler);
  assert.equal(webSocket.listenerCount("message"), 0);
});
