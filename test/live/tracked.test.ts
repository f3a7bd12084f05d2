import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { type AnyField, defineState, folio, isKstateError, ref, string, struct, u32 } from "kstate";
import { trackedMap } from "kstate/live";
import { ChildOutput } from "../support/child-output.js";
import { fixture, runtimeDirectory, Service } from "../support/service.js";

interface Round {
  readonly entries: number;
  readonly bytes: number;
  readonly ms: number;
}

function roundsOf(stdout: string): Round[] {
  return (JSON.parse(stdout) as { figures: { preCopy: Round[] } }).figures.preCopy;
}

test("a tracked map is sent before the freeze, entry for entry and in order, and back again", async (t) => {
  const service = await Service.start(t, "sessions", { env: { ENTRIES: "20000" } });
  const before = (await service.get("/")).body;
  for (const command of ["update", "rollback", "update"]) {
    const { stdout, stderr } = await service.kstate(command, "--json");
    const [first] = roundsOf(stdout || stderr);
    assert.equal(first?.entries, 20_000);
    assert.ok(first.bytes > 20_000 * 10);
    const { streamBytes } = (JSON.parse(stdout) as { figures: { streamBytes: number } }).figures;
    assert.ok(streamBytes < first.bytes / 20, `${streamBytes} bytes were left to the freeze`);
    const { body } = await service.get("/");
    assert.deepEqual([body.size, body.digest, body.same], [20_000, before.digest, true]);
    assert.notEqual(body.pid, before.pid);
  }
});

test("what changes while it is sent arrives too: additions, deletions, changes in values, a clear", async (t) => {
  const service = await Service.start(t, "sessions", { env: { ENTRIES: "30000" } });
  await service.get("/busy");
  for (let update = 0; update < 3; update += 1) {
    const { status, stdout, stderr } = await service.kstate("update", "--json");
    assert.equal(status, 0, stderr);
    assert.ok(roundsOf(stdout).length >= 1);
    assert.equal((await service.get("/")).body.same, true, `update ${update}`);
  }
  await service.get("/clear");
  assert.equal((await service.kstate("update")).status, 0);
  assert.equal((await service.get("/")).body.same, true);
});

test("a map without entries is sent too, and what comes into it", async (t) => {
  const service = await Service.start(t, "sessions", { env: { ENTRIES: "0" } });
  for (let update = 0; update < 2; update += 1) {
    const { status, stderr } = await service.kstate("update");
    assert.equal(status, 0, stderr);
    await service.get("/add");
    const { body } = await service.get("/");
    assert.deepEqual([body.size, body.same], [update + 1, true]);
  }
});

test("a change inside a value that was not declared before the pre-copy is simply there", async (t) => {
  const service = await Service.start(t, "sessions");
  await service.get("/secret");
  assert.equal((await service.kstate("update")).status, 0);
  assert.equal((await service.get("/")).body.first, 99);
});

for (const [mode, code] of [
  ["throw-on-load", "HOOK_FAILED"],
  ["kill-on-slice", "PROGRAM_EXITED"],
  ["refuse-slice", "HOOK_FAILED"],
] as const) {
  test(`when the successor fails with ${mode}, the old version has its map and the next update works`, async (t) => {
    const service = await Service.start(t, "sessions", { env: { ENTRIES: "5000" } });
    const before = (await service.get("/")).body;
    const { status, stdout, stderr } = await service.update({ MODE: mode }, "--json");
    assert.equal(status, 1, stderr);
    assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, code);
    await service.get("/add");
    const { body } = await service.get("/");
    assert.deepEqual([body.pid, body.size], [before.pid, 5001]);
    assert.equal((await service.update()).status, 0);
    const after = (await service.get("/")).body;
    assert.deepEqual([after.size, after.digest, after.same], [5001, body.digest, true]);
  });
}

test("without a supervisor a tracked map is saved and loaded whole", async (t) => {
  const directory = runtimeDirectory(t);
  const start = async (): Promise<{ run: ChildOutput; view: Record<string, unknown> }> => {
    const run = new ChildOutput(
      spawn(process.execPath, [fixture("sessions")], {
        env: { ...process.env, KSTATE_DIR: directory },
        stdio: ["ignore", "pipe", "pipe"],
      }),
    );
    t.after(() => run.child.kill("SIGKILL"));
    await run.saw(/^serves \d+$/m);
    const port = /^serves (\d+)$/m.exec(run.stderr)![1];
    const response = await fetch(`http://127.0.0.1:${port}/add`, { headers: { connection: "close" } });
    return { run, view: (await response.json()) as Record<string, unknown> };
  };
  const first = await start();
  assert.equal(first.view.size, 1001);
  first.run.child.kill("SIGTERM");
  await first.run.closed();
  const second = await start();
  assert.deepEqual([second.view.size, second.view.same, second.view.from], [1002, true, "restore"]);
});

test("values that refer to each other, or to folios, are refused by name", () => {
  const node = defineState({ name: "node", id: 7, fields: [["a", u32]] });
  const key = string({ max: 10 });
  const holder = defineState({ name: "holder", id: 8, fields: [["node", ref(node)]] });
  const paged = defineState({ name: "paged", id: 9, fields: [["pages", folio()]] });
  for (const [value, field] of [
    [struct(holder), "holder.node"],
    [struct(paged), "paged.pages"],
  ] as const) {
    assert.throws(
      () => trackedMap<typeof key, AnyField>("bad", { key, value, max: 10 }),
      (error) => {
        assert.ok(isKstateError(error, "DESCRIPTION_INVALID"));
        assert.equal(error.detail.field, field);
        assert.match(error.message, /cannot define the tracked map bad: .* use a Map in a registered state/);
        return true;
      },
    );
  }
});

test("rounds of changes make a copy equal, in order, whatever is changed between and during them", () => {
  const operation = fc.record({
    way: fc.constantFrom("set", "set", "set", "touch", "delete", "delete", "clear"),
    key: fc.nat({ max: 12 }),
    value: fc.nat(),
  });
  const rounds = fc.array(fc.array(operation, { maxLength: 12 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 20 }), rounds, (first, later) => {
      const options = { key: u32, value: u32, max: 1000 };
      const original = trackedMap("original", options);
      const copy = trackedMap("copy", options);
      const apply = ({ way, key, value }: { way: string; key: number; value: number }): void => {
        if (way === "set") original.set(key, value);
        else if (way === "delete") original.delete(key);
        else if (way === "clear") original.clear();
        else original.touch(key);
      };
      first.forEach(apply);
      const all = original.entries(); // goes on over what is added meanwhile, as the sender's does
      original.nextRound();
      const [during, ...others] = later;
      for (const [index, operation] of during!.entries()) {
        const next = index % 2 === 0 ? all.next() : undefined;
        if (next?.done === false)
          copy.takeSlice({ base: 0, cleared: false, removed: [], entries: new Map([next.value]) }, 1);
        apply(operation);
      }
      copy.takeSlice({ base: 0, cleared: false, removed: [], entries: new Map(all) }, 1);
      for (const operations of [...others, []]) {
        const changes = original.nextRound()!;
        const present = [...changes.set].filter((key) => original.has(key));
        const entries = new Map(present.map((key) => [key, original.get(key)!]));
        copy.takeSlice({ base: 0, cleared: changes.cleared, removed: [...changes.removed], entries }, 1);
        operations.forEach(apply);
      }
      original.presentChanges(1);
      copy.takeSlice(original.record, 1);
      assert.deepEqual([...copy], [...original]);
    }),
    { numRuns: 500 },
  );
});
