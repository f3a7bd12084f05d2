import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { MAX_DESCRIPTORS } from "#src/memory/index.js";

const source = fileURLToPath(new URL("../../../test/memory/fixtures/send-descriptors.c", import.meta.url));

/**
 * What `sendmsg` of musl makes of a message as large as ours get. The whole hand-over under musl is not run: Node for musl
 * is on no registry and in no package of Debian, and needs a libstdc++ that was built for musl.
 */
test("a message of as many descriptors as are sent at a time passes through musl's sendmsg", (t) => {
  if (spawnSync("musl-gcc", ["--version"]).status !== 0) {
    const why = "NOT TESTED: musl-gcc is missing; apt-get install musl-tools";
    console.error(why);
    return t.skip(why);
  }
  const directory = mkdtempSync(join(tmpdir(), "kstate-musl-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const program = join(directory, "send");
  const built = spawnSync("musl-gcc", ["-static", "-O1", "-o", program, source], { encoding: "utf8" });
  assert.equal(built.status, 0, built.stderr);
  const errnoOf = (count: number): number | null => spawnSync(program, [String(count)]).status;
  assert.equal(errnoOf(MAX_DESCRIPTORS), 0);
  const more = errnoOf(MAX_DESCRIPTORS + 1);
  assert.ok(more === constants.errno.ENOMEM || more === 0, `errno ${more}`); // musl from 1.2.4 or so takes it
  assert.equal(errnoOf(MAX_DESCRIPTORS + 2), more === 0 ? constants.errno.EINVAL : more); // the kernel takes 253
});
