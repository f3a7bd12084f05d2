import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ChildOutput } from "../support/child-output.js";
import { cli, fixture, kstate } from "../support/service.js";

type Env = Record<string, string>;

/** Runs of the ledger in one directory, each by itself or under a supervisor. */
class Runs {
  readonly #t: TestContext;
  readonly directory: string;
  /** Of the service, when it is given one. */
  readonly name: string | undefined;
  run!: ChildOutput;
  #url = "";

  constructor(t: TestContext, name?: string) {
    this.#t = t;
    this.name = name;
    this.directory = mkdtempSync(join(tmpdir(), "kstate-kept-"));
    t.after(() => rmSync(this.directory, { recursive: true, force: true }));
  }

  /** Starts the program and gives from what it began. */
  async start(how: "alone" | "supervised", env: Env = {}): Promise<string> {
    this.spawn(how, env);
    return this.serves();
  }

  spawn(how: "alone" | "supervised", env: Env = {}): ChildOutput {
    const named = this.name === undefined ? [] : ["--name", this.name];
    const supervisor =
      how === "alone" ? [] : [cli, "run", ...named, "--restart-limit", "1", "--", process.execPath];
    const child = spawn(process.execPath, [...supervisor, fixture("ledger")], {
      env: { ...process.env, ...this.#env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const run = new ChildOutput(child);
    this.run = run;
    this.#t.after(async () => {
      child.kill("SIGTERM");
      await run.exited();
    });
    return run;
  }

  get #env(): Env {
    return { KSTATE_DIR: this.directory, KSTATE_RUNTIME_DIR: this.directory };
  }

  /** Waits for the program that serves next: its `serves` is the last one of so many. */
  async serves(count = 1): Promise<string> {
    await this.run.saw(new RegExp(`(serves \\d+ from \\w+[^]*){${count}}`));
    const [, port, from] = [...this.run.stderr.matchAll(/^serves (\d+) from (\w+)$/gm)][count - 1]!;
    this.#url = `http://127.0.0.1:${port}`;
    return from!;
  }

