import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ChildOutput } from "../support/child-output.js";
import { fixture } from "../support/service.js";

interface View {
  readonly pid: number;
  readonly from: string;
  readonly entries: string[];
  readonly owner: string;
  readonly cell: number;
  readonly points: number;
  readonly cached: string;
  readonly free: number;
}

/** The runs of one program, one after the other, that keep their state in one directory. */
class Ledger {
  readonly directory: string;
  readonly #t: TestContext;
  readonly #argv: readonly string[];
  run!: ChildOutput;
  #port = 0;

  constructor(t: TestContext, argv: readonly string[] = []) {
    this.#t = t;
    this.#argv = argv;
    this.directory = mkdtempSync(join(tmpdir(), "kstate-ledger-"));
    t.after(() => rmSync(this.directory, { recursive: true, force: true }));
  }

  file(name: string): string {
    return join(this.directory, "ledger", name);
  }

  files(): string[] {
    const files = readdirSync(join(this.directory, "ledger")).sort();
    return files.filter((name) => !name.endsWith(".tmp")); // a checkpoint may have been under way at the end
  }

  /** Starts the program, which may fail. */
  spawn(env: Record<string, string> = {}): ChildOutput {
    const run = new ChildOutput(
      spawn(process.execPath, [...this.#argv, "--enable-source-maps", fixture("ledger")], {
        env: { ...process.env, KSTATE_DIR: this.directory, ...env },
        stdio: ["ignore", "pipe", "pipe"],
      }),
    );
    this.#t.after(async () => {
      run.child.kill("SIGKILL");
      await run.closed();
    });
    return run;
  }

  async start(env: Record<string, string> = {}): Promise<string> {
    this.run = this.spawn(env);
    await this.run.saw(/^serves \d+ from \w+$/m);
    const [, port, from] = /^serves (\d+) from (\w+)$/m.exec(this.run.stderr)!;
    this.#port = Number(port);
    return from!;
  }

  /** Starts the program, which refuses; gives what it says. */
  async refused(env: Record<string, string> = {}): Promise<string> {
    const run = this.spawn(env);
    const serving = run.saw(/^serves /m).then(
      () => run.child.kill("SIGKILL"),
      () => {},
    );
    await run.closed();
    await serving;
    assert.doesNotMatch(run.stderr, /^serves /m);
    return run.stderr;
  }

  async get(path: string): Promise<View> {
    const response = await fetch(`http://127.0.0.1:${this.#port}${path}`, {
      headers: { connection: "close" },
    });
    return (await response.json()) as View;
  }

  async add(...texts: string[]): Promise<void> {
    for (const text of texts) await this.get(`/add?text=${text}`);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    this.run.child.kill(signal);
    await this.run.closed();
  }

  /** Waits until a checkpoint that was begun after now is in its place: one there is, the next was perhaps begun before. */
  async checkpoint(): Promise<void> {
    for (let seen = 0, last = ""; seen < 3; ) {
      const now = existsSync(this.file("checkpoint"))
        ? readFileSync(this.file("checkpoint")).toString("latin1")
        : "";
      if (now !== last) seen += 1;
      last = now;
      await this.get("/add?text=tick");
    }
  }
}

for (const end of ["SIGTERM", "SIGINT", "exit", "exit with 3"] as const) {
  test(`a program ended by ${end} starts again with its objects, folios and collections`, async (t) => {
    const ledger = new Ledger(t);
    assert.equal(await ledger.start(), "boot");
    await ledger.add("one", "two");
    if (end === "SIGTERM" || end === "SIGINT") {
      await ledger.end(end);
      assert.equal(ledger.run.child.signalCode, end);
    } else {
      await ledger.get(`/exit?code=${end === "exit" ? 0 : 3}`);
      assert.equal(await ledger.run.closed(), end === "exit" ? 0 : 3);
    }
    assert.deepEqual(ledger.files(), ["lock", "state"]);
    assert.equal(await ledger.start({ VERSION: "2" }), "restore");
    const { entries, cell, points, cached, owner } = await ledger.get("/");
    assert.deepEqual(
      { entries, cell, points, cached, owner },
      { entries: ["one", "two"], cell: 2, points: 2, cached: "value of two", owner: "nobody" },
    );
    assert.deepEqual(ledger.files(), ["lock", "state.loaded"]);
    await ledger.add("three");
    await ledger.end("SIGTERM");
    assert.equal(await ledger.start({ VERSION: "2" }), "restore");
    assert.deepEqual((await ledger.get("/")).entries, ["one", "two", "three"]);
  });
}

