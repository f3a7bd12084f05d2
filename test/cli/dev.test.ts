import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ChildOutput } from "../support/child-output.js";
import { kstate, runtimeDirectory, startKstate } from "../support/service.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));

const app = (text: string) => `
import { createServer } from "node:http";
import { defineState, u32 } from "kstate";
import { joinLiveUpdate } from "kstate/live";
import { greeting } from "./lib/greeting.EXT";

const visits = { count: 0 };
const server = createServer((request, response) => {
  visits.count += 1;
  response.end(JSON.stringify({ text: "${text}", greeting: greeting("you"), count: visits.count }));
});
server.keepAliveTimeout = 600_000; // an update may take a while on a busy machine
const live = await joinLiveUpdate({ name: "dev" });
live.register(defineState({ name: "visits", id: 1, fields: [["count", u32]] }), visits);
live.listen(server, { port: 0, host: "127.0.0.1" });
await live.ready();
`;

/** A project of a user, with what it has installed. */
class Project {
  readonly directory: string;
  runtime: string;
  readonly #extension: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  output!: ChildOutput;
  #port = 0;

  constructor(t: TestContext, extension: "mjs" | "ts", installed: readonly string[]) {
    this.#extension = extension;
    t.after(async () => {
      this.output.child.kill("SIGTERM"); // before its directories go
      await this.output.closed();
    });
    this.runtime = runtimeDirectory(t);
    this.directory = mkdtempSync(join(tmpdir(), "kstate-dev-"));
    t.after(() => {
      this.#agent.destroy();
      rmSync(this.directory, { recursive: true, force: true });
    });
    mkdirSync(join(this.directory, "node_modules"));
    for (const name of installed) {
      const target = name === "kstate" ? root : join(root, "node_modules", name);
      symlinkSync(target, join(this.directory, "node_modules", name));
    }
    mkdirSync(join(this.directory, "src/lib"), { recursive: true });
    this.write("package.json", `{ "type": "module" }`);
    this.writeApp("one");
    this.writeGreeting("hello");
  }

  write(path: string, content: string): void {
    writeFileSync(join(this.directory, path), content);
  }

