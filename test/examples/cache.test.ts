import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../examples/cache/main.js", import.meta.url));
const MIB = 32;
const ENTRIES = MIB * 32;

interface Phase {
  readonly title: string;
  readonly version: number;
  readonly entries: number;
  readonly load: Readonly<Record<"requests" | "failed" | "wrong" | "reopened", number>> & {
    readonly blackoutMs: number | null;
  };
  readonly update: { readonly outcome: string; readonly figures: { readonly streamBytes: number } } | null;
  readonly peak: Readonly<Record<"programs" | "shared" | "own", number>>;
}

async function runCache(args: readonly string[]) {
  const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { output, errors, exitCode };
}

test("the cache of npm run example:cache is updated and rolled back under load, with its entries once in memory", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "kstate-test-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const json = join(directory, "cache.json");
  const { output, errors, exitCode } = await runCache([
    "--mib",
    String(MIB),
    "--seconds",
    "1",
    "--json",
    json,
  ]);
  assert.equal(exitCode, 0, `${output}\n${errors}`);
  const { phases } = JSON.parse(readFileSync(json, "utf8")) as { phases: Phase[] };
  assert.deepEqual(
    phases.map(({ title, version, entries, update }) => [title, version, entries, update?.outcome ?? null]),
    [
      ["no update", 1, ENTRIES, null],
      ["1 → 2", 2, ENTRIES, "committed"],
      ["2 → 1 rollback", 1, ENTRIES, "committed"],
      ["1 → 2 again", 2, ENTRIES, "committed"],
    ],
  );
  const before = phases[0]!.peak;
  assert.ok(before.shared > MIB && before.programs === 1, JSON.stringify(before));
  for (const { title, load, update, peak } of phases) {
    assert.ok(load.requests > 0, title);
    assert.deepEqual([load.failed, load.wrong, load.reopened], [0, 0, 0], title);
    assert.equal(load.blackoutMs !== null, update !== null, title);
    if (update === null) continue;
    assert.equal(peak.programs, 2, `${title}: the two programs were not seen beside each other`);
    assert.ok(update.figures.streamBytes < 10_000, `${title}: entries were in the stream`);
    assert.ok(peak.shared < 1.3 * before.shared, `${title}: ${peak.shared} MiB of ${before.shared}`);
  }
  assert.match(output, new RegExp(`every one of the ${ENTRIES} entries was read at the end and compared`));
  assert.match(output, /\nNo entry was lost, no request failed\.\n$/);
});

test("options of the cache example that make no sense are refused", async () => {
  const { exitCode, errors } = await runCache(["--mib", "much"]);
  assert.equal(exitCode, 2);
  assert.match(errors, /--mib much is not a number above 0\nusage: npm run example:cache/);
});
