/** Whatever is in the way of starting a program is a result that the supervisor lives on with, on every path. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isKstateError } from "#src/error/index.js";
import { createMemfd, PhysicalMemory } from "#src/memory/index.js";
import { DEFAULT_TIMEOUTS } from "#src/supervisor/control-protocol.js";
import { Program } from "#src/supervisor/program.js";
import { type StartOptions, startProgram } from "#src/supervisor/start-program.js";
import { Supervisor } from "#src/supervisor/supervisor.js";
import { supervisorSystem } from "#src/supervisor/system.js";
import { BrokenSystem, descriptors } from "../support/broken-system.js";
import { fixture, runtimeDirectory, Service } from "../support/service.js";

const MIB = 1024 * 1024;
const counter = [process.execPath, "--enable-source-maps", fixture("counter")];

function startOptions(t: TestContext, changed: Partial<StartOptions> = {}): StartOptions {
  const directory = runtimeDirectory(t);
  const memory = PhysicalMemory.create(createMemfd(MIB)).descriptor;
  const command = { argv: [process.execPath, "-e", ""], environment: {} };
  const controlPath = join(directory, "a.sock");
  const options = { command, cwd: directory, name: "a", role: "successor", controlPath, memory } as const;
  return { ...options, listeners: [], ...changed };
}

test("a start that fails at any of its steps leaves no descriptor, no file and no process", (t) => {
  const broken = new BrokenSystem();
  const options = startOptions(t);
  startProgram(broken.system, { ...options, cwd: "/nowhere\0" }); // what is loaded on first use is loaded
  const before = descriptors();
  const steps = [
    ["prepareDirectory", 0],
    ["bindControl", 0],
    ["socketPair", 0],
    ["socketPair", 1],
    ["spawn", 0],
    ["dial", 0],
  ] as const;
  for (const [call, count] of steps) {
    broken.broken = { call, count };
    const result = startProgram(broken.system, options);
    assert.equal(result.kind, "failed", call);
    assert.equal(descriptors(), before, `${call}: descriptors are left`);
    assert.deepEqual(readdirSync(join(options.controlPath, "..")), [], `${call}: files are left`);
    if (result.kind !== "failed") continue;
    assert.deepEqual(result.error.detail, { command: options.command.argv.join(" "), errno: "EIO" });
    assert.match(result.error.message, new RegExp(`^cannot start .*: ${call} failed: out of order`));
  }
});

test("a command that cannot be started says why, whether Node throws it or tells it later", async (t) => {
  const directory = runtimeDirectory(t);
  writeFileSync(join(directory, "file"), "");
  symlinkSync("loop", join(directory, "loop"));
  const argv = ["kstate-no-such-command"];
  const cases = [
    [{ cwd: join(directory, "file") }, "ENOTDIR", /its working directory \S+file is not a directory; mend/],
    [{ cwd: join(directory, "file/below") }, "ENOTDIR", /is not there: something in it is a file/],
    [{ cwd: join(directory, "loop") }, "ELOOP", /is a symbolic link that leads nowhere/],
    [{ cwd: join(directory, "gone") }, "ENOENT", /its working directory \S+gone is not there/],
    [{ command: { argv, environment: {} } }, "ENOENT", /cannot start kstate-no-such-command: spawn/],
    [{ command: { argv: ["/etc"], environment: {} } }, "EACCES", /cannot start \/etc: spawn/],
    [{ command: { argv: ["node", "a\0b"], environment: {} } }, "ERR_INVALID_ARG_VALUE", /node a\\0b/],
    [{ command: { argv: ["node", "x".repeat(3 * MIB)], environment: {} } }, "E2BIG", /cannot start node x/],
  ] as const;
  const before = descriptors();
  for (const [changed, errno, message] of cases) {
    const options = startOptions(t, changed);
    const result = startProgram(supervisorSystem, options);
    const program = await new Promise<Program>((resolve) => {
      const start = result.kind === "started" ? result.contact : result.error;
      const it: Program = new Program(supervisorSystem, options.command, start, {
        exited: () => resolve(it),
        message: () => {},
      });
    });
    if (result.kind === "started") {
      supervisorSystem.close(result.pairEnd!);
      if (!result.contact.socket.closed) await once(result.contact.socket, "close");
    }
    assert.equal(program.pid, -1);
    assert.equal(program.phase, "ended");
    const { code, detail, message: said } = program.end!;
    assert.equal(code, "SPAWN_FAILED", said);
    assert.equal((detail as { errno: string }).errno, errno);
    assert.match(said, message);
    assert.deepEqual(readdirSync(join(options.controlPath, "..")), []);
    await assert.rejects(program.save("/tmp/never"), /cannot start/);
    supervisorSystem.close(options.memory);
  }
  assert.equal(descriptors(), before, "descriptors are left");
});

/** A supervisor in this process, whose system breaks as told. */
class Hosted {
  readonly breaking = new BrokenSystem();
  readonly said: string[] = [];
  readonly notified: string[] = [];
  readonly ended: Promise<number>;
  readonly supervisor: Supervisor;
  readonly directory: string;
  #watch: () => void = () => {};

