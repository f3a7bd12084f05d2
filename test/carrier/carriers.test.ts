/** The contract of a carrier, on all of them. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Carrier, daxCarrier, fileCarrier, luoCarrier, processCarrier } from "#src/carrier/index.js";
import { isKstateError, KstateError } from "#src/error/index.js";
import { FakeLuo } from "./fake-luo.ts";
import { contentOf, suspendedMemory } from "./suspended.ts";

interface Subject {
  readonly name: string;
  /** A carrier, and what happens between the program that stores and the one that resumes. */
  make(): { readonly carrier: Carrier; reboot(): void };
  /** Whether a state that was resumed can be told from none. */
  readonly remembers: boolean;
}

const directory = mkdtempSync(join(tmpdir(), "kstate-carrier-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
let paths = 0;
const path = (): string => {
  paths += 1;
  return join(directory, String(paths), "state.kstate");
};

const subjects: Subject[] = [
  {
    name: "process",
    make: () => ({ carrier: processCarrier(), reboot: () => {} }),
    remembers: false,
  },
  { name: "file", make: () => ({ carrier: fileCarrier(path()), reboot: () => {} }), remembers: true },
  {
    name: "file in parts",
    make: () => ({ carrier: fileCarrier(path(), { partBytes: 10_000 }), reboot: () => {} }),
    remembers: true,
  },
  {
    name: "DAX",
    make: () => ({ carrier: daxCarrier(path(), { relaxed: true }), reboot: () => {} }),
    remembers: true,
  },
  {
    name: "LUO",
    make: () => {
      const luo = new FakeLuo();
      return { carrier: luoCarrier("chat", luo), reboot: () => luo.reboot() };
    },
    remembers: false,
  },
];

const facts = { service: "chat", generation: 3 };

for (const { name, make, remembers } of subjects) {
  test(`${name}: nothing waits where nothing was kept`, () => {
    assert.equal(make().carrier.find(), undefined);
  });

  test(`${name}: a suspended memory comes back as it was, without what nobody kept`, async () => {
    const memory = suspendedMemory();
    const { carrier, reboot } = make();
    const stored = await carrier.store(memory, facts);
    assert.deepEqual([stored.record.service, stored.record.generation], ["chat", 3]);
    assert.ok(stored.record.sizeBytes < 1024 * 1024, "pages of zeros are left out");
    reboot();
    const waiting = carrier.find();
    assert.equal(waiting?.record.generation, 3);
    const restored = waiting.restore();
    assert.deepEqual(contentOf(restored), contentOf(memory));
    assert.throws(
      () => restored.alloc(1),
      (error) => isKstateError(error, "NOT_ALLOWED_NOW"),
    );
    restored.own();
    restored.claim(restored.preserved().folios[0]!.address).bytes.fill(1);
    restored.alloc(4096).bytes.fill(2);
  });

  test(`${name}: it can be restored again until somebody has finished with it`, async () => {
    const memory = suspendedMemory();
    const { carrier, reboot } = make();
    await carrier.store(memory, facts);
    reboot();
    const waiting = carrier.find()!;
    waiting.restore();
    assert.deepEqual(contentOf(waiting.restore()), contentOf(memory));
    waiting.finish();
    if (!remembers) return assert.equal(carrier.find(), undefined);
    assert.throws(
      () => carrier.find(),
      (error) => isKstateError(error, "STALE") && /was resumed at .*--stale-ok/.test(error.message),
    );
    const again = carrier.find({ staleOk: true })!;
    assert.deepEqual(contentOf(again.restore()), contentOf(memory));
    again.finish();
    assert.throws(
      () => carrier.find(),
      (error) => isKstateError(error, "STALE"),
    );
  });

  test(`${name}: others have their turns while a state is being kept, and none in storeNow`, async () => {
    const memory = suspendedMemory();
    const { carrier, reboot } = make();
    const order: string[] = [];
    const nextTurn = (): void => {
      order.push("turn");
      if (!order.includes("kept")) setImmediate(nextTurn);
    };
    setImmediate(nextTurn);
    const stored = await carrier.store(memory, facts, { progress: () => order.push("step") });
    order.push("kept");
    const steps = order.filter((what) => what === "step").length;
    assert.ok(order.indexOf("turn") < order.indexOf("kept"), "before anything was kept");
    if (steps > 1) assert.ok(order.lastIndexOf("turn") > order.indexOf("step"), order.join(", "));
    stored.discard();
    const turnsBefore = order.length;
    setImmediate(() => order.push("turn"));
    carrier.storeNow(memory, facts);
    assert.equal(order.length, turnsBefore, "nothing else runs meanwhile");
    reboot();
    assert.deepEqual(contentOf(carrier.find()!.restore()), contentOf(memory));
  });

  test(`${name}: a store that is abandoned in the middle leaves nothing, and its reason is told`, async () => {
    const { carrier, reboot } = make();
    const abandoned = new AbortController();
    const keeping = carrier.store(suspendedMemory(), facts, { signal: abandoned.signal });
    const reason = new KstateError("UPDATE_CANCELLED", "never mind", { reason: "test" });
    abandoned.abort(reason);
    await assert.rejects(keeping, (error) => error === reason);
    reboot();
    assert.equal(carrier.find(), undefined);
  });

  test(`${name}: what was kept can be taken back`, async () => {
    const { carrier, reboot } = make();
    (await carrier.store(suspendedMemory(), facts)).discard();
    reboot();
    assert.equal(carrier.find(), undefined);
    await carrier.store(suspendedMemory(), facts);
    reboot();
    assert.equal(carrier.find()?.record.generation, 3);
  });
}

test("LUO: a session that its holder lets go of before the reboot is lost, and one that fails leaves nothing", async () => {
  const luo = new FakeLuo();
  const carrier = luoCarrier("chat", luo);
  luo.failNext = "ENOMEM";
  await assert.rejects(carrier.store(suspendedMemory(), facts), (error) =>
    isKstateError(error, "CARRIER_FAILED"),
  );
  const stored = await carrier.store(suspendedMemory(), facts);
  await assert.rejects(carrier.store(suspendedMemory(), facts), (error) =>
    isKstateError(error, "CARRIER_FAILED"),
  );
  stored.discard();
  luo.reboot();
  assert.equal(carrier.find(), undefined);
});

test("LUO: a session belongs to whoever found it, until that has finished", async () => {
  const luo = new FakeLuo();
  const carrier = luoCarrier("chat", luo);
  await carrier.store(suspendedMemory(), facts);
  luo.reboot();
  const waiting = carrier.find()!;
  assert.equal(waiting.isHeld, true);
  assert.throws(
    () => carrier.find(),
    (error) => isKstateError(error, "CARRIER_FAILED"),
  );
  waiting.finish();
  assert.equal(carrier.find(), undefined);
});
