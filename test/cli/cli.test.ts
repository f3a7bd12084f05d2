import assert from "node:assert/strict";
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fixture, kstate, runtimeDirectory, Service, startKstate } from "../support/service.js";

test("without a supervisor every command says so, and how to start one", async (t) => {
  const directory = runtimeDirectory(t);
  for (const command of ["update", "rollback", "status", "stop"]) {
    const { status, stderr } = await kstate(directory, command, "--name", "chat");
    assert.equal(status, 2);
    assert.equal(
      stderr,
      `kstate ${command}: no service named chat runs here; start one with "kstate run --name chat -- node app.js" [NO_SUPERVISOR]\n`,
    );
  }
});

test("a wrong command line is told apart from a failed command", async (t) => {
  const directory = runtimeDirectory(t);
  for (const [args, message] of [
    [["frobnicate"], /there is no command frobnicate; see "kstate --help"/],
    [["run"], /no command: kstate run -- node app.js/],
    [["run", "--"], /no command after --/],
    [["status", "--boot-timeout", "1"], /--boot-timeout is not an option of this command/],
    [["update", "--boot-timeout", "soon"], /--boot-timeout soon is not a number of milliseconds from 1/],
    [["run", "--memory", "lots", "--", "node"], /--memory lots is not a size such as 512M or 16G/],
    [["update", "--env", "X"], /--env X is not KEY=VALUE/],
    [["update", "--nonsense"], /Unknown option '--nonsense'/],
    [["status", "--name", "a/b"], /cannot use the name "a\/b": use letters, digits/],
    [["status", "--name", "x".repeat(120)], /is longer than 107 bytes; set KSTATE_RUNTIME_DIR/],
  ] as const) {
    const { status, stderr } = await kstate(directory, ...args);
    assert.equal(status, 2, stderr);
    assert.match(stderr, message);
  }
});

test("help is printed, with exit status 0 when it was asked for", async (t) => {
  const directory = runtimeDirectory(t);
  assert.deepEqual(
    (await Promise.all([["--help"], ["update", "--help"], []].map((args) => kstate(directory, ...args)))).map(
      ({ status, stdout }) => [status, /kstate rollback/.test(stdout)],
    ),
    [
      [0, true],
      [0, true],
      [2, true],
    ],
  );
});

test("one name is one service", async (t) => {
  const service = await Service.start(t, "counter");
  const { status, stderr } = await service.kstate("run", "--", process.execPath, fixture("counter"));
  assert.equal(status, 2);
  assert.match(stderr, /a service named default runs already.*\[NAME_IN_USE\]/);
  const other = startKstate(service.directory, [
    "run",
    "--name",
    "other",
    "--",
    process.execPath,
    fixture("counter"),
  ]);
  await other.saw(/other: \d+ serves/);
  assert.equal((await service.kstate("stop", "--name", "other")).status, 0);
  assert.equal(await other.closed(), 0);
  assert.equal((await service.get("/")).body.count, 0);
});

test("a second update during one is refused, and the first one goes on", async (t) => {
  const service = await Service.start(t, "counter");
  const first = service.startUpdate("--env", "MODE=never-ready", "--boot-timeout", "60000");
  await first.saw(/booting/);
  const { status, stderr } = await service.update();
  assert.equal(status, 1);
  assert.match(stderr, /an update is under way; wait for its end, then try again \[UPDATE_IN_PROGRESS\]/);
  const { updating } = JSON.parse((await service.kstate("status", "--json")).stdout) as { updating: boolean };
  assert.equal(updating, true);
  assert.equal((await service.kstate("stop")).status, 0);
  assert.equal(await first.closed(), 1);
});

test("a program that never joins runs, and cannot be updated", async (t) => {
  const service = await Service.start(t, "counter", { env: { MODE: "never-join" }, serving: false });
  await service.supervisor.saw(/started \d+/);
  const { status, stderr } = await service.update();
  assert.equal(status, 1);
  assert.match(
    stderr,
    /cannot be updated: it has not called joinLiveUpdate\(\) of kstate\/live yet \[NOT_JOINED\]/,
  );
  const { program } = JSON.parse((await service.kstate("status", "--json")).stdout) as {
    program: { phase: string };
  };
  assert.equal(program.phase, "running");
});

test("there is nothing to roll back to before the first update", async (t) => {
  const service = await Service.start(t, "counter");
  const { status, stderr } = await service.kstate("rollback");
  assert.equal(status, 1);
  assert.match(stderr, /cannot roll back: no update has been made yet \[NO_PREVIOUS_VERSION\]/);
});

test("a command that cannot be started is a refused update", async (t) => {
  const service = await Service.start(t, "counter");
  const { status, stderr } = await service.kstate("update", "--", "/no/such/program");
  assert.equal(status, 1);
  assert.match(stderr, /cannot start \/no\/such\/program: .*ENOENT.*\[SPAWN_FAILED\]/);
  assert.equal((await service.get("/")).body.count, 0);
});

test("status shows what runs and how the last update went", async (t) => {
  const service = await Service.start(t, "counter");
  await service.update({ VERSION: "2" });
  await service.update({ MODE: "exit-at-boot" });
  const { stdout } = await service.kstate("status");
  assert.match(stdout, /^default: program \d+ is serving since \S+, supervisor \d+\n/);
  assert.match(stdout, /\n {2}listens on {3}127\.0\.0\.1:\d+\n/);
  assert.match(stdout, /\n {2}state {8}addition@0, counter@2, counter_socket@0\n/);
  assert.match(stdout, /\n {2}last update {2}2 cancelled at \S+: program \d+ ended with exit code 3/);
});

test("the supervisor ends with its program's exit status", async (t) => {
  const directory = runtimeDirectory(t);
  const { status, stderr } = await kstate(
    directory,
    "run",
    "--",
    process.execPath,
    "-e",
    "process.exitCode = 7",
  );
  assert.equal(status, 7);
  assert.match(stderr, /ended with exit code 7/);
});

test("SIGTERM ends the program and then the supervisor, and the name is free again", async (t) => {
  const service = await Service.start(t, "counter");
  const { body } = await service.get("/");
  service.supervisor.child.kill("SIGTERM");
  assert.equal(await service.supervisor.closed(), 0);
  assert.throws(() => process.kill(Number(body.pid), 0), { code: "ESRCH" });
  assert.equal((await service.kstate("status")).status, 2);
});

test("control sockets are the user's alone", async (t) => {
  const directory = join(runtimeDirectory(t), "run");
  mkdirSync(directory);
  chmodSync(directory, 0o777);
  const supervisor = startKstate(directory, ["run", "--", process.execPath, fixture("counter")]);
  t.after(async () => {
    supervisor.child.kill("SIGTERM");
    await supervisor.closed();
  });
  await supervisor.saw(/ serves/);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  assert.equal(statSync(join(directory, "default.sock")).mode & 0o777, 0o600);
});

test("a port that is in use is named before anything is given up", async (t) => {
  const service = await Service.start(t, "counter");
  const { status, stderr } = await service.update({ PORT: String(service.port), LISTENER: "another" });
  assert.equal(status, 1);
  assert.match(
    stderr,
    /cannot listen on another: bind failed: address already in use \(EADDRINUSE\) \[LISTEN_FAILED\]/,
  );
  assert.equal((await service.get("/")).body.count, 0);
});