  writeApp(text: string): void {
    this.write(`src/app.${this.#extension}`, app(text).replace("EXT", this.#extension));
  }

  /** As editors do it: beside it, then renamed. */
  writeGreeting(word: string): void {
    const type = this.#extension === "ts" ? ": string" : "";
    const path = `src/lib/greeting.${this.#extension}`;
    this.write(`${path}.new`, `export const greeting = (name${type}) => \`${word}, \${name}\`;\n`);
    renameSync(join(this.directory, `${path}.new`), join(this.directory, path));
  }

  /** Runs `kstate dev` until the test ends. */
  dev(): ChildOutput {
    this.output = startKstate(this.runtime, ["dev", join(this.directory, `src/app.${this.#extension}`)]);
    return this.output;
  }

  async serving(): Promise<void> {
    await this.output.saw(/ serves/);
    const { stdout } = await kstate(this.runtime, "status", "--name", "dev", "--json");
    this.#port = Number(/:(\d+)$/.exec((JSON.parse(stdout) as { listeners: string[] }).listeners[0]!)![1]);
  }

  /** Waits until standard error matches so many times. */
  async sawTimes(pattern: RegExp, times: number): Promise<void> {
    await this.output.saw(new RegExp(`(?:${pattern.source}[^]*){${times}}`));
  }

  get(): Promise<{ text: string; greeting: string; count: number; connection: number }> {
    return new Promise((resolve, reject) => {
      const request = get({ port: this.#port, host: "127.0.0.1", agent: this.#agent }, (response) => {
        const connection = response.socket.localPort;
        let body = "";
        response.setEncoding("utf8").on("data", (chunk) => {
          body += chunk;
        });
        response.once("end", () => resolve({ ...JSON.parse(body), connection }));
      });
      request.once("error", reject);
    });
  }
}

test("each saved change is a live update with the state and the connection kept", async (t) => {
  const project = new Project(t, "mjs", ["kstate"]);
  project.dev();
  await project.serving();
  const { count, connection } = await project.get();
  assert.equal(count, 1);
  project.writeApp("two");
  await project.sawTimes(/has the state and serves/, 1);
  const second = await project.get();
  assert.deepEqual([second.text, second.greeting, second.count], ["two", "hello, you", 2]);
  assert.equal(second.connection, connection);
  project.writeGreeting("welcome"); // in a folder, through a rename
  await project.sawTimes(/has the state and serves/, 2);
  assert.deepEqual(await project.get(), { text: "two", greeting: "welcome, you", count: 3, connection });
});

test("what kstate itself writes is no change, wherever its directory is", async (t) => {
  const project = new Project(t, "mjs", ["kstate"]);
  project.runtime = join(project.directory, "run");
  mkdirSync(project.runtime, { mode: 0o700 });
  project.dev();
  await project.serving();
  for (const [index, text] of ["two", "three"].entries()) {
    project.writeApp(text);
    await project.sawTimes(/has the state and serves/, index + 1);
  }
  assert.doesNotMatch(project.output.stderr, /run\//);
});

test("a broken change leaves the version before serving and shows why; the repair is the next update", async (t) => {
  const project = new Project(t, "mjs", ["kstate"]);
  project.dev();
  await project.serving();
  await project.get();
  project.write("src/lib/greeting.mjs", "export const greeting = ;\n");
  await project.sawTimes(/the version before goes on/, 1);
  assert.match(project.output.stderr, /SyntaxError/);
  assert.deepEqual((await project.get()).count, 2);
  project.writeGreeting("again");
  await project.sawTimes(/has the state and serves/, 1);
  const { greeting, count } = await project.get();
  assert.deepEqual([greeting, count], ["again, you", 3]);
});

test("a burst of changes is few updates, and the last one counts, whenever it comes", async (t) => {
  const project = new Project(t, "mjs", ["kstate"]);
  project.dev();
  await project.serving();
  for (let change = 0; change < 20; change += 1) {
    project.writeApp(`change ${change}`);
    project.writeGreeting(`word ${change}`);
  }
  await project.sawTimes(/changed\n/, 1); // an update is under way
  project.writeApp("the last one");
  let updates = 1;
  for (; ; updates += 1) {
    await project.sawTimes(/has the state and serves/, updates);
    if ((await project.get()).text === "the last one") break;
  }
  assert.ok(updates < 10, `${updates} updates for 41 changes`);
});

test("saving what is there already is no change, and node_modules is not looked at", async (t) => {
  const project = new Project(t, "mjs", ["kstate"]);
  project.dev();
  await project.serving();
  project.writeApp("one");
  project.write("node_modules/other.js", "1;\n");
  project.write(".env.json", "{}");
  project.writeGreeting("seen"); // comes after them
  await project.sawTimes(/has the state and serves/, 1);
  assert.match(project.output.stderr, /: \S*greeting\.mjs changed\n/);
});

test("a program that cannot start is started by the change that repairs it", async (t) => {
  const project = new Project(t, "mjs", ["kstate"]);
  project.write("src/app.mjs", "throw new Error('not yet');\n");
  project.dev();
  await project.output.saw(/not yet/);
  await project.output.saw(/watching/);
  await project.output.saw(/ended with exit code 1/);
  project.writeApp("now");
  await project.serving();
  assert.equal((await project.get()).text, "now");
});

test("TypeScript is run by the tsx of the project", async (t) => {
  const project = new Project(t, "ts", ["kstate", "tsx"]);
  project.dev();
  await project.serving();
  await project.get();
  project.writeGreeting("typed");
  await project.sawTimes(/has the state and serves/, 1);
  const { greeting, count } = await project.get();
  assert.deepEqual([greeting, count], ["typed, you", 2]);
});

const strips = Boolean((process.features as { typescript?: unknown }).typescript);

test("TypeScript without tsx is run by Node itself where it can, and otherwise says what to install", async (t) => {
  const project = new Project(t, "ts", ["kstate"]);
  const output = project.dev();
  if (strips) {
    await project.serving();
    assert.equal((await project.get()).count, 1);
    return;
  }
  assert.equal(await output.closed(), 2);
  assert.match(output.stderr, /cannot run .*app\.ts: .* npm install --save-dev tsx.*\[ENTRY_INVALID\]/);
});

test("without a program it says how to call it, and --help says the rest", async (t) => {
  const directory = runtimeDirectory(t);
  const { status, stderr } = await kstate(directory, "dev");
  assert.equal(status, 2);
  assert.match(stderr, /no program: kstate dev app\.ts/);
  assert.match((await kstate(directory, "dev", "--help")).stdout, /--watch DIR/);
});
