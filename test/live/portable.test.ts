import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { ChildOutput } from "../support/child-output.js";
import { fixture, runtimeDirectory } from "../support/service.js";

interface Run {
  readonly output: ChildOutput;
  readonly port: string;
  get(path: string): Promise<Record<string, unknown>>;
}

async function start(t: TestContext, directory: string, from = ""): Promise<Run> {
  const child = spawn(process.execPath, ["--enable-source-maps", fixture("portable")], {
    env: { ...process.env, DIRECTORY: directory, FROM: from },
    stdio: ["ignore", "inherit", "pipe"],
  });
  const output = new ChildOutput(child);
  t.after(async () => {
    child.kill("SIGTERM");
    await output.closed();
  });
  await output.saw(/port \d+/);
  const [, port] = /port (\d+)/.exec(output.stderr)!;
  const get: Run["get"] = async (path) =>
    (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close" } })).json() as Promise<
      Record<string, unknown>
    >;
  return { output, port: port!, get };
}

test("a program without a supervisor keeps its state in a carrier and takes it up again", async (t) => {
  const directory = runtimeDirectory(t);
  const to = `file:${join(directory, "carried")}`;
  const first = await start(t, directory);
  await first.get("/add");
  const refused = await first.get(`/suspend?to=file:${join(directory, "no/such/place/carried")}`);
  assert.deepEqual(refused, { refused: "CARRIER_FAILED", count: 1, from: "thaw" });
  await first.get("/add");
  const webSocket = new WebSocket(`ws://127.0.0.1:${first.port}/`);
  await once(webSocket, "message");
  const closing = once(webSocket, "close");
  await assert.rejects(first.get(`/suspend?to=${to}`), "its connections end with it");
  assert.equal(await first.output.closed(), 0);
  assert.deepEqual(await closing, [1012, Buffer.from("service restart")]);

  const second = await start(t, directory, to);
  assert.deepEqual(await second.get("/add"), { count: 3, from: "restore" });
  second.output.child.kill("SIGTERM");
  await second.output.closed();
  const third = await start(t, directory);
  assert.deepEqual(await third.get("/"), { count: 3, from: "restore" }, "from its own state file, as always");
});
