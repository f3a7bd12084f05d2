/** Nothing that a supervisor does waits for somebody to read its log. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LogQueue, type WriteOutcome } from "#src/cli/log-queue.js";
import { closeDescriptor, POLL, poll, sendBytes, streamPair } from "#src/memory/index.js";
import { runtimeDirectory, Service } from "../support/service.js";

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

/** Somewhere to write that takes as many bytes as it is told. */
class Sink {
  room: number | "failed" = 0;
  errno = "EPIPE";
  text = "";
  #flush: (() => void) | undefined;
  readonly queue = new LogQueue(
    (bytes) => this.#write(bytes),
    (flush) => {
      assert.equal(this.#flush, undefined, "one try is asked for at a time");
      this.#flush = flush;
    },
  );

  #write(bytes: Uint8Array): WriteOutcome {
    if (this.room === "failed") return { failed: this.errno };
    const taken = bytes.subarray(0, this.room);
    if (taken.length === 0) return "full";
    this.room -= taken.length;
    this.text += Buffer.from(taken).toString();
    return taken.length;
  }

  /** The time for another try has come. */
  take(room: number): string {
    this.room = room;
    const flush = this.#flush;
    this.#flush = undefined;
    flush?.();
    return this.text;
  }
}

test("lines wait in order, are whole however little is taken at a time, and none is counted", () => {
  const sink = new Sink();
  for (const text of ["one", "two\nthree", "four"]) sink.queue.add(text);
  for (let round = 0; round < 19; round += 1) sink.take(1);
  assert.equal(sink.text, "one\ntwo\nthree\nfour\n");
  sink.room = 99;
  sink.queue.add("five");
  assert.equal(sink.text, "one\ntwo\nthree\nfour\nfive\n");
});

test("lines without room are counted, and the count is said in their place before what comes later", () => {
  const sink = new Sink();
  sink.queue.add("first");
  sink.queue.add("x".repeat(64 * 1024));
  sink.queue.add("short, but after one that is left out\nand so is this");
  assert.equal(sink.take(6), "first\n");
  sink.room = 1000;
  sink.queue.add("later");
  assert.equal(sink.text, "first\nkstate: 3 lines were not written, as nobody read them\nlater\n");
});

test("a text that is longer than all that may wait is written when it is alone", () => {
  const sink = new Sink();
  const text = "x".repeat(200_000);
  sink.queue.add(text);
  assert.equal(sink.take(1_000_000), `${text}\n`);
});

test("who reads has gone or the disk is full: what waits is counted, also the count that could not be said", () => {
  const sink = new Sink();
  sink.queue.add("one");
  sink.room = "failed";
  sink.queue.add("two");
  sink.queue.add("three");
  sink.room = 1000;
  sink.queue.add("four");
  assert.equal(sink.text, "kstate: 3 lines were not written, as nobody read them\nfour\n");
  sink.room = "failed";
  sink.errno = "ENOSPC";
  sink.queue.add("five");
  sink.room = 1000;
  sink.text = "";
  sink.queue.add("six");
  assert.equal(sink.text, "kstate: 1 line was not written, the system said ENOSPC\nsix\n");
});

/** A standard error that nobody reads until the test does. */
interface Unread {
  /** For the process. */
  readonly writer: number;
  readonly reader: number;
  fill(): void;
}

/** Writes until nothing more is taken. */
function fillWith(write: (bytes: Uint8Array) => number | "full" | "closed"): void {
  for (const size of [4096, 1]) {
    const bytes = Buffer.alloc(size, "\n");
    try {
      while (typeof write(bytes) === "number");
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
    }
  }
}

const kinds: Record<"pipe" | "socket", (t: TestContext) => Unread> = {
  pipe(t) {
    const path = join(runtimeDirectory(t), "log");
    assert.equal(spawnSync("mkfifo", [path]).status, 0);
    const reader = openSync(path, O_RDONLY | O_NONBLOCK);
    const filler = openSync(path, O_WRONLY | O_NONBLOCK);
    const writer = openSync(path, O_WRONLY);
    t.after(() => {
      for (const descriptor of [reader, filler, writer]) closeSync(descriptor); // whoever hangs on it goes on
    });
    return { reader, writer, fill: () => fillWith((bytes) => writeSync(filler, bytes)) };
  },
  socket(t) {
    const [reader, writer] = streamPair();
    t.after(() => {
      for (const descriptor of [reader, writer]) closeDescriptor(descriptor);
    });
    return { reader, writer, fill: () => fillWith((bytes) => sendBytes(writer, bytes)) };
  },
};

