/**
 * The service of the fault matrix. A client's numbers are taken in order and acknowledged; a number that comes again is
 * acknowledged again and not taken again. What was acknowledged is in place, so no crash may lose it; `taken` says how
 * often each was.
 */
import { createServer } from "node:http";
import { blob, defineState, list, string, u8, u32 } from "kstate";
import { joinLiveUpdate } from "kstate/live";
import { WebSocketServer } from "ws";
import { at } from "./fault.js";

at("boots");
const live = await joinLiveUpdate({ name: "ledger", checkpoint: { everyMs: 100 } });
at("joins");
const { ROLE: role, BALLAST: ballastBytes = "0", VERSION: version = "1" } = process.env;
const { KEEP_ALIVE_MS: keepAliveMs = "600000", UNIX_PATH: unixPath } = process.env;

const ledger = { requests: 0, ballast: [] as Uint8Array[] };
let stopped = false;
const fields = [
  ["requests", u32],
  ["ballast", list(blob({ max: 2 ** 30 }), { max: 10 })],
] as const;
const versions = version === "9" ? { versionId: 9, minVersionId: 9 } : { versionId: 1, minVersionId: 0 };
live.register(
  defineState({
    name: "ledger",
    id: 1,
    ...versions,
    fields,
    preSave: () => stopped && at("saves"),
    postSave: () => stopped && at("has saved"),
    postLoad: () => at("loads"),
  }),
  ledger,
);

const counters = live.memory.map("counters", { key: string({ max: 20 }), value: blob({ max: 8 }) });

interface Count {
  readonly last: number;
  readonly taken: number;
}

function countOf(client: string): Count {
  const value = counters.get(client);
  if (value === undefined) return { last: 0, taken: 0 };
  const view = new DataView(value.buffer, value.byteOffset);
  return { last: view.getUint32(0), taken: view.getUint32(4) };
}

/** Takes a number, unless it was taken; null when one is missing. */
function take(client: string, number: number): Count | null {
  const { last, taken } = countOf(client);
  ledger.requests += 1;
  if (number === last) return { last, taken };
  if (number !== last + 1) return null;
  const value = new Uint8Array(8);
  const view = new DataView(value.buffer);
  view.setUint32(0, number);
  view.setUint32(4, taken + 1);
  counters.set(client, value);
  return { last: number, taken: taken + 1 };
}

/** Answers what waits. */
let release = () => {};
const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
  const client = searchParams.get("client") ?? "";
  const count = pathname === "/take" ? take(client, Number(searchParams.get("number"))) : countOf(client);
  response.statusCode = count === null ? 409 : 200;
  response.setHeader("connection", "keep-alive"); // clients are not told for how long
  const answer = () =>
    response.end(JSON.stringify({ pid: process.pid, role, ...(count ?? countOf(client)) }));
  if (pathname === "/slow") setTimeout(answer, 20);
  else if (pathname === "/wait") release = answer;
  else answer();
  if (pathname === "/release") release();
});
server.keepAliveTimeout = Number(keepAliveMs);
live.listen(server, { port: 0, host: "127.0.0.1" });
if (unixPath !== undefined) {
  live.listen(
    createServer((_, response) => response.end(JSON.stringify({ role }))),
    { path: unixPath },
  );
}

const sockets = new WebSocketServer({ server });
live.webSockets(sockets, {
  state: defineState({
    name: "ledger_socket",
    id: 2,
    fields: [
      ["client", string({ max: 20 })],
      ["seen", u8],
    ],
  }),
  open: () => ({ client: "", seen: 0 }),
  attach(socket, me) {
    socket.on("message", (data) => {
      const { client, number } = JSON.parse(String(data)) as { client: string; number: number };
      me.client = client;
      me.seen = (me.seen + 1) % 256;
      socket.send(JSON.stringify(take(client, number)));
    });
  },
});

live.quiesce(() => {
  return at("quiesces") === "waits" ? new Promise(() => {}) : undefined;
});
live.start(({ from }) => {
  stopped = false;
  if (from === "boot" && Number(ballastBytes) > 0) ledger.ballast.push(new Uint8Array(Number(ballastBytes)));
  if (from === "restore") at("begins to serve");
  return () => {
    at("stops");
    stopped = true;
  };
});
await live.ready();
