/**
 * What is around the programs fails, while clients count: the directory of the next version, the memory that is left, a
 * path that somebody else took, a log that nobody reads, patience that is over. A part of the rows, or all with
 * KSTATE_FAULTS=all (`npm run test:faults`).
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type CommandResult, runtimeDirectory } from "../support/service.js";
import { CountedService } from "./counted-service.js";

const all = process.env.KSTATE_FAULTS === "all";

/** The old version serves on, all clients have kept their connections, and the next update works. */
async function refused(counted: CountedService, { status, stderr }: CommandResult): Promise<void> {
  assert.equal(status, 1, stderr);
  await counted.more(5);
  assert.equal((await counted.service.get("/")).body.role, "old");
}

/** The next version serves. */
async function updated(counted: CountedService, update: Promise<CommandResult>): Promise<void> {
  const { status, stderr } = await update;
  assert.equal(status, 0, stderr + counted.service.supervisor.stderr);
  assert.equal((await counted.service.get("/")).body.role, "new");
}

async function goesOn(counted: CountedService): Promise<void> {
  await updated(counted, counted.service.update({ ROLE: "new", FAULT: "" }));
  await counted.nobodyWasLost();
  await counted.nothingWasLost();
}

if (all) {
  test("the directory of the next version is a file, a loop, or gone", async (t) => {
    const directory = runtimeDirectory(t);
    const current = join(directory, "current");
    const lead = (to: string): void => {
      symlinkSync(to, `${current}.next`);
      renameSync(`${current}.next`, current);
    };
    mkdirSync(join(directory, "release"));
    writeFileSync(join(directory, "file"), "");
    lead("release");
    // `cd` sets PWD, by which the name of a directory is known that is reached over a link
    const counted = await CountedService.begin(t, { cwd: current, env: { PWD: current } });
    for (const target of ["file", "current", "nowhere"]) {
      lead(target);
      const result = await counted.service.update({ ROLE: "new" });
      await refused(counted, result);
      assert.match(result.stderr, /\[SPAWN_FAILED\]/, target);
    }
    lead("release");
    await goesOn(counted);
  });

  test("the path of a UNIX listener has become another's", async (t) => {
    const path = join(runtimeDirectory(t), "ledger.sock");
    const counted = await CountedService.begin(t, { env: { UNIX_PATH: path } });
    rmSync(path);
    writeFileSync(path, "somebody's");
    await goesOn(counted);
    assert.equal((await counted.service.kstate("stop")).status, 0);
    assert.ok(lstatSync(path).isFile());
    assert.equal(readFileSync(path, "utf8"), "somebody's");
  });

  test("nobody reads the log", async (t) => {
    const path = join(runtimeDirectory(t), "log");
    assert.equal(spawnSync("mkfifo", [path]).status, 0);
    const [reader, filler] = [constants.O_RDONLY, constants.O_WRONLY].map((access) =>
      openSync(path, access | constants.O_NONBLOCK),
    ) as [number, number];
    const log = openSync(path, constants.O_WRONLY);
    t.after(() => [reader, filler, log].forEach(closeSync)); // whoever hangs on it goes on
    fill(filler);
    const counted = await CountedService.begin(t, { stderr: log });
    await goesOn(counted);
  });

  test("a memory limit leaves no room for a second program", async (t) => {
    const counted = await CountedService.begin(t);
    const group = memoryGroup(t, "24M");
    if (group === undefined) return t.skip("NOT TESTED: no cgroup can be made here");
    group.add(counted.service.supervisor.child.pid!);
    const result = await counted.service.update({ ROLE: "new" });
    await refused(counted, result);
    assert.match(result.stderr, /a second program needs \d+ MiB and .* leaves \d+, so \d+ MiB are missing/);
    group.limit("1G");
    await goesOn(counted);
  });
}

test("a connection's time-out is shorter than an update that is refused", async (t) => {
  const counted = await CountedService.begin(t, { env: { KEEP_ALIVE_MS: "1000" } });
  const { service } = counted;
  const waiting = service.other("/wait");
  const update = service.startUpdate("--env", "ROLE=new", "--quiesce-timeout", "4000");
  let isQuiescing = false;
  const quiescing = update.saw(/quiescing/).then(() => {
    isQuiescing = true;
  });
  let { connection } = await service.get("/slow"); // an update holds back who was slow
  while (!isQuiescing) ({ connection } = await service.get("/slow"));
  await quiescing;
  const status = await update.closed();
  assert.match(update.stderr, /still under way after 4000 ms: GET \/wait.*\[REQUESTS_BUSY\]/);
  assert.equal((await service.get("/")).connection, connection);
  await refused(counted, { status, stdout: "", stderr: update.stderr });
  await service.get("/release");
  await waiting;
  await goesOn(counted);
});

/** Writes to a pipe until it takes nothing more. */
function fill(descriptor: number): void {
  for (const size of [4096, 1]) {
    try {
      for (;;) writeSync(descriptor, Buffer.alloc(size, "\n"));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
    }
  }
}

interface MemoryGroup {
  add(pid: number): void;
  limit(size: string): void;
}

/** A cgroup with a limit of memory, of version 2 or 1; undefined where none can be made. */
function memoryGroup(t: TestContext, size: string): MemoryGroup | undefined {
  for (const [root, file] of [
    ["/sys/fs/cgroup", "memory.max"],
    ["/sys/fs/cgroup/memory", "memory.limit_in_bytes"],
  ] as const) {
    const path = join(root, `kstate-test-${process.pid}`);
    const write = (name: string, text: string): void => writeFileSync(join(path, name), text, { flag: "r+" }); // nothing that the kernel does not have is made
    try {
      mkdirSync(path);
    } catch {
      continue; // not root, read only, or not there
    }
    try {
      write(file, size);
    } catch {
      rmdirSync(path);
      continue; // no hierarchy, or one without memory
    }
    t.after(() => {
      for (const pid of readFileSync(join(path, "cgroup.procs"), "utf8").split("\n"))
        if (pid !== "") writeFileSync(join(root, "cgroup.procs"), pid);
      rmdirSync(path);
    });
    return {
      add: (pid) => write("cgroup.procs", String(pid)),
      limit: (next) => write(file, next),
    };
  }
  return undefined;
}
