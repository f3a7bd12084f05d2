import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const fill = fileURLToPath(new URL("./fixtures/fill.js", import.meta.url));

/** Allocates until it is refused; the last line is the refusal, and the process is alive to print it. */
function fillMemory(args: readonly string[], command: readonly string[] = []): string {
  const [file = process.execPath, ...before] = [...command, process.execPath];
  const { stdout, stderr, signal, status } = spawnSync(file, [...before, fill, ...args], {
    encoding: "utf8",
  });
  assert.equal(signal, null, `ended by a signal: ${stderr}`);
  assert.equal(status, 0, stderr);
  return stdout;
}

function isRoot(t: TestContext): boolean {
  if (process.getuid?.() === 0) return true;
  t.skip("needs root, to mount a small tmpfs and to make a cgroup; run the tests as root to have it");
  return false;
}

test("a full tmpfs is an error that names it, and never a signal", (t) => {
  if (!isRoot(t)) return;
  const mountPoint = mkdtempSync(join(tmpdir(), "kstate-tmpfs-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=16m", "tmpfs", mountPoint]);
  if (mounted.status !== 0) {
    rmdirSync(mountPoint);
    t.skip(`cannot mount a tmpfs here: ${mounted.stderr}`);
    return;
  }
  try {
    const path = join(mountPoint, "memory");
    const output = fillMemory([path]);
    assert.match(output, /^allocated (?:1[0-5]|[5-9])\d* MiB/m);
    assert.match(
      output,
      /MEMORY_FULL cannot allocate 1048576 bytes in file .*: fallocate failed: no space left on device \(ENOSPC\); free some, or give it more room/,
    );
    assert.match(output, /^allocated again after freeing some$/m);
  } finally {
    spawnSync("umount", [mountPoint]);
    rmSync(mountPoint, { recursive: true, force: true });
  }
});

test("a cgroup's limit is an error that names it, and never a kill", (t) => {
  if (!isRoot(t)) return;
  const [, path = ""] = /^\d+:memory:(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8")) ?? [];
  const unified = existsSync("/sys/fs/cgroup/cgroup.controllers");
  const parent = unified ? "/sys/fs/cgroup" : `/sys/fs/cgroup/memory${path}`;
  const group = join(parent, `kstate-test-${process.pid}`);
  const directory = mkdtempSync(fileURLToPath(new URL("pages-", import.meta.url))); // on a disk: /tmp may be memory
  t.after(() => rmSync(directory, { recursive: true }));
  try {
    mkdirSync(group);
    writeFileSync(join(group, unified ? "memory.max" : "memory.limit_in_bytes"), String(160 * 1024 * 1024));
  } catch (error) {
    if (existsSync(group)) rmdirSync(group);
    t.skip(`cannot make a cgroup with a memory limit here: ${(error as Error).message}`);
    return;
  }
  try {
    const enter = ["sh", "-c", `echo $$ > ${join(group, "cgroup.procs")} && exec "$@"`, "sh"];
    // Pages of a file that was written or read count towards the limit, and are no reason to refuse anything.
    const write = `dd if=/dev/zero of=${join(directory, "pages")} bs=1M count=200`;
    const enterBusy = ["sh", "-c", `echo $$ > ${join(group, "cgroup.procs")} && ${write} && exec "$@"`, "sh"];
    for (const command of [enter, enterBusy]) {
      const output = fillMemory(["memfd"], command);
      assert.match(
        output,
        /MEMORY_FULL cannot allocate 1048576 bytes: \S*kstate-test-\d+\S* \(167772160 bytes\) leaves \d+/,
      );
      const allocated = Number(/^allocated (\d+) MiB$/m.exec(output)?.[1]);
      assert.ok(allocated > 50, `only ${allocated} MiB of 160`);
      assert.match(output, /^allocated again after freeing some$/m);
    }
  } finally {
    rmdirSync(group);
  }
});