  async get(path: string): Promise<{ entries: string[]; owner: string; pid: number }> {
    const response = await fetch(this.#url + path, { headers: { connection: "close" } });
    return (await response.json()) as { entries: string[]; owner: string; pid: number };
  }

  /** Ends what runs with SIGTERM; its exit status. */
  end(): Promise<number | null> {
    this.run.child.kill("SIGTERM");
    return this.run.closed();
  }

  kstate(...args: string[]) {
    return kstate(this.directory, ...args, ...(this.name === undefined ? [] : ["--name", this.name]));
  }

  files(program = "ledger"): string[] {
    return readdirSync(join(this.directory, program)).sort();
  }
}

test("a service that is ended keeps its state, and the same program finds it with a supervisor or without", async (t) => {
  const runs = new Runs(t);
  assert.equal(await runs.start("supervised"), "boot");
  await runs.get("/add?text=one");
  assert.equal(await runs.end(), 0);
  assert.deepEqual(runs.files(), ["lock", "state"]);

  assert.equal(await runs.start("alone"), "restore");
  const { entries } = await runs.get("/add?text=two");
  assert.deepEqual(entries, ["one", "two"]);
  await runs.end();

  assert.equal(await runs.start("supervised"), "restore");
  assert.deepEqual((await runs.get("/")).entries, ["one", "two"]);
  assert.equal((await runs.kstate("stop")).status, 0);
  await runs.run.closed();
  assert.deepEqual(runs.files(), ["lock", "state"]);
});

test("the next version keeps what it took over, and nobody else has the directory meanwhile", async (t) => {
  const runs = new Runs(t, "books");
  await runs.start("supervised");
  await runs.get("/add?text=one");
  const { status, stdout } = await runs.kstate("update", "--env", "VERSION=2");
  assert.equal(status, 0, stdout);
  await runs.serves(2);
  await runs.get("/add?text=two");
  assert.equal(await runs.end(), 0);
  assert.deepEqual(runs.files("books"), ["lock", "state"]); // not "ledger": the service has a name

  assert.equal(await runs.start("supervised", { VERSION: "2" }), "restore");
  const { entries, owner } = await runs.get("/");
  assert.deepEqual([entries, owner], [["one", "two"], "nobody"]);
});

test("a program that crashes begins with the service's memory; after a crash of all the old state is stale", async (t) => {
  const runs = new Runs(t);
  await runs.start("supervised");
  await runs.get("/add?text=one");
  await runs.end();
  await runs.start("supervised", { EVERY_MS: "1" });
  const { pid } = await runs.get("/add?text=two");
  await runs.get("/add?text=three");
  process.kill(pid, "SIGKILL");
  assert.equal(await runs.serves(2), "recover");
  const again = await runs.get("/");
  assert.deepEqual(again.entries.slice(0, 2), ["one", "two"]);
  runs.run.child.kill("SIGKILL");
  await runs.run.exited();
  process.kill(again.pid, "SIGKILL");
  await runs.run.closed();

  const refused = runs.spawn("supervised");
  assert.notEqual(await refused.closed(), 0);
  assert.match(refused.stderr, /was loaded before[\s\S]*STALE/);
  assert.equal(await runs.start("supervised", { KSTATE_AFTER_CRASH: "reload" }), "recover");
  assert.deepEqual((await runs.get("/")).entries, ["one"]);
});

test("what is running alone and what is supervised refuse each other", async (t) => {
  const runs = new Runs(t);
  await runs.start("supervised");
  const alone = new ChildOutput(
    spawn(process.execPath, [fixture("ledger")], {
      env: { ...process.env, KSTATE_DIR: runs.directory },
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
  assert.notEqual(await alone.closed(), 0);
  assert.match(alone.stderr, /runs with the state in [\s\S]*STATE_LOCKED/);
});

test("a directory that cannot be used is said at the start, and the service serves all the same", async (t) => {
  const runs = new Runs(t);
  assert.equal(await runs.start("supervised", { KSTATE_DIR: "/dev/null" }), "boot");
  assert.match(
    runs.run.stderr,
    /the state will not be kept when the service ends: cannot make \/dev\/null\/ledger/,
  );
});

test("a service that is told not to keeps nothing", async (t) => {
  const runs = new Runs(t);
  await runs.start("supervised", { KSTATE_PERSIST: "no" });
  await runs.get("/add?text=one");
  assert.equal(await runs.end(), 0);
  assert.equal(existsSync(join(runs.directory, "ledger")), false);
});

for (const how of ["alone", "supervised"] as const) {
  test(`one value that cannot be saved costs no run (${how}): the rest is kept, the next start says so and lets choose`, async (t) => {
    const runs = new Runs(t);
    await runs.start(how);
    await runs.get("/add?text=one");
    await runs.end();
    await runs.start(how);
    await runs.get("/spoil");
    if (how === "supervised") {
      const { status, stdout, stderr } = await runs.kstate("stop");
      assert.equal(status, 1);
      assert.match(stdout, /^default: stopped; its program ended with exit code 1$/m);
      assert.match(
        stderr,
        /^kstate stop: default has ended, but its state was not kept: cannot save ledger@1 at ledger\.entries\[0\].*\[VALUE_INVALID\]; the next start says/,
      );
    }
    assert.equal(await (how === "alone" ? runs.end() : runs.run.closed()), 1);
    assert.match(
      runs.run.stderr,
      /kstate: the state could not be kept: cannot save ledger@1 at ledger\.entries\[0\].*; all but ledger was saved as state\.partial/,
    );
    assert.deepEqual(runs.files(), ["lock", "state.loaded", "state.partial", "state.refused"]);

    const refused = runs.spawn(how);
    assert.notEqual(await refused.closed(), 0);
    assert.match(
      refused.stderr,
      /its last run could not be saved at its end .*entries\[0\].*KSTATE_AFTER_CRASH=partial to go on with all but ledger, or reload for the last whole state, which is older, or boot to begin empty[\s\S]*STATE_REFUSED/,
    );
    assert.deepEqual(runs.files(), ["lock", "state.loaded", "state.partial", "state.refused"]);

    assert.equal(await runs.start(how, { KSTATE_AFTER_CRASH: "reload" }), "recover");
    assert.deepEqual((await runs.get("/")).entries, ["one"]);
    await runs.get("/spoil");
    assert.equal(await runs.end(), 1);
    assert.equal(await runs.start(how, { KSTATE_AFTER_CRASH: "partial" }), "recover");
    assert.deepEqual((await runs.get("/")).entries, []);
    await runs.get("/add?text=two");
    await runs.end();
    assert.deepEqual(runs.files(), ["lock", "state"]);
  });
}
