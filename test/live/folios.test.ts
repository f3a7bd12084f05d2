import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { test } from "node:test";
import { Service } from "../support/service.js";

/** The number of the page frame behind an address of physical memory in a program; 0n when we may not know it. */
function pageFrame(pid: number, address: number): bigint {
  for (const line of readFileSync(`/proc/${pid}/maps`, "utf8").split("\n")) {
    const [, start, end, offset] = /^(\w+)-(\w+) \S+ (\w+) .*memfd:kstate/.exec(line) ?? [];
    if (start === undefined) continue;
    const inMapping = address - Number.parseInt(offset!, 16);
    if (inMapping < 0 || inMapping >= Number.parseInt(end!, 16) - Number.parseInt(start, 16)) continue;
    const entry = Buffer.alloc(8);
    const pagemap = openSync(`/proc/${pid}/pagemap`, "r");
    readSync(pagemap, entry, 0, 8, Math.floor((Number.parseInt(start, 16) + inMapping) / 4096) * 8);
    closeSync(pagemap);
    const value = entry.readBigUInt64LE();
    if ((value & (1n << 63n)) !== 0n) return value & ((1n << 55n) - 1n);
  }
  return 0n;
}

/** The page with the stream of the hand-over, which stays as a checkpoint for a while. */
const KEPT_BYTES = 4096;

test("a folio is the same memory after an update and after a rollback, down to the page frame", async (t) => {
  const service = await Service.start(t, "grid");
  const before = (await service.get("/?at=1000000&value=1.25")).body;
  const address = Number(before.address) + 8_000_000;
  const frame = pageFrame(Number(before.pid), address);
  for (const command of ["update", "rollback"]) {
    assert.equal((await service.kstate(command)).status, 0);
    const { body } = await service.get("/?at=1000000");
    assert.deepEqual(
      [body.value, body.address, body.order, body.writes],
      [1.25, before.address, before.order, 1],
    );
    assert.notEqual(body.pid, before.pid);
    assert.equal(body.free, Number(before.free) - KEPT_BYTES);
    if (frame !== 0n) assert.equal(pageFrame(Number(body.pid), address), frame, "the page was copied");
  }
  if (frame === 0n) t.diagnostic("page frames were not compared: that needs root");
});

test("folios that the state does not have any more are freed, and those in lists come along", async (t) => {
  const service = await Service.start(t, "grid");
  const { free } = (await service.get("/")).body;
  const { spare } = (await service.get("/spare")).body as { spare: number[] };
  await service.get("/lose");
  const { stdout } = await service.kstate("update", "--json");
  assert.equal((JSON.parse(stdout) as { figures: { freedFolios: number } }).figures.freedFolios, 1);
  const { body } = await service.get("/");
  assert.deepEqual(body.spare, spare);
  assert.equal(body.free, Number(free) - 16_384 - KEPT_BYTES);
});

test("a folio of a section that a version does not know is kept for the next one, and nothing else is", async (t) => {
  const service = await Service.start(t, "grid", { env: { LAYER: "known" } });
  await service.get("/layer");
  assert.equal((await service.update({ LAYER: "unknown" })).status, 0);
  await service.get("/lose");
  const { stdout } = await service.update({ LAYER: "unknown" }, "--json");
  assert.equal((JSON.parse(stdout) as { figures: { freedFolios: number } }).figures.freedFolios, 1);
  assert.equal((await service.update({ LAYER: "known" })).status, 0);
  assert.equal((await service.get("/")).body.layer, true);
});

test("a successor that stores into a folio before the commit dies of it, and nothing has changed", async (t) => {
  const service = await Service.start(t, "grid");
  await service.get("/?at=0&value=2.5");
  const { status, stderr } = await service.update({ POKE: "yes" });
  assert.equal(status, 1);
  assert.match(stderr, /SIGSEGV/);
  assert.equal((await service.get("/?at=0")).body.value, 2.5);
  assert.equal((await service.update({ POKE: "no" })).status, 0);
  assert.equal((await service.get("/?at=0")).body.value, 2.5);
});

test("a successor cannot change the memory before it has it, and a cancel leaves it writable", async (t) => {
  const service = await Service.start(t, "grid");
  assert.equal((await service.get("/")).body.early, "");
  assert.equal((await service.update()).status, 0);
  assert.equal((await service.get("/?at=5&value=5")).body.early, "NOT_ALLOWED_NOW");
  assert.equal((await service.kstate("update", "--", "/no/such/program")).status, 1);
  assert.equal((await service.get("/?at=5&value=6")).body.value, 6);
});

test("arrays and maps in place have their rows and entries in every version", async (t) => {
  const service = await Service.start(t, "grid");
  for (let count = 1; count <= 100; count += 1) await service.get(`/point?key=k${count}`);
  for (let count = 1; count <= 100; count += 1) await service.get(`/cache?key=k${count}`);
  for (const command of ["update", "rollback"]) {
    assert.equal((await service.kstate(command)).status, 0);
    const { body } = await service.get("/?key=k77");
    assert.deepEqual([body.points, body.lastX, body.cached], [100, 99, "value of k77"]);
  }
  const { body } = await service.get("/point?key=none");
  assert.deepEqual([body.points, body.lastX, body.cached], [101, 100, ""]);
});

test("a service has as much memory as it was given, also above the largest folio", async (t) => {
  const service = await Service.start(t, "grid", { options: ["--memory", "6G"] });
  const { body } = await service.get("/");
  assert.ok(Number(body.free) > 5.9 * 1024 ** 3, `only ${body.free} bytes are free`);
  assert.equal((await service.update()).status, 0);
  assert.equal((await service.get("/")).body.free, Number(body.free) - KEPT_BYTES);
});
