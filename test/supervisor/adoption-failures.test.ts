/** An adoption that fails at any of its steps leaves the program as it was, and nothing of its own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isKstateError } from "#src/error/index.js";
import { adoptService } from "#src/supervisor/adopt-service.js";
import { ServiceRecordFile } from "#src/supervisor/service-record.js";
import { BrokenSystem, descriptors } from "../support/broken-system.js";
import { Service } from "../support/service.js";

test("an adoption that fails at any of its steps leaves no descriptor, and the program serves and can be adopted", async (t) => {
  const service = await Service.start(t, "counter");
  await service.get("/add?amount=1");
  await service.killSupervisor();
  const record = new ServiceRecordFile(service.directory, "default").read();
  assert.ok(record !== null);
  const broken = new BrokenSystem();
  const steps = ["dialRaw", "sendText", "receive", "watch", "attachMemory", "socketOf"] as const;
  for (const call of steps) {
    broken.broken = { call, count: 0 };
    const before = descriptors();
    assert.throws(
      () => adoptService(broken.system, record),
      (error) => isKstateError(error, "SYSTEM_CALL") && error.detail.call === call,
      call,
    );
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate); // Node closes what it has had
    assert.equal(descriptors(), before, `${call}: descriptors are left`);
    assert.equal((await service.get("/add?amount=1")).body.from, "boot", `${call}: the program serves on`);
  }
  await service.adopt();
  assert.equal((await service.get("/")).body.count, 1 + steps.length);
  assert.equal((await service.update({ VERSION: "2" })).status, 0);
  assert.equal((await service.get("/")).body.count, 1 + steps.length);
});
