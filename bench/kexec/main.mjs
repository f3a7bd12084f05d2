// npm run bench:kexec -- [--quick] [--json FILE] [--only luo|pause]: what a reboot costs, in a machine of software emulation: LUO's
// own requests by size; the pause of a service over a kexec by phase, beside a cold start that reads its state from a disk.
// A whole run takes some ten minutes, and writes docs/performance.md. What `--only` leaves out is taken from --json's FILE.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runMachine, said } from "../../test/kexec/machine.mjs";
import { ensureTools, luoKernel, run } from "../../test/kexec/prepare.mjs";
import { makeRootImage } from "../../test/kexec/root-image.mjs";
import { pageWith, tables } from "./page.mjs";

const { values } = parseArgs({
  options: { quick: { type: "boolean" }, json: { type: "string" }, only: { type: "string" } },
});
const quick = values.quick ?? false;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "kstate-bench-"));
const root = join(directory, "root");
const disk = join(directory, "disk");

const SIZES = quick ? [1, 16] : [1, 16, 64, 256, 1024];
const STATE = quick ? { accounts: 1000, mib: 8 } : { accounts: 100_000, mib: 64 };
const ROUNDS = quick ? 1 : 3;
const LUO = "root=/dev/vda ro init=/init kho=on liveupdate=on bench.step=1";

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Each thing that a machine said, with when it was heard here, ms. */
async function listen(machine, isLast = () => false) {
  const heard = [];
  const lines = await runMachine({ root, ...machine }, (line, end) => {
    const what = said(line) ?? startedIn(line);
    if (what === null) return;
    heard.push({ atMs: performance.now(), ...what });
    if (isLast(what)) end();
  });
  return { heard, tail: lines.slice(-30).join("\n") };
}

/** What kstate itself says. */
const startedIn = (line) => (/kstate: bank: started \d+/.test(line) ? { started: true } : null);

/** LUO's requests and a carrier on it, by size. */
async function measureLuo(kernel) {
  const kept = [];
  const restored = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const append = `${LUO} bench.kind=luo bench.sizes=${SIZES.join(",")} bench.rounds=${ROUNDS} bench.mib=0`;
    const { heard, tail } = await listen({ kernel, memory: "5G", append });
    assert.ok(heard.at(-1)?.done, tail);
    kept.push(...heard.filter((what) => "storeMs" in what));
    restored.push(...heard.filter((what) => "restoreMs" in what));
  }
  assert.ok(
    restored.every(({ isWhole }) => isWhole),
    "what was carried is what was kept",
  );
  return SIZES.map((mebibytes) => {
    const of = (rows, name) =>
      median(rows.filter((row) => row.mebibytes === mebibytes).map((row) => row[name]));
    return {
      mebibytes,
      preserveMs: of(kept, "preserveMs"),
      storeMs: of(kept, "storeMs"),
      retrieveMs: of(restored, "retrieveMs"),
      restoreMs: of(restored, "restoreMs"),
      finishMs: of(restored, "finishMs"),
    };
  });
}

/** The phases of a kexec, ms: from the freeze until the service serves again. */
async function kexecOnce(kernel) {
  const append = `${LUO} bench.kind=kexec ${stateOptions()}`;
  const { heard, tail } = await listen({ kernel, memory: "1536M", append });
  const [before, after] = heard.filter(({ sum }) => sum !== undefined);
  assert.ok(after !== undefined && before.sum === after.sum, tail);
  const at = heard.findIndex(({ suspended }) => suspended !== undefined);
  const { suspended, waitMs } = heard[at];
  const rebootsAtMs = heard[at].atMs + waitMs;
  const later = heard.slice(at + 1);
  const up = later.find(({ uptime }) => uptime !== undefined);
  const started = later.find((what) => what.started);
  const serves = later.find((what) => what.serves);
  const kernelAtMs = up.atMs - up.uptime * 1000;
  return {
    "quiesce and save": suspended.quiesceMs + suspended.saveMs,
    "keep in LUO": suspended.keepMs,
    "the program and the command end":
      suspended.totalMs - suspended.quiesceMs - suspended.saveMs - suspended.keepMs,
    "kexec, until the next kernel counts time": kernelAtMs - rebootsAtMs,
    "kernel, until init": up.uptime * 1000,
    "kstate boots, retrieves and restores": started.atMs - up.atMs,
    "the program boots, loads and serves": serves.atMs - started.atMs,
    "in all": serves.atMs - rebootsAtMs + suspended.totalMs,
  };
}

/** The same of a program that keeps its state on a disk and is started by a reset of the machine. */
async function coldOnce(kernel) {
  run("mke2fs", ["-q", "-t", "ext2", disk, "512M"], {
    env: { ...process.env, PATH: `${process.env.PATH}:/sbin:/usr/sbin` },
  });
  const append = `root=/dev/vda ro init=/init bench.kind=cold ${stateOptions()}`;
  const machine = { kernel, memory: "1536M", append, disk, resets: true };
  const { heard, tail } = await listen(machine, (what) => what.done);
  rmSync(disk);
  const [before, after] = heard.filter(({ sum }) => sum !== undefined);
  assert.ok(after !== undefined && before.sum === after.sum, tail);
  const stops = heard.find((what) => what.stops);
  const kept = heard.find((what) => what.kept);
  const up = heard.findLast(({ uptime }) => uptime !== undefined);
  const serves = heard.findLast((what) => what.serves);
  const kernelAtMs = up.atMs - up.uptime * 1000;
  return {
    "write the state to a disk": kept.atMs - stops.atMs,
    "reset and firmware, until the kernel counts time": kernelAtMs - kept.atMs,
    "kernel, until init": up.uptime * 1000,
    "the program boots, reads, parses and serves": serves.atMs - up.atMs,
    "in all": serves.atMs - stops.atMs,
  };
}

const stateOptions = () => `bench.accounts=${STATE.accounts} bench.mib=${STATE.mib}`;

async function measurePause(kernel) {
  const kexec = [];
  const cold = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    kexec.push(await kexecOnce(kernel));
    cold.push(await coldOnce(kernel));
  }
  const medians = (rows) =>
    Object.fromEntries(Object.keys(rows[0]).map((phase) => [phase, median(rows.map((row) => row[phase]))]));
  return { state: STATE, kexec: medians(kexec), cold: medians(cold) };
}

try {
  ensureTools();
  const kernel = luoKernel(true);
  const extra = { "boot/kernel": kernel, init: here("init") };
  for (const name of ["service", "plain", "state", "luo", "reboot"])
    extra[`app/bench/${name}.mjs`] = here(`${name}.mjs`);
  makeRootImage(root, extra);
  const before =
    values.only !== undefined && values.json !== undefined && existsSync(values.json)
      ? JSON.parse(readFileSync(values.json, "utf8"))
      : {};
  const result = {
    node: process.version,
    machine: `${cpus().length} × ${cpus()[0].model.trim()}`,
    rounds: ROUNDS,
    luo: values.only === "pause" ? before.luo : await measureLuo(kernel),
    pause: values.only === "luo" ? before.pause : await measurePause(kernel),
  };
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 1)}\n`);
  console.log(tables(result));
  const page = here("../../docs/performance.md");
  const isWhole = !quick && result.luo !== undefined && result.pause !== undefined;
  if (isWhole) writeFileSync(page, pageWith(readFileSync(page, "utf8"), result));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