/** Reads until the text matches; fails when nothing comes for so long that nothing will. */
function readUntil(reader: number, pattern: RegExp): string {
  const buffer = Buffer.alloc(64 * 1024);
  let text = "";
  while (!pattern.test(text)) {
    const [events] = poll([{ fd: reader, events: POLL.in }], 30_000);
    assert.equal(events, POLL.in, `nothing more came after ${JSON.stringify(text.trim().slice(-500))}`);
    text += buffer.toString("utf8", 0, readSync(reader, buffer));
  }
  return text.trim();
}

/** The program that serves, when it is not `before`; nothing else than asking tells, as the log is not read. */
async function served(t: TestContext, service: Service, before?: number): Promise<number> {
  for (;;) {
    t.signal.throwIfAborted();
    const { status, stdout } = await service.kstate("status", "--json");
    if (status !== 0) continue;
    const { program } = JSON.parse(stdout) as { program: { pid: number; phase: string } };
    if (program.phase === "serving" && program.pid !== before) return program.pid;
  }
}

for (const kind of ["pipe", "socket"] as const) {
  test(`nobody reads the ${kind} of the log: a start, a restart, an update and a stop do not wait`, {
    timeout: 120_000,
  }, async (t) => {
    const { reader, writer, fill } = kinds[kind](t);
    fill();
    const service = await Service.start(t, "counter", { serving: false, stderr: writer });
    const first = await served(t, service);
    process.kill(first, "SIGKILL");
    const second = await served(t, service, first);
    const long = await service.kstate("update", "--", "/nowhere/program", "x".repeat(100_000));
    assert.equal(long.status, 1, long.stderr);
    assert.equal((await service.update({ VERSION: "2" })).status, 0);

    const text = readUntil(reader, /not written.*\n/);
    const order = [`${first} serves`, "(restart 1)", `${second} serves`, "lines were not written, as nobody"];
    const places = order.map((part) => text.indexOf(part));
    assert.ok(!places.includes(-1), text);
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
      text,
    );
    assert.doesNotMatch(text, /committed/);

    fill();
    assert.equal((await service.kstate("stop")).status, 0);
    assert.equal(await service.supervisor.closed(), 0);
  });
}

const dist = (name: string) => JSON.stringify(import.meta.resolve(`#src/cli/${name}.js`));
const script = `
import { logWithoutWaiting } from ${dist("service-log")};
import { printError } from ${dist("print")};
logWithoutWaiting();
for (let line = 1; line <= 3; line += 1) printError("line " + line);
process.emitWarning("of Node", "KstateWarning", "CODE");
setTimeout(() => { throw new Error("nobody caught this"); });
`;

/** Runs the script to its end. */
async function exitOf(t: TestContext, stderr: number): Promise<number | null> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "ignore", stderr],
  });
  t.after(() => child.kill("SIGKILL"));
  await once(child, "exit", { signal: t.signal });
  return child.exitCode;
}

const said =
  /^line 1\nline 2\nline 3\n\(node:\d+\) \[CODE\] KstateWarning: of Node\nError: nobody caught this\n/;

test("lines, warnings of Node and an error that nobody caught go one way, in order", {
  timeout: 60_000,
}, async (t) => {
  for (const kind of ["pipe", "socket"] as const) {
    const { reader, writer, fill } = kinds[kind](t);
    assert.equal(await exitOf(t, writer), 1);
    assert.match(readUntil(reader, /caught this\n/), said);
    fill();
    assert.equal(await exitOf(t, writer), 1, `a full ${kind}`);
  }
  const path = join(runtimeDirectory(t), "log");
  const file = openSync(path, "w");
  t.after(() => closeSync(file));
  writeSync(file, "before\n");
  assert.equal(await exitOf(t, file), 1);
  assert.match(readFileSync(path, "utf8").replace(/^before\n/, ""), said);
});

test("a standard error that nobody holds the other end of is survived", { timeout: 60_000 }, async (t) => {
  const [reader, writer] = streamPair();
  closeDescriptor(reader);
  t.after(() => closeDescriptor(writer));
  assert.equal(await exitOf(t, writer), 1);
  const path = join(runtimeDirectory(t), "log");
  assert.equal(spawnSync("mkfifo", [path]).status, 0);
  const gone = openSync(path, O_RDONLY | O_NONBLOCK);
  const pipe = openSync(path, O_WRONLY);
  closeSync(gone);
  t.after(() => closeSync(pipe));
  assert.equal(await exitOf(t, pipe), 1);
});