test("what is saved does not grow from run to run, and leaves the memory as free as it was", async (t) => {
  const ledger = new Ledger(t);
  await ledger.start();
  await ledger.add("one");
  const { free } = await ledger.get("/");
  const sizes = new Set<number>();
  for (let run = 0; run < 3; run += 1) {
    await ledger.end("SIGTERM");
    sizes.add(readFileSync(ledger.file("state")).length);
    await ledger.start();
  }
  assert.equal(sizes.size, 1, `sizes ${[...sizes]}`);
  assert.ok([...sizes][0]! < 200_000, `a state of one entry has ${[...sizes]} bytes`);
  const after = (await ledger.get("/")).free;
  assert.ok(free - after <= 4 * 1024 ** 2, `${free - after} bytes are gone`);
});

test("a second start is refused by name while the first one runs, also after a kill", async (t) => {
  const ledger = new Ledger(t);
  await ledger.start();
  await ledger.add("kept");
  const said = await ledger.refused();
  assert.match(
    said,
    /cannot start ledger: process \d+ runs with the state in .*\[?STATE_LOCKED|STATE_LOCKED/,
  );
  assert.ok(said.includes(`process ${ledger.run.child.pid} runs`), said);
  await ledger.end("SIGKILL");
  assert.equal(await ledger.start(), "boot", "the lock outlived its program");
});

test("nothing is saved after an uncaught exception, and the state of before is stale", async (t) => {
  const ledger = new Ledger(t);
  await ledger.start();
  await ledger.add("one");
  await ledger.end("SIGTERM");
  await ledger.start();
  await ledger.add("two");
  await ledger.get("/throw");
  assert.equal(await ledger.run.closed(), 1);
  assert.deepEqual(ledger.files(), ["lock", "state.loaded"]);
  assert.match(
    await ledger.refused(),
    /state\.loaded was loaded before, and the program that did ended without/,
  );
  assert.equal(await ledger.start({ KSTATE_AFTER_CRASH: "reload" }), "recover");
  assert.deepEqual((await ledger.get("/")).entries, ["one"]);
  await ledger.end("SIGKILL");
  assert.equal(await ledger.start({ KSTATE_AFTER_CRASH: "boot" }), "boot");
  assert.deepEqual((await ledger.get("/")).entries, []);
});

test("a handler of uncaught exceptions that ends the program with an error does not save either", async (t) => {
  const ledger = new Ledger(t);
  await ledger.start({ MODE: "handle-uncaught" });
  await ledger.add("one");
  await ledger.get("/throw");
  assert.equal(await ledger.run.closed(), 1);
  assert.deepEqual(ledger.files(), ["lock"]);
});

test("a program that handles SIGTERM itself ends itself, and what its handler changed is saved", async (t) => {
  const ledger = new Ledger(t);
  await ledger.start({ MODE: "handle-sigterm" });
  await ledger.end("SIGTERM");
  assert.equal(ledger.run.child.exitCode, 0);
  await ledger.start();
  assert.deepEqual((await ledger.get("/")).entries, ["goodbye"]);
});

test("after a kill -9 the last checkpoint is loaded, as often as needed", async (t) => {
  const ledger = new Ledger(t);
  await ledger.start({ EVERY_MS: "20" });
  await ledger.add("one", "two");
  await ledger.get("/renew");
  await ledger.checkpoint();
  for (const _ of [1, 2]) {
    await ledger.end("SIGKILL");
    assert.equal(await ledger.start({ EVERY_MS: "1000000" }), "recover");
    const { entries, points } = await ledger.get("/");
    assert.deepEqual(entries.slice(0, 2), ["one", "two"]);
    assert.equal(points, entries.length, "objects and collections are of one moment");
  }
  await ledger.end("SIGTERM");
  assert.deepEqual(ledger.files(), ["lock", "state"]);
  assert.equal(await ledger.start(), "restore");
  await ledger.end("SIGKILL");
  assert.match(await ledger.refused(), /STALE|was loaded before/);
});

test("a state that cannot be loaded, or an address in use, leaves the file for the next start", async (t) => {
  const ledger = new Ledger(t);
  await ledger.start();
  await ledger.add("one");
  await ledger.end("SIGTERM");
  assert.match(await ledger.refused({ MODE: "refuse-load" }), /postLoad.*\[HOOK_FAILED\]/s);
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as { port: number };
  assert.match(await ledger.refused({ PORT: String(port) }), /EADDRINUSE/);
  assert.equal(await ledger.start(), "restore");
  assert.deepEqual((await ledger.get("/")).entries, ["one"]);
});

test("a file that was cut or changed anywhere is refused, and stays", async (t) => {
  const ledger = new Ledger(t);
  await ledger.start();
  await ledger.add("one");
  await ledger.end("SIGTERM");
  const good = readFileSync(ledger.file("state"));
  copyFileSync(ledger.file("state"), join(ledger.directory, "good"));
  const damaged: [string, Uint8Array][] = [
    ["empty", new Uint8Array(0)],
    ["cut", good.subarray(0, -1)],
  ];
  for (const at of [0, 4, 9, 30, 40, Math.floor(good.length / 2), good.length - 40]) {
    const bytes = Buffer.from(good);
    bytes[at]! ^= 1;
    damaged.push([`byte ${at}`, bytes]);
  }
  for (const [what, bytes] of damaged) {
    writeFileSync(ledger.file("state"), bytes);
    assert.match(await ledger.refused(), /cannot resume from .*state: /, what);
  }
  copyFileSync(join(ledger.directory, "good"), ledger.file("state"));
  assert.equal(await ledger.start(), "restore");
});

test("a state that cannot be written ends the program with an error, and the one before is still there", async (t) => {
  const ledger = new Ledger(t);
  await ledger.start();
  await ledger.add("one");
  const { mkdirSync } = await import("node:fs");
  mkdirSync(`${ledger.file("state")}.tmp`);
  await ledger.end("SIGTERM");
  assert.equal(ledger.run.child.exitCode, 1);
  assert.match(ledger.run.stderr, /cannot write .*state: EISDIR/);
});

test("without persist nothing is kept and nothing is made", async (t) => {
  const ledger = new Ledger(t);
  assert.equal(await ledger.start({ MODE: "no-persist" }), "boot");
  await ledger.add("one");
  await ledger.end("SIGTERM");
  assert.deepEqual(readdirSync(ledger.directory), []);
});

test("the directory keeps itself out of git", async (t) => {
  const ledger = new Ledger(t);
  await ledger.start();
  assert.equal(readFileSync(join(ledger.directory, ".gitignore"), "utf8"), "*\n");
});

test("where system calls cannot be made it works on the heap, with a lock all the same", async (t) => {
  const preload =
    "import Module from 'node:module'; const load = Module._load; " +
    "Module._load = (id, ...rest) => { if (id === 'koffi') throw new Error('no prebuilt koffi'); return load(id, ...rest); };";
  const ledger = new Ledger(t, ["--import", `data:text/javascript,${encodeURIComponent(preload)}`]);
  await ledger.start();
  assert.ok((await ledger.get("/")).free < 256 * 1024 ** 2, "it has memory from system calls");
  await ledger.add("one", "two");
  assert.match(await ledger.refused(), /cannot start ledger: process \d+ runs/);
  await ledger.end("SIGTERM");
  assert.equal(await ledger.start(), "restore");
  const { entries, cell, points, cached } = await ledger.get("/");
  assert.deepEqual(
    { entries, cell, points, cached },
    { entries: ["one", "two"], cell: 2, points: 2, cached: "value of two" },
  );
});