  constructor(t: TestContext, broken: BrokenSystem["broken"] = null) {
    this.directory = runtimeDirectory(t);
    this.breaking.broken = broken;
    let end!: (exitCode: number) => void;
    this.ended = new Promise((resolve) => {
      end = resolve;
    });
    const options = {
      name: "a",
      cwd: this.directory,
      runtimeDirectory: this.directory,
      log: (text: string) => {
        this.said.push(text);
        this.#watch();
      },
      restarts: { policy: "on-failure", limit: 5 },
      notify: (state: string) => void this.notified.push(state.split(/[=\n]/)[0]!),
      ended: end,
    } as const;
    const command = { argv: counter, environment: {} };
    this.supervisor = Supervisor.start(options, this.breaking.system, command, 64 * MIB);
    t.after(() => this.supervisor.stop());
  }

  /** Waits until something is said that was not said before. */
  saw(pattern: RegExp): Promise<void> {
    return new Promise((resolve) => {
      this.#watch = () => {
        const index = this.said.findIndex((text) => pattern.test(text));
        if (index === -1) return;
        this.said.splice(0, index + 1);
        resolve();
      };
      this.#watch();
    });
  }

  update(standbyMs: number | null = null): Promise<unknown> {
    const next = { command: null, environment: {} };
    return this.supervisor.update(next, DEFAULT_TIMEOUTS, () => {}, { standbyMs });
  }
}

function isSpawnFailure(error: unknown): boolean {
  return isKstateError(error, "SPAWN_FAILED") && error.detail.errno === "EIO";
}

test("the first program cannot be started: the service ends with status 1 and says why", async (t) => {
  const hosted = new Hosted(t, { call: "spawn", count: 0 });
  assert.equal(await hosted.ended, 1);
  assert.match(hosted.said.join("\n"), /^a: cannot start .*spawn failed: out of order \(EIO\)$/);
  assert.deepEqual(readdirSync(hosted.directory), ["a.history.jsonl"]);
});

