import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  AF,
  bindSocket,
  closeDescriptor,
  createSocket,
  POLL,
  poll,
  receiveMessage,
  unixAddress,
} from "#src/memory/index.js";
import { HISTORY_ENTRIES, HistoryFile } from "#src/supervisor/history.js";
import { fixture, kstate, runtimeDirectory, Service } from "../support/service.js";

const cli = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

test("a program that something else starts in between says that it got nothing, and what to do", async (t) => {
  const started = JSON.stringify(fixture("counter"));
  const script = `require("node:child_process").spawnSync(process.execPath, [${started}], { stdio: "inherit" })`;
  const service = await Service.startCommand(t, [process.execPath, "-e", script], {}, false);
  await service.supervisor.saw(/NOT_INHERITED/);
  assert.match(service.supervisor.stderr, /give kstate run the program itself: kstate run -- node app.js/);
});

test("the history tells who asked, of both versions, phases and figures, and outlives the service", async (t) => {
  const service = await Service.start(t, "counter");
  const before = await service.get("/");
  await service.update({ VERSION: "2" });
  await service.update({ MODE: "throw-on-load" });
  await service.kstate("rollback");
  assert.equal((await service.kstate("stop")).status, 0);
  const { stdout } = await service.kstate("history", "--json");
  const entries = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    entries.map(({ kind, outcome }) => [kind, outcome]),
    [
      ["started", undefined],
      ["update", "committed"],
      ["update", "cancelled"],
      ["rollback", "committed"],
    ],
  );
  const [, update, cancelled] = entries;
  assert.equal(update.by.uid, process.getuid?.());
  assert.ok(update.by.pid > 0 && update.by.user !== "");
  assert.equal(update.from.pid, before.body.pid);
  assert.ok(
    update.to.descriptions.some(
      (each: object) => JSON.stringify(each) === '{"name":"counter","versionId":2}',
    ),
  );
  assert.deepEqual(Object.keys(update.phases), [
    "booting",
    "preparing",
    "receiving",
    "handover",
    "finishing",
  ]);
  assert.equal(update.figures.httpConnections, 1);
  assert.equal(cancelled.error.code, "HOOK_FAILED");
  const text = await service.kstate("history", "--limit", "2");
  assert.match(
    text.stdout,
    /^\S+ update 2 cancelled by .*\n.*\[HOOK_FAILED\]\n\S+ rollback 3 committed by /s,
  );
});

test("the history is bounded, and reads past a line that was cut", (t) => {
  const directory = runtimeDirectory(t);
  const history = new HistoryFile(directory, "chat");
  const entry = (generation: number) =>
    ({ at: new Date(0).toISOString(), kind: "resolved", generation, verdict: "COMMITTED" }) as const;
  assert.deepEqual(history.read(), []);
  for (let generation = 1; generation <= 2 * HISTORY_ENTRIES; generation += 1) history.add(entry(generation));
  writeFileSync(join(directory, "chat.history.jsonl"), '{"at":"cut', { flag: "a" });
  assert.equal(history.read().length, 2 * HISTORY_ENTRIES);
  writeFileSync(join(directory, "chat.history.jsonl"), "\n", { flag: "a" });
  history.add(entry(1000));
  assert.deepEqual(history.read().at(-1), entry(1000));
  assert.ok(history.read().length <= HISTORY_ENTRIES + 1);
});

test("signals are passed on to the program, also after an update; one can begin an update instead", async (t) => {
  const service = await Service.start(t, "counter", { options: ["--update-on", "SIGHUP"] });
  const { body } = await service.get("/add?amount=3");
  for (const signal of ["SIGUSR1", "SIGUSR2"] as const) {
    service.supervisor.child.kill(signal);
    await service.supervisor.saw(new RegExp(`${body.pid} got ${signal}`));
  }
  service.supervisor.child.kill("SIGHUP");
  await service.supervisor.saw(/update 1 committed/);
  const after = await service.get("/");
  assert.equal(after.body.count, 3);
  service.supervisor.child.kill("SIGUSR2");
  await service.supervisor.saw(new RegExp(`${after.body.pid} got SIGUSR2`));
  assert.match((await service.kstate("history")).stdout, /update 1 committed by signal/);
});

