import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createMemfd, HANDOVER, PhysicalMemory } from "#src/memory/index.js";
import { Program } from "#src/supervisor/program.js";
import { type StartOptions, startProgram } from "#src/supervisor/start-program.js";
import { supervisorSystem } from "#src/supervisor/system.js";
import { fixture, runtimeDirectory } from "../support/service.js";

/** Programs that follow each other in one memory, as a supervisor starts them. */
class Memory {
  readonly memory = PhysicalMemory.create(createMemfd(256 * 1024 * 1024));
  readonly #t: TestContext;
  readonly #directory: string;
  #programs = 0;

  constructor(t: TestContext) {
    this.#t = t;
    this.#directory = runtimeDirectory(t);
  }

  /** Starts the ledger and waits until it serves. */
  start(environment: Record<string, string> = {}): Promise<Run> {
    this.#programs += 1;
    const options: StartOptions = {
      command: { argv: [process.execPath, "--enable-source-maps", fixture("ledger")], environment },
      cwd: this.#directory,
      name: "ledger",
      role: "first",
      controlPath: join(this.#directory, `${this.#programs}.sock`),
      memory: this.memory.descriptor,
      listeners: [],
    };
    return new Promise((resolve, reject) => {
      let url = "";
      const ended = deferred();
      const start = startProgram(supervisorSystem, options);
      const program: Program = new Program(
        supervisorSystem,
        options.command,
        start.kind === "started" ? start.contact : start.error,
        {
          exited: (error) => {
            ended.resolve();
            reject(new Error(error.message));
          },
          message: async (message) => {
            if (message.type === "listen") {
              const { descriptor, text } = await supervisorSystem.bind(message.address);
              url = `http://${text}`;
              program.sendDescriptor(descriptor);
              supervisorSystem.close(descriptor);
              program.send({ type: "listening", key: message.key, error: null });
            }
            if (message.type === "ready") program.send({ type: "boot" });
            if (message.type === "serving") resolve(new Run(program, url, ended.promise));
          },
        },
      );
      this.#t.after(() => program.kill("SIGKILL"));
    });
  }
}

function deferred(): { promise: Promise<void>; resolve(): void } {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

class Run {
  readonly #program: Program;
  readonly #url: string;
  readonly #ended: Promise<void>;

  constructor(program: Program, url: string, ended: Promise<void>) {
    this.#program = program;
    this.#url = url;
    this.#ended = ended;
  }

  async get(path: string): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.#url}${path}`, { headers: { connection: "close" } });
    return (await response.json()) as Record<string, unknown>;
  }

  async kill(): Promise<void> {
    this.#program.kill("SIGKILL");
    await this.#ended;
  }
}

/** Waits for a checkpoint in the memory that was begun after now. */
async function checkpoint({ memory }: Memory, run: Run): Promise<void> {
  const at = (): number | undefined =>
    memory.preserved().streams.find(({ name }) => name === "checkpoint")?.address;
  for (let changes = 0, last = at(); changes < 2; ) {
    await run.get("/");
    if (at() !== last) changes += 1;
    last = at();
  }
}

test("a program that was killed is started again from its checkpoint, folios and collections too", async (t) => {
  const memory = new Memory(t);
  const first = await memory.start({ EVERY_MS: "10" });
  await first.get("/add?text=one");
  await first.get("/add?text=two");
  await first.get("/renew"); // frees the folio that the last checkpoint has
  await first.get("/add?text=three");
  await checkpoint(memory, first);
  const { free } = await first.get("/");
  await first.kill();
  const again = await memory.start({ VERSION: "2", EVERY_MS: "10" });
  const { from, entries, cell, points, cached, owner } = await again.get("/");
  assert.deepEqual(
    { from, entries, cell, points, cached, owner },
    {
      from: "recover",
      entries: ["one", "two", "three"],
      cell: 3,
      points: 3,
      cached: "value of three",
      owner: "nobody",
    },
  );
  await checkpoint(memory, again);
  assert.ok(Math.abs(Number((await again.get("/")).free) - Number(free)) <= 2 * 1024 ** 2, "memory was lost");
});

test("without a checkpoint it begins anew, with the collections in place", async (t) => {
  const memory = new Memory(t);
  const first = await memory.start();
  await first.get("/add?text=one");
  await first.kill();
  const again = await memory.start();
  const { from, entries, points } = await again.get("/");
  assert.deepEqual({ from, entries, points }, { from: "boot", entries: [], points: 1 });
});

test("a handover that was never taken over is not found by the next program, whatever the state says", async (t) => {
  const memory = new Memory(t);
  const first = await memory.start({ EVERY_MS: "10" });
  await first.get("/add?text=one");
  await checkpoint(memory, first);
  await first.kill();
  // What a program leaves that is killed while it is frozen: PENDING, and a handover.
  memory.memory.own();
  const handover = memory.memory.alloc(4096);
  handover.bytes.fill(0xee);
  memory.memory.keepStream(HANDOVER, handover, 100, 9, { state: "PENDING", preserveInUse: true });
  const again = await memory.start({ EVERY_MS: "10" });
  const { from, entries } = await again.get("/");
  assert.deepEqual({ from, entries }, { from: "recover", entries: ["one"] });
  assert.equal(memory.memory.superblock().state, "RUNNING");
  assert.equal(memory.memory.stream(HANDOVER), undefined);
});
