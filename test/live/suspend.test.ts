import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { defineState, list, Registry, struct, u8, u32 } from "kstate";
import { ChildOutput } from "../support/child-output.js";
import { cli, fixture, kstate, runtimeDirectory, Service } from "../support/service.js";

/** A service with something in it, and a path for its state. */
async function started(t: TestContext): Promise<{ service: Service; path: string; to: string }> {
  const path = join(runtimeDirectory(t), "counter.kstate");
  const service = await Service.start(t, "counter");
  await service.get("/add?amount=41");
  return { service, path, to: `file:${path}` };
}

function resumed(t: TestContext, from: string, env: Record<string, string> = {}): Promise<Service> {
  return Service.start(t, "counter", { env, options: ["--from", from] });
}

test("a suspended service is resumed from a file by its next version, and goes back by a lock file", async (t) => {
  const { service, path, to } = await started(t);
  const webSocket = await service.openWebSocket(t);
  await webSocket.ask("1");
  const suspended = await service.kstate("suspend", "--to", to, "--json");
  assert.equal(suspended.status, 0, suspended.stderr);
  const result = JSON.parse(suspended.stdout) as {
    connections: number;
    image: { sizeBytes: number; generation: number };
  };
  assert.equal(result.connections, 2);
  assert.equal(result.image.sizeBytes, readFileSync(path).length);
  assert.equal(await service.supervisor.closed(), 0, "the service ends with its state kept");
  await assert.rejects(webSocket.next(), /closed with 1012 service restart/);

  const next = await resumed(t, to, { VERSION: "2" });
  assert.deepEqual(
    { ...(await next.get("/add?amount=1")).body, pid: 0, ticks: 0 },
    { pid: 0, versionId: 2, from: "restore", ticks: 0, count: 42, additions: 2, legacy: 7, label: "new" },
  );
  await next.supervisor.saw(/resumed from file:/);
  assert.ok(existsSync(`${path}.resumed`), "a state that was taken up is marked");
  const status = await next.kstate("status", "--json");
  assert.equal((JSON.parse(status.stdout) as { suspendedIn: unknown }).suspendedIn, null);
  assert.equal(await (await next.openWebSocket(t)).ask("1"), `1 1 ${(await next.get("/")).body.pid}`);

  const refused = await next.kstate("suspend", "--to", to, "--for", lockOf(t, 5));
  assert.match(refused.stderr, /\[NO_COMMON_VERSION\]/);
  const back = await next.kstate("suspend", "--to", to, "--for", lockOf(t, 1));
  assert.equal(back.status, 0, back.stderr);
  const first = await resumed(t, to, { VERSION: "1" });
  const { body } = await first.get("/");
  assert.deepEqual([body.versionId, body.count, body.additions, body.legacy], [1, 42, 2, 7]);
});

test("a suspend that was given up when the program had thawed by itself leaves nothing that the next update trips over", async (t) => {
  const { service } = await started(t);
  const status = JSON.parse((await service.kstate("status", "--json")).stdout) as { name: string };
  const asker = connect(join(service.directory, `${status.name}.sock`));
  t.after(() => asker.destroy());
  const timeouts = { quiesceMs: 1000, freezeMs: 200 };
  asker.write(`${JSON.stringify({ type: "suspend", to: null, partBytes: null, lock: null, timeouts })}\n`);
  for (let said = ""; !said.includes('"image"'); ) said += String((await once(asker, "data"))[0]); // and never says that it keeps it
  assert.equal((await service.get("/")).body.count, 41, "the program lost patience");
  asker.destroy();
  await service.supervisor.saw(/not suspended/);
  const { status: updated, stderr } = await service.update();
  assert.equal(updated, 0, stderr);
  const path = join(runtimeDirectory(t), "counter.kstate");
  const suspended = await service.kstate("suspend", "--to", `file:${path}`);
  assert.equal(suspended.status, 0, suspended.stderr);
});

/** The lock file of a program that reads `counter` in one version only. */
function lockOf(t: TestContext, versionId: number): string {
  const addition = defineState({ name: "addition", id: 2, fields: [["amount", u32]] });
  const counter = defineState({
    name: "counter",
    id: 1,
    versionId,
    minVersionId: versionId,
    fields: [
      ["count", u32],
      ["additions", list(struct(addition), { max: 1_000_000 })],
      ["legacy", u8],
    ],
  });
  const registry = new Registry();
  registry.register(counter, { count: 0, additions: [], legacy: 0 });
  const path = join(runtimeDirectory(t), "kstate.lock.json");
  writeFileSync(path, JSON.stringify(registry.lockRecord()));
  return path;
}

