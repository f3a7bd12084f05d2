import assert from "node:assert/strict";
import { test } from "node:test";
import { Service } from "../support/service.js";

interface Failure {
  readonly outcome: string;
  readonly error: {
    readonly code: string;
    readonly detail: { readonly verdict: string; readonly findings: readonly { readonly rule: string }[] };
  };
}

test("an update whose rollback would be refused is refused with the checker's report, and --force makes it", async (t) => {
  const service = await Service.start(t, "hero");
  await service.get("/hit");
  const refused = await service.update({ STATE: "dropped" });
  assert.equal(refused.status, 1);
  assert.match(
    refused.stderr,
    /^error hero\.armour: the old program reads version 1, which has armour; .* \[rollback-not-writable\]$/m,
  );
  assert.match(refused.stderr, /^FORWARD_ONLY: running program → next version: 1 error, /m);
  assert.match(
    refused.stderr,
    /kstate update: the next version is FORWARD_ONLY: .*hero\.armour.*; mend it, or update with --force \[UPDATE_REFUSED\]\n$/,
  );
  assert.deepEqual((await service.get("/hit")).body, { state: "one", hp: 3 });

  const forced = await service.update({ STATE: "dropped" }, "--force");
  assert.equal(forced.status, 0, forced.stderr);
  assert.deepEqual((await service.get("/hit")).body, { state: "dropped", hp: 4 });
  const back = await service.kstate("rollback");
  assert.equal(back.status, 1);
  assert.match(back.stderr, /\[(UPDATE_REFUSED|NO_COMMON_VERSION)\]/);
  assert.deepEqual((await service.get("/")).body, { state: "dropped", hp: 4 });
});

test("what is COLD is refused before any pause, and --force does not help", async (t) => {
  const service = await Service.start(t, "hero");
  for (const options of [[], ["--force"]]) {
    const { status, stdout, stderr } = await service.update({ STATE: "inserted" }, "--json", ...options);
    assert.equal(status, 1);
    const { outcome, error } = JSON.parse(stdout) as Failure;
    assert.deepEqual([outcome, error.code, error.detail.verdict], ["failed", "UPDATE_REFUSED", "COLD"]);
    assert.ok(error.detail.findings.some(({ rule }) => rule === "field-inserted"));
    assert.ok(!stderr.includes("quiescing"), "it was refused before anybody was held back");
  }
  assert.deepEqual((await service.get("/hit")).body, { state: "one", hp: 2 });
});

test("a waived finding needs no --force", async (t) => {
  const service = await Service.start(t, "hero");
  const { status, stderr } = await service.update({ STATE: "waived" });
  assert.equal(status, 0, stderr);
  assert.deepEqual((await service.get("/hit")).body, { state: "waived", hp: 2 });
});
