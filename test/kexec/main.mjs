// npm run test:kexec [-- luo dax]: carries two services over real reboots in a machine of software emulation, there and back.
// LUO on a kernel that is built when there is none in the cache (--cached: not built), DAX on Debian's stock kernel.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runMachine, said } from "./machine.mjs";
import { ensureTools, luoKernel, Skipped, stockKernel } from "./prepare.mjs";
import { makeInitrd, makeRootImage } from "./root-image.mjs";

const args = process.argv.slice(2);
const mayBuild = !args.includes("--cached");
const verbose = args.includes("--verbose");
const wanted = args.filter((arg) => !arg.startsWith("--"));

const MODULES = ["virtio_pci", "virtio_blk", "libnvdimm", "nd_btt", "nd_pmem", "nd_e820"];
const subjects = {
  dax: (directory) => {
    const stock = stockKernel();
    const initrd = join(directory, "initrd");
    makeInitrd(initrd, stock, MODULES);
    makeRootImage(join(directory, "root"), { "boot/kernel": stock.kernel, "boot/initrd": initrd });
    // The persistent memory is RAM between 1 GiB and 1 GiB + 96 MiB, which both kernels are told to leave alone.
    return { kernel: stock.kernel, initrd, memory: "1536M", append: "memmap=96M!1G" };
  },
  luo: (directory) => {
    const kernel = luoKernel(mayBuild);
    makeRootImage(join(directory, "root"), { "boot/kernel": kernel });
    return { kernel, initrd: null, memory: "1G", append: "root=/dev/vda ro init=/init kho=on liveupdate=on" };
  },
};

async function main() {
  const names = wanted.length > 0 ? wanted : Object.keys(subjects);
  const outcomes = [];
  for (const name of names) outcomes.push(await test(name));
  console.log("");
  for (const outcome of outcomes) console.log(outcome.text);
  return outcomes.some(({ failed }) => failed) ? 1 : 0;
}

async function test(name) {
  const directory = mkdtempSync(join(tmpdir(), "kstate-kexec-"));
  try {
    ensureTools();
    mkdirSync(directory, { recursive: true });
    console.log(`\n── ${name}: preparing`);
    const machine = subjects[name](directory);
    const console_ = await boot(name, machine, join(directory, "root"));
    verify(name, console_);
    return { failed: false, text: `PASSED kexec ${name}: three boots, nothing lost` };
  } catch (error) {
    if (error instanceof Skipped) return { failed: false, text: `SKIPPED kexec ${name}: ${error.message}` };
    return { failed: true, text: `FAILED kexec ${name}: ${error.stack}` };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Runs the machine to its end, and returns what it printed. */
function boot(name, machine, root) {
  const append = `${machine.append} kstate.kind=${name} kstate.step=1`;
  return runMachine({ ...machine, append, root }, (line) => {
    const shown = verbose || /^@@|KHO: exec from|kexec_core: Starting/.test(line);
    if (shown) console.log(`   ${line.slice(0, 1000)}`);
  });
}

function verify(name, lines) {
  const found = lines.map(said).filter((what) => what !== null);
  const failure = found.find(({ failed }) => failed);
  const tail = lines.slice(-30).join("\n");
  assert.equal(failure, undefined, `boot ${failure?.step}: ${failure?.failed}\n${tail}`);
  assert.ok(
    found.some(({ done }) => done),
    `the machine ended before it was done:\n${tail}`,
  );
  const at = (step, member) => found.find((what) => what.step === String(step) && member in what)?.[member];

  const boots = [1, 2, 3].map((step) => at(step, "bootId"));
  assert.equal(new Set(boots).size, 3, "three boots have three boot ids");
  if (name === "luo") {
    const handed = lines.filter((line) => /KHO: exec from/.test(line));
    assert.equal(handed.length, 2, "the kernel says twice that it was handed over to");
    assert.equal(at(2, "heldIn"), "luo:arena", "the session outlives a version that cannot load");
  }
  for (const step of [1, 2])
    assert.equal(at(step, "dryRun").outcome, "ready", JSON.stringify(at(step, "dryRun")));

  const [first, second, third] = [1, 2, 3].map((step) => at(step, "digest"));
  assert.deepEqual([first.version, second.version, third.version], [1, 2, 1]);
  assert.deepEqual([second.handovers, third.handovers], [first.handovers + 1, first.handovers + 2]);
  for (const { restored, frozen } of [second, third]) {
    assert.match(restored, /^[0-9a-f]{64}$/);
    assert.equal(restored, frozen, "what arrived is what was sent");
  }
  const folios = [1, 2, 3].map((step) => at(step, "filled"));
  assert.deepEqual(folios, [folios[0], folios[0], folios[0]], "folios, arrays and maps stay where they are");
  assert.deepEqual([folios[0].value, folios[0].points, folios[0].cached], [1_000_001, 1, "value of before"]);
  // Version 1 has no season and no champions: it carries the subsection, unread, and version 2 has it again.
  assert.equal(at(2, "champions").season, 1, "a field of version 2 has its default");
  assert.ok(at(2, "championsLeft") > 0);
  assert.deepEqual([at(3, "season"), at(3, "championsLeft") >= at(2, "championsLeft")], [1, true]);
  assert.deepEqual([at(3, "again").version, at(3, "again").restored], [2, at(3, "again").frozen]);
  // Version 2 keeps no colour, and writes it for version 1 all the same.
  assert.ok(at(3, "colours").length > 0);
  for (const [player, colour, right] of at(3, "colours")) assert.equal(colour, right, player);
  report(name, at);
}

/** What it took, on the guest's own clocks. */
function report(name, at) {
  console.log(`\n   ${name} on Linux ${at(1, "kernel")}, under software emulation`);
  for (const step of [2, 3]) {
    const pause = at(step, "wallMs") - at(step - 1, "wallMs");
    console.log(
      `   boot ${step}: ${at(step, "bootId")}; from kstate kexec to serving ${pause} ms of the guest's clock, ` +
        `serving ${at(step, "servesAtMs")} ms after power-on`,
    );
  }
}

process.exitCode = await main();