test("a state is resumed once, unless it is asked for again", async (t) => {
  const { service, path, to } = await started(t);
  assert.equal((await service.kstate("suspend", "--to", to)).status, 0);
  const next = await resumed(t, to);
  await next.get("/add?amount=1");
  const directory = runtimeDirectory(t);
  const run = ["run", "--from", to];
  const command = ["--", process.execPath, fixture("counter")];
  const stale = await kstate(directory, ...run, ...command);
  assert.deepEqual([stale.status, /\[STALE\]/.test(stale.stderr)], [1, true], stale.stderr);
  const again = await Service.start(t, "counter", { options: ["--from", to, "--stale-ok"] });
  assert.equal((await again.get("/")).body.count, 41);
  rmSync(`${path}.resumed`);
  const nothing = await kstate(directory, ...run, ...command);
  assert.match(nothing.stderr, /nothing was suspended there \[NOTHING_SUSPENDED\]/);
});

test("a version that cannot load leaves the state for another one", async (t) => {
  const { service, to } = await started(t);
  assert.equal((await service.kstate("suspend", "--to", to)).status, 0);
  for (const mode of ["refuse-version", "throw-on-load", "kill-on-load", "throw-at-boot"]) {
    const directory = runtimeDirectory(t);
    const broken = new ChildOutput(
      spawn(process.execPath, [cli, "run", "--from", to, "--", process.execPath, fixture("counter")], {
        env: {
          ...process.env,
          KSTATE_RUNTIME_DIR: directory,
          KSTATE_DIR: directory,
          MODE: mode,
          VERSION: "2",
        },
        stdio: ["ignore", "pipe", "pipe"],
      }),
    );
    assert.notEqual(await broken.closed(), 0, mode);
    assert.match(broken.stderr, /not resumed, the state is still in file:/, mode);
  }
  const next = await resumed(t, to);
  assert.equal((await next.get("/")).body.count, 41);
});

test("a suspend whose state cannot be kept is a cancel: the service goes on with its connections", async (t) => {
  const { service, to } = await started(t);
  const webSocket = await service.openWebSocket(t);
  await webSocket.ask("1");
  const { connection } = await service.get("/");
  const failed = await service.kstate("suspend", "--to", "file:/proc/nowhere/state");
  assert.deepEqual([failed.status, /\[CARRIER_FAILED\]/.test(failed.stderr)], [1, true], failed.stderr);
  const { body, connection: after } = await service.get("/add?amount=1");
  assert.deepEqual([body.count, body.from, after], [42, "thaw", connection]);
  assert.match(await webSocket.ask("2"), /^2 2 /);
  assert.equal((await service.update({ VERSION: "2" })).status, 0, "and it can be updated");
  assert.equal((await service.kstate("suspend", "--to", to)).status, 0, "and be suspended later");
});

test("requests that do not end refuse a suspend by name", async (t) => {
  const { service, to } = await started(t);
  const parked = service.other("/park");
  const refused = await service.kstate("suspend", "--to", to, "--quiesce-timeout", "50");
  assert.match(refused.stderr, /\[REQUESTS_BUSY\]/);
  await service.get("/release");
  await parked;
  assert.equal((await service.get("/")).body.count, 41);
});

test("a service moves to another host over a byte stream, and the sender holds it until it is told", async (t) => {
  const { service, path } = await started(t);
  const suspended = await service.kstate("suspend", "--to", "-");
  assert.equal(suspended.status, 0, suspended.stderr);
  assert.match(
    suspended.stderr,
    /suspended in .*the supervisor holds it until you have it elsewhere: .*never let both serve/s,
  );
  assert.match(
    (await service.kstate("status")).stdout,
    /suspended to a byte stream, no program runs; "kstate resume/,
  );
  writeFileSync(path, suspended.stdout, "latin1");
  const status = await service.kstate("status", "--json");
  assert.equal((JSON.parse(status.stdout) as { suspendedIn: string }).suspendedIn, "a byte stream");
  assert.match((await service.update()).stderr, /cannot update or suspend: the service is suspended/);

  const back = await service.kstate("resume");
  assert.equal(back.status, 0, back.stderr);
  const { stdout } = await service.kstate("status", "--json");
  service.port = Number(/:(\d+)$/.exec((JSON.parse(stdout) as { listeners: string[] }).listeners[0]!)?.[1]);
  assert.equal((await service.get("/add?amount=1")).body.count, 42);
  assert.match((await service.kstate("resume")).stderr, /\[NOTHING_SUSPENDED\]/);
});

