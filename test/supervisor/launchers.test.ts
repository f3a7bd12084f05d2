/** A command may start the program as another process: what is told to end, ends with everything that has come from it. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LaunchedProcess } from "#src/supervisor/launched-process.js";
import { supervisorSystem } from "#src/supervisor/system.js";
import { startProcess } from "#src/supervisor/watched-process.js";
import { fixture, processesOf, runtimeDirectory, Service } from "../support/service.js";

const node = `'${process.execPath}'`;
const counter = `${node} '${fixture("counter")}'`;

interface Status {
  readonly program: { readonly pid: number };
}

async function programPid(service: Service): Promise<number> {
  const { stdout } = await service.kstate("status", "--json");
  return (JSON.parse(stdout) as Status).program.pid;
}

async function assertNothingLeft(service: Service): Promise<void> {
  const { status, stderr } = await service.kstate("stop");
  const left = processesOf(service.directory).filter((pid) => pid !== service.supervisor.child.pid);
  assert.deepEqual(left, []);
  assert.equal(status, 0, stderr);
}

for (const line of [counter, `${counter}; true`, `${counter} & wait; true`]) {
  const shown = line.replace(counter, "node app.js");
  test(`after "kstate stop" nothing of sh -c "${shown}" is left, and updates go well before`, async (t) => {
    const service = await Service.startCommand(t, ["sh", "-c", line], {});
    await service.get("/add?amount=3");
    const { status, stderr } = await service.update();
    assert.equal(status, 0, stderr);
    assert.equal((await service.get("/")).body.count, 3);
    await assertNothingLeft(service);
  });
}

test("a program that has not joined ends with its shell", async (t) => {
  const line = `${node} -e 'console.error("is up"); setInterval(() => {}, 1000)'; true`;
  const service = await Service.startCommand(t, ["sh", "-c", line], {}, false);
  await service.supervisor.saw(/is up/);
  await assertNothingLeft(service);
});

test("a program whose shell is killed serves on, is adopted as what it is, and is ended", async (t) => {
  const service = await Service.startCommand(t, ["sh", "-c", `${counter}; true`], {});
  await service.get("/add?amount=3");
  const pid = await programPid(service);
  const [shell] = processesOf(service.directory).filter(
    (each) => each !== pid && each !== service.supervisor.child.pid,
  );
  process.kill(shell!, "SIGKILL");
  assert.equal((await service.update()).status, 0);
  await service.killSupervisor();
  await service.adopt();
  assert.equal((await service.get("/")).body.count, 3);
  await assertNothingLeft(service);
});

/** A command as a supervisor starts it; what is left of it is killed with the test. */
function launch(
  t: TestContext,
  line: string,
  cwd: string,
): { launched: LaunchedProcess; ended: Promise<void> } {
  const controlPath = join(cwd, "a.sock");
  const environment = {
    ...process.env,
    KSTATE_RUNTIME_DIR: cwd,
    KSTATE_LIVE: JSON.stringify({ controlPath }),
  };
  const spawned = startProcess({ command: ["sh", "-c", line], cwd, environment, descriptors: [] });
  const launched = new LaunchedProcess(supervisorSystem, controlPath, spawned);
  t.after(() => {
    for (const pid of processesOf(cwd)) process.kill(pid, "SIGKILL");
  });
  return { launched, ended: new Promise((resolve) => launched.onEnd(() => resolve())) };
}

/** Resolves when a command has made a pipe and somebody writes into it. */
async function read(path: string): Promise<void> {
  const reader: ChildProcess = spawn("cat", [path], { stdio: "ignore" });
  await once(reader, "exit");
}

test("SIGKILL reaches those that ignore SIGTERM, and nobody who is not of the command", async (t) => {
  const cwd = runtimeDirectory(t);
  const stranger = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], {
    env: { ...process.env, KSTATE_LIVE: JSON.stringify({ controlPath: join(cwd, "b.sock") }) },
    stdio: "ignore",
  });
  t.after(() => stranger.kill("SIGKILL"));
  writeFileSync(join(cwd, "deaf.sh"), "sleep 1000 & echo > up; wait");
  const pipes = ["away", "up"].map((name) => join(cwd, name));
  await once(spawn("mkfifo", pipes, { stdio: "ignore" }), "exit");
  const { launched, ended } = launch(
    t,
    "trap '' TERM; setsid sh -c 'echo > away; exec sleep 1000' & sh deaf.sh; true",
    cwd,
  );
  for (const pipe of pipes) await read(pipe);
  launched.introduce(stranger.pid!);
  launched.introduce(process.pid);
  assert.equal(launched.pid, launched.spawnedPid, "others are not believed to be the program");
  launched.kill("SIGTERM");
  launched.kill("SIGKILL");
  await ended;
  const left = processesOf(cwd);
  assert.equal(left.length, 1, "but for the one that began a session of its own");
  assert.deepEqual(
    [supervisorSystem.sessionOf(left[0]!), stranger.exitCode, stranger.signalCode],
    [left[0], null, null],
  );
});
