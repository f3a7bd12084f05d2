import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../examples/arena/main.js", import.meta.url));

interface Phase {
  readonly title: string;
  readonly update: { readonly outcome: string; readonly figures?: { readonly webSockets: number } } | null;
  readonly digest: { readonly version: number; readonly frozen: string; readonly restored: string };
  readonly counts: Readonly<Record<string, number>>;
  readonly probe: { readonly answers: number; readonly blackoutMs: number | null };
}

async function runArena(args: readonly string[]) {
  const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { output, errors, exitCode };
}

describe("the arena of npm start", () => {
  const directory = mkdtempSync(join(tmpdir(), "kstate-test-"));
  const json = join(directory, "arena.json");
  let run: Awaited<ReturnType<typeof runArena>>;
  let phases: readonly Phase[];

  before(async () => {
    run = await runArena(["--clients", "40", "--seconds", "1", "--json", json]);
    assert.equal(run.exitCode, 0, `${run.output}\n${run.errors}`);
    phases = (JSON.parse(readFileSync(json, "utf8")) as { phases: Phase[] }).phases;
  });
  after(() => rmSync(directory, { recursive: true }));

  it("updates, rolls back, updates again, and survives a version that does not boot", () => {
    assert.deepEqual(
      phases.map(({ title, update, digest }) => [title, update?.outcome ?? null, digest.version]),
      [
        ["no update", null, 1],
        ["1 → 2", "committed", 2],
        ["2 → 1 rollback", "committed", 1],
        ["1 → 2 again", "committed", 2],
        ["2 → 3 broken", "failed", 2],
      ],
    );
  });

  it("moves every WebSocket and the whole state with each update", () => {
    for (const { update, digest } of phases.slice(1, 4)) {
      assert.equal(update?.figures?.webSockets, 41); // the clients and the probe
      assert.match(digest.frozen, /^[0-9a-f]{64}$/);
      assert.equal(digest.restored, digest.frozen);
    }
    assert.equal(new Set(phases.slice(1, 4).map(({ digest }) => digest.frozen)).size, 3);
  });

  it("loses, doubles and refuses nothing, under load in every phase", () => {
    for (const { title, counts, probe } of phases) {
      for (const count of ["sent", "received", "requests", "posts", "webSockets", "keepAlive"])
        assert.ok(counts[count]! > 0, `${title}: ${count}`);
      for (const count of ["lost", "doubled", "reordered", "failed", "reopened", "webSocketsClosed"])
        assert.equal(counts[count], 0, `${title}: ${count}`);
      assert.ok(probe.answers > 0, title);
      const isMoved = ["1 → 2", "2 → 1 rollback", "1 → 2 again"].includes(title);
      assert.equal(probe.blackoutMs !== null, isMoved, title);
    }
  });

  it("ends with a table and a sentence", () => {
    const line = (title: string): string =>
      run.output.split("\n").findLast((line) => line.startsWith(title)) ?? "";
    assert.match(line("update "), /outcome +client +server .*messages +lost +doubled +requests +failed/);
    assert.match(line("1 → 2 "), /committed .* 16\/16 +40\/40 .* 0 +0 +[\d,]+ +0 +[0-9a-f]{8} +[0-9a-f]{8}$/);
    assert.match(line("2 → 1 rollback"), /committed/);
    assert.match(line("2 → 3 broken"), /refused/);
    assert.match(run.output, /\nNothing was lost, doubled or refused\.\n$/);
  });

  it("refuses options that it does not understand", async () => {
    const { exitCode, errors } = await runArena(["--clients", "none"]);
    assert.equal(exitCode, 2);
    assert.match(errors, /--clients none is not a number above 0\nusage: npm start/);
  });
});

interface SequenceLike {
  add(number: number): void;
  lost(end?: number): number;
  readonly doubled: number;
  readonly reordered: number;
}

describe("the arena's check of numbers", async () => {
  const file = new URL("../../examples/arena/run/sequence.js", import.meta.url).href;
  const { Sequence } = (await import(file)) as { Sequence: new () => SequenceLike };
  const check = (numbers: readonly number[], end?: number) => {
    const sequence = new Sequence();
    for (const number of numbers) sequence.add(number);
    return { lost: sequence.lost(end), doubled: sequence.doubled, reordered: sequence.reordered };
  };

  it("finds what is lost, at the start, between and at the end", () => {
    assert.deepEqual(check([1, 2, 3], 3), { lost: 0, doubled: 0, reordered: 0 });
    assert.deepEqual(check([2, 3, 6], 8), { lost: 5, doubled: 0, reordered: 0 });
  });

  it("tells doubled from reordered", () => {
    assert.deepEqual(check([1, 2, 2, 3, 1]), { lost: 0, doubled: 2, reordered: 0 });
    assert.deepEqual(check([1, 3, 2, 4]), { lost: 0, doubled: 0, reordered: 1 });
  });
});

type Change = Readonly<Record<string, unknown>>;

describe("the arena's verdict", async () => {
  const file = new URL("../../examples/arena/run/verdict.js", import.meta.url).href;
  const { problemsOf } = (await import(file)) as {
    problemsOf: (phase: object, expected: { outcome: "committed"; version: number }) => string[];
  };
  const none = {
    lost: 0,
    doubled: 0,
    reordered: 0,
    webSocketsClosed: 0,
    failed: 0,
    reopened: 0,
    problems: [],
  };
  const verdict = (counts: Change, digest: Change, update: Change = { outcome: "committed" }): string[] =>
    problemsOf(
      {
        title: "update",
        update,
        digest: { version: 2, frozen: "aa", restored: "aa", ...digest },
        counts: { ...none, ...counts },
      },
      { outcome: "committed", version: 2 },
    );

  it("is content when nothing was lost", () => {
    assert.deepEqual(verdict({}, {}), []);
  });

  for (const count of Object.keys(none).filter((key) => key !== "problems")) {
    it(`names what is not 0: ${count}`, () =>
      assert.match(verdict({ [count]: 1 }, {})[0] ?? "", /^update: 1 /));
  }

  it("names a state that has changed on the way, a wrong version, and an update that was refused", () => {
    assert.deepEqual(verdict({}, { restored: "bb" }), ["update: the state digest was aa before and is bb"]);
    assert.deepEqual(verdict({}, { version: 1 }), ["update: version 1 serves, not 2"]);
    const refused = { outcome: "failed", error: { message: "no memory" } };
    assert.deepEqual(verdict({}, {}, refused), ["update: the update failed: no memory"]);
  });
});