test("a service lives on when programs cannot be started", async (t) => {
  const hosted = new Hosted(t);
  await hosted.saw(/ serves$/);
  await t.test(
    "thirty successors cannot be started: the program serves on, READY follows every RELOADING, nothing leaks",
    async () => {
      const { pid } = hosted.supervisor.status().program;
      const files = readdirSync(hosted.directory);
      const before = descriptors();
      for (let round = 0; round < 30; round += 1) {
        const call = (["bindControl", "socketPair", "spawn", "dial"] as const)[round % 4]!;
        hosted.breaking.broken = { call, count: 0 };
        await assert.rejects(hosted.update(), isSpawnFailure);
      }
      hosted.breaking.broken = null;
      assert.equal(descriptors(), before);
      assert.deepEqual(readdirSync(hosted.directory), files);
      const { program, updating } = hosted.supervisor.status();
      assert.deepEqual([program.pid, program.phase, updating], [pid, "serving", false]);
      assert.deepEqual(hosted.notified.splice(0), [
        "READY",
        ...Array(30).fill(["RELOADING", "READY"]).flat(),
      ]);
      await hosted.update();
      assert.notEqual(hosted.supervisor.status().program.pid, pid);
    },
  );

  await t.test("a standby that cannot be started does not fail the update that has committed", async () => {
    hosted.breaking.broken = { call: "spawn", count: 1 };
    await hosted.update(60_000);
    await hosted.saw(/the standby is gone: cannot start/);
    hosted.breaking.broken = null;
    assert.equal(hosted.supervisor.status().standby, null);
    await hosted.supervisor.rollback(DEFAULT_TIMEOUTS, () => {});
  });

  await t.test(
    "a program that crashed and cannot be started again is tried again, in the memory as it was",
    async () => {
      hosted.breaking.broken = { call: "spawn", count: 0 };
      process.kill(hosted.supervisor.status().program.pid, "SIGKILL");
      await hosted.saw(/cannot start .*starting it again in 0.1 s \(restart 2\)/);
      hosted.breaking.broken = null;
      await hosted.saw(/ serves$/);
      await hosted.update();
    },
  );

  await t.test("a program that was suspended and cannot be started again can be resumed later", async () => {
    const request = { lock: null, timeouts: DEFAULT_TIMEOUTS, detachedMs: 1000 };
    const record = {} as never;
    const keep = async () => ({ name: "a test", record, isHeld: true, discard: () => {} });
    await hosted.supervisor.suspend(request, keep, () => {});
    hosted.breaking.broken = { call: "spawn", count: 0 };
    await assert.rejects(hosted.supervisor.resume({ command: null, environment: {} }), isSpawnFailure);
    await hosted.saw(/not resumed, the state is still in a test: cannot start/);
    hosted.breaking.broken = null;
    await hosted.supervisor.resume({ command: null, environment: {} });
    assert.equal(hosted.supervisor.status().program.phase, "serving");
  });

  await t.test(
    "a verdict that cannot be opened, or a descriptor that cannot be sent, cancels the update",
    async () => {
      hosted.breaking.broken = { call: "sendDescriptor", count: 0 };
      await assert.rejects(hosted.update(), /sendDescriptor failed: out of order/);
      hosted.breaking.broken = null;
      assert.equal(hosted.supervisor.status().program.phase, "serving");
      await hosted.update();
    },
  );

  await t.test("what an ended program has left cannot be removed: its end is told all the same", async () => {
    hosted.breaking.broken = { call: "unlink", count: 0 };
    process.kill(hosted.supervisor.status().program.pid, "SIGKILL");
    await hosted.saw(/ serves$/);
  });
});

test("a current link that leads to a file refuses the update and leaves the supervisor alone, by signal too", async (t) => {
  const directory = runtimeDirectory(t);
  const current = join(directory, "current");
  mkdirSync(join(directory, "release"));
  symlinkSync("release", current);
  const service = await Service.startCommand(
    t,
    counter,
    { PWD: current },
    true,
    ["--update-on", "SIGHUP"],
    current,
  );
  await service.get("/add?amount=3");
  rmSync(current);
  symlinkSync("current", current);
  const { status, stderr } = await service.update();
  assert.equal(status, 1);
  assert.match(stderr, /its working directory \S+ is a symbolic link that leads nowhere.*\[SPAWN_FAILED\]/);
  service.supervisor.child.kill("SIGHUP");
  await service.supervisor.saw(/SIGHUP: cannot start .* leads nowhere.*\[SPAWN_FAILED\]/);
  rmSync(current);
  symlinkSync("release", current);
  assert.equal((await service.update()).status, 0);
  assert.equal((await service.get("/")).body.count, 3);
});

test("a runtime directory that was removed is made again for the next program", async (t) => {
  const service = await Service.startCommand(t, counter, {}, true, ["--update-on", "SIGHUP"]);
  await service.get("/add?amount=3");
  rmSync(service.directory, { recursive: true });
  service.supervisor.child.kill("SIGHUP");
  await service.supervisor.saw(/update 1 |SIGHUP: /);
  assert.match(service.supervisor.stderr, /update 1 committed/);
  assert.equal((await service.get("/")).body.count, 3);
});
