/** What a supervisor needs of the system is asked for before anything is started, and its absence has a name. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isKstateError } from "#src/error/index.js";
import { ensureRuntimeDirectory } from "#src/supervisor/runtime-directory.js";
import { cli, fixture, runtimeDirectory, startProcess } from "../support/service.js";

const wayOut = /set KSTATE_RUNTIME_DIR/;

test("a runtime directory that cannot be made or written is refused by name, with a way out", (t) => {
  const directory = runtimeDirectory(t);
  writeFileSync(join(directory, "file"), "");
  symlinkSync("nowhere", join(directory, "link"));
  const cases: readonly (readonly [string, RegExp])[] = [
    ["/proc/nowhere/below", /\/proc\/nowhere\/below cannot be made \(ENOENT\)/],
    ["/proc/sys", /nothing can be written in \/proc\/sys \(E(PERM|ACCES|ROFS)\)|is not a directory of user/],
    [join(directory, "file"), /file is not a directory of user/],
    [join(directory, "file/below"), /below cannot be made \(ENOTDIR\)/],
    [join(directory, "link"), /link is not a directory of user/],
    [join(directory, "link/below"), /below cannot be made \(ENOENT\)/],
  ];
  for (const [path, fact] of cases) {
    assert.throws(
      () => ensureRuntimeDirectory(path),
      (error) =>
        isKstateError(error, "NAME_INVALID") && fact.test(error.message) && wayOut.test(error.message),
      path,
    );
  }
  ensureRuntimeDirectory(join(directory, "a/b/c"));
  ensureRuntimeDirectory(join(directory, "a/b/c"));
});

test("commands say so too: a service is not begun, and none is found", async (t) => {
  const path = join(runtimeDirectory(t), "file");
  writeFileSync(path, "");
  const env = { KSTATE_RUNTIME_DIR: join(path, "below"), KSTATE_DIR: join(path, "states") };
  const begun = startProcess(t, [cli, "run", "--", process.execPath, fixture("counter")], env);
  assert.equal(await begun.closed(), 2);
  assert.match(begun.stderr, wayOut);
  const asked = startProcess(t, [cli, "status"], env);
  assert.equal(await asked.closed(), 2);
  assert.match(asked.stderr, /no service named default runs here.*\[NO_SUPERVISOR\]/);
  const alone = startProcess(t, [fixture("ledger")], env);
  assert.notEqual(await alone.closed(), 0);
  assert.match(alone.stderr, /cannot make .*ENOTDIR.*set KSTATE_DIR to a directory/);
});

const deny = (call: number): string =>
  `data:text/javascript,${encodeURIComponent(
    `import { deny } from ${JSON.stringify(import.meta.resolve("../faults/deny.js"))}; deny({ calls: [${call}], errno: 1 });`,
  )}`;

test("a sandbox that refuses what adopting and ending take is found when a service begins", async (t) => {
  if (process.platform !== "linux" || process.arch !== "x64")
    return t.skip("NOT TESTED: the filter's numbers are those of Linux on x64");
  for (const [name, call] of [
    ["pidfd_open", 434],
    ["pidfd_send_signal", 424],
  ] as const) {
    const directory = join(runtimeDirectory(t), "run");
    mkdirSync(directory, { mode: 0o700 });
    const command = [process.execPath, fixture("counter")];
    for (const begin of [
      ["run", "--", ...command],
      ["dev", fixture("counter")],
    ]) {
      const output = startProcess(t, ["--import", deny(call), cli, ...begin], {
        KSTATE_RUNTIME_DIR: directory,
        KSTATE_DIR: `${directory}.states`,
      });
      assert.notEqual(await output.closed(), 0);
      assert.match(output.stderr, new RegExp(`the system refuses ${name} \\(EPERM\\)`));
      assert.match(output.stderr, /allow pidfd_open and pidfd_send_signal .*\[SYSTEM_CALL\]/);
      assert.doesNotMatch(output.stderr, /started \d/);
      assert.ok(!existsSync(join(directory, "default.sock")));
    }
  }
});

test("kstate dev says what is in the way of its memory, ends, and leaves its name free", async (t) => {
  const directory = runtimeDirectory(t);
  const output = startProcess(t, [cli, "dev", "--memory", "7000000G", fixture("counter")], {
    KSTATE_RUNTIME_DIR: directory,
  });
  assert.notEqual(await output.closed(), 0);
  assert.match(output.stderr, /^kstate dev: .*\[[A-Z_]+\]$/m);
  assert.ok(!existsSync(join(directory, "dev.sock")));
});