test("what comes on standard input is checked before a program is started with it", async (t) => {
  const { service, path } = await started(t);
  const directory = runtimeDirectory(t);
  const sender = spawn("sh", ["-c", `"${process.execPath}" "${cli}" suspend --to - > "${path}"`], {
    env: { ...process.env, KSTATE_RUNTIME_DIR: service.directory },
    stdio: "inherit",
  });
  assert.equal(await new ChildOutput(sender).closed(), 0);
  const image = readFileSync(path);
  const receive = (bytes: Uint8Array): ChildOutput => {
    const receiver = spawn(
      process.execPath,
      [cli, "run", "--from", "-", "--", process.execPath, fixture("counter")],
      {
        env: { ...process.env, KSTATE_RUNTIME_DIR: directory, KSTATE_DIR: directory },
        stdio: ["pipe", "pipe", "pipe"],
      },
    );
    receiver.stdin.on("error", () => {}); // it may stop reading
    receiver.stdin.end(bytes);
    return new ChildOutput(receiver);
  };
  const damaged = Buffer.from(image);
  damaged[image.length - 100]! ^= 1;
  for (const bytes of [image.subarray(0, image.length - 1), damaged]) {
    const receiver = receive(bytes);
    assert.equal(await receiver.closed(), 1);
    assert.match(receiver.stderr, /\[IMAGE_INVALID\]/);
  }
  const receiver = receive(image);
  t.after(async () => {
    receiver.child.kill("SIGTERM");
    await receiver.closed();
  });
  await receiver.saw(/ serves/);
  assert.match(receiver.stderr, /resumed from standard input/);
  assert.equal((await kstate(directory, "stop")).status, 0);
});

test("a receiver that goes away in the middle is a cancel", async (t) => {
  const { service, sender } = await sending(t);
  sender.child.kill("SIGKILL");
  await service.supervisor.saw(/not suspended: cannot send the state/);
  assert.equal((await service.get("/?at=1000&value=5")).body.value, 5);
});

/** A service whose state, larger than all buffers, is being sent to somebody who does not take it. */
async function sending(t: TestContext): Promise<{ service: Service; sender: ChildOutput }> {
  const service = await Service.start(t, "grid");
  await service.get("/fill");
  const child = spawn(process.execPath, [cli, "suspend", "--to", "-"], {
    env: { ...process.env, KSTATE_RUNTIME_DIR: service.directory },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const sender = new ChildOutput(child);
  child.stdout.pause();
  await sender.saw(/keeping the state/);
  return { service, sender };
}

test("kstate resume finds the state file by itself", async (t) => {
  const service = await Service.start(t, "counter");
  await service.get("/add?amount=41");
  const directory = runtimeDirectory(t);
  mkdirSync(join(directory, "states"));
  const env = {
    ...process.env,
    KSTATE_RUNTIME_DIR: service.directory,
    KSTATE_DIR: join(directory, "states"),
  };
  const command = (...args: string[]): ChildOutput =>
    new ChildOutput(spawn(process.execPath, [cli, ...args], { env, stdio: ["ignore", "pipe", "pipe"] }));
  const suspending = command("suspend", "--part-size", "1M");
  assert.equal(await suspending.closed(), 0);
  assert.match(suspending.stdout, /"kstate resume --name default -- COMMAND" goes on with it$/m);
  await service.supervisor.closed();
  assert.ok(readdirSync(join(directory, "states")).includes("default.kstate"));
  const incomplete = command("resume");
  assert.equal(await incomplete.closed(), 2);
  assert.match(incomplete.stderr, /no command: kstate resume --name default -- node app.js/);
  const next = command("resume", "--", process.execPath, fixture("counter"));
  t.after(async () => {
    next.child.kill("SIGTERM");
    await next.closed();
  });
  await next.saw(/resumed from file:/);
  assert.equal((await service.kstate("stop")).status, 0);
  const nothing = command("resume", "--", process.execPath, fixture("counter"));
  assert.equal(await nothing.closed(), 1);
  assert.match(nothing.stderr, /\[STALE\]/);
});

test("a program that dies while its state is being kept is resumed from its memory if that fails", async (t) => {
  const { service, sender } = await sending(t);
  const program = async (): Promise<{ listeners: string[]; program: { pid: number } }> =>
    JSON.parse((await service.kstate("status", "--json")).stdout);
  const { pid } = (await program()).program;
  process.kill(pid, "SIGKILL");
  sender.child.kill("SIGKILL");
  await service.supervisor.saw(/resumed from the memory/);
  const found = await program();
  assert.notEqual(found.program.pid, pid);
  service.port = Number(/:(\d+)$/.exec(found.listeners[0]!)?.[1]);
  assert.equal((await service.get("/?at=1000")).body.value, 1001);
});