test("without --update-on the program gets SIGHUP", async (t) => {
  const service = await Service.start(t, "counter");
  service.supervisor.child.kill("SIGHUP");
  await service.supervisor.saw(/got SIGHUP/);
});

/** What arrives at a socket as systemd has it. */
class NotifySocket {
  readonly path: string;
  readonly #descriptor = createSocket(AF.unix, "datagram");

  constructor(t: TestContext) {
    this.path = join(mkdtempSync(join(tmpdir(), "kstate-notify-")), "notify");
    bindSocket(this.#descriptor, unixAddress(this.path));
    t.after(() => closeDescriptor(this.#descriptor));
  }

  next(): string {
    poll([{ fd: this.#descriptor, events: POLL.in }], 30_000);
    const message = receiveMessage(this.#descriptor);
    assert.ok(typeof message === "object", "nothing was said");
    return Buffer.from(message.payload).toString();
  }
}

test("systemd is told when the service is ready, reloads and stops; programs know nothing of it", async (t) => {
  const socket = new NotifySocket(t);
  const service = await Service.start(t, "counter", { env: { NOTIFY_SOCKET: socket.path } });
  const supervisor = service.supervisor.child.pid;
  const { body } = await service.get("/");
  assert.equal(
    socket.next().replace(/: .*/, ""),
    `READY=1\nMAINPID=${supervisor}\nSTATUS=${body.pid} serves`,
  );
  await service.update();
  assert.match(socket.next(), /^RELOADING=1\nMONOTONIC_USEC=\d+$/);
  assert.match(socket.next(), /^READY=1\nMAINPID=\d+\nSTATUS=\d+ serves/);
  await service.update({ MODE: "exit-at-boot" });
  assert.match(socket.next(), /^RELOADING=1/);
  assert.match(socket.next(), /^READY=1/);
  await service.kstate("stop");
  assert.equal(socket.next(), "STOPPING=1");
  assert.equal(await service.supervisor.closed(), 0);
});

test("a reload that is asked for during an update hears RELOADING at once, and READY when all have ended", async (t) => {
  const socket = new NotifySocket(t);
  const gate = join(runtimeDirectory(t), "gate");
  const service = await Service.start(t, "counter", {
    options: ["--update-on", "SIGHUP"],
    env: { NOTIFY_SOCKET: socket.path },
  });
  const { child } = service.supervisor;
  assert.match(socket.next(), /^READY=1/);
  const update = service.update({ MODE: "gate-on-load", GATE: gate }, "--freeze-timeout", "60000");
  assert.match(socket.next(), /^RELOADING=1\n/);
  await service.supervisor.saw(/at the gate/);
  for (const becomes of ["another update", "one with the signal before"]) {
    const nowUs = process.hrtime.bigint() / 1000n;
    child.kill("SIGHUP");
    const [, us = ""] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(socket.next()) ?? [];
    assert.ok(BigInt(us) >= nowUs, `said after the signal that becomes ${becomes}`);
  }
  writeFileSync(gate, "");
  assert.equal((await update).status, 0);
  assert.match(socket.next(), /^READY=1\n/);
  await service.supervisor.saw(/update 2 committed/);
  assert.equal(
    (JSON.parse((await service.kstate("status", "--json")).stdout) as { generation: number }).generation,
    2,
  );
  await service.kstate("stop");
  assert.equal(socket.next(), "STOPPING=1", "nothing else was said");
});

test("listening sockets that systemd has bound are taken over, by address or by name", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  const directory = runtimeDirectory(t);
  // systemd sets LISTEN_PID to the process that it starts: a shell knows its own, and becomes kstate.
  const script = 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$@"';
  const child: ChildProcess = spawn(
    "sh",
    ["-c", script, "sh", process.execPath, cli, "run", "--", process.execPath, fixture("counter")],
    {
      env: { ...process.env, KSTATE_RUNTIME_DIR: directory, KSTATE_DIR: directory, LISTENER: "web" },
      stdio: ["ignore", "inherit", "pipe", fd],
    },
  );
  server.close(); // the child has its own descriptor
  t.after(async () => {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
  });
  child.stderr?.setEncoding("utf8");
  let text = "";
  for await (const chunk of child.stderr as AsyncIterable<string>) {
    text += chunk;
    if (/ serves/.test(text)) break;
  }
  const { stdout } = await kstate(directory, "status", "--json");
  assert.deepEqual((JSON.parse(stdout) as { listeners: string[] }).listeners, [`127.0.0.1:${port}`]);
  const answer = (await (await fetch(`http://127.0.0.1:${port}/env?name=LISTEN_FDS`)).json()) as {
    env: unknown;
  };
  assert.equal(answer.env, null);
});

test("a current link that moved is followed by the next version", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "kstate-current-"));
  for (const release of ["one", "two"]) {
    mkdirSync(join(directory, release));
    writeFileSync(
      join(directory, release, "app.mjs"),
      `await import(${JSON.stringify(fixture("counter"))});`,
    );
  }
  const link = (to: string): void => {
    symlinkSync(to, join(directory, "next"));
    renameSync(join(directory, "next"), join(directory, "current"));
  };
  link("one");
  const current = join(directory, "current");
  const service = await Service.startCommand(
    t,
    [process.execPath, "app.mjs"],
    { PWD: current },
    true,
    [],
    current,
  );
  assert.equal((await service.get("/env?name=cwd")).body.env, join(directory, "one"));
  link("two");
  assert.equal((await service.update()).status, 0);
  assert.equal((await service.get("/env?name=cwd")).body.env, join(directory, "two"));
});

test("--env is for the first version and those after it", async (t) => {
  const service = await Service.start(t, "counter", {
    options: ["--env", "VERSION=2", "--env", "COLOUR=red"],
  });
  assert.equal((await service.get("/env?name=COLOUR")).body.env, "red");
  assert.equal((await service.update({ COLOUR: "blue" })).status, 0);
  const { body } = await service.get("/env?name=COLOUR");
  assert.deepEqual([body.env, body.versionId], ["blue", 2]);
});

const namespaces = spawnSync("unshare", ["-Urpf", "--mount-proc", "true"]).status === 0;

test("as process 1 of a container it reaps what nobody waits for", {
  skip: !namespaces && "needs user and PID namespaces",
}, async (t) => {
  const directory = runtimeDirectory(t);
  const child = spawn(
    "unshare",
    [
      "-Urpf",
      "--mount-proc",
      "--kill-child",
      process.execPath,
      cli,
      "run",
      "--",
      process.execPath,
      fixture("orphans"),
    ],
    {
      env: { ...process.env, KSTATE_RUNTIME_DIR: directory, KSTATE_DIR: directory },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  t.after(() => child.kill("SIGKILL"));
  let text = "";
  child.stdout.setEncoding("utf8");
  for await (const chunk of child.stdout as AsyncIterable<string>) text += chunk;
  assert.match(text, /reaped/);
});

test("a unit file is there, and systemd finds nothing wrong with it", async (t) => {
  const unit = fileURLToPath(new URL("../../../examples/systemd/chat.service", import.meta.url));
  const found = spawnSync("systemd-analyze", ["--version"]).status === 0;
  if (!found) return t.skip("systemd-analyze is not here");
  const { stdout, stderr } = spawnSync("systemd-analyze", ["verify", "--recursive-errors=no", unit], {
    encoding: "utf8",
  });
  const about = (stdout + stderr)
    .split("\n")
    .filter((line) => /chat\.(service|socket)/.test(line) && !/not executable|Failed to connect/.test(line));
  assert.deepEqual(about, []);
});
