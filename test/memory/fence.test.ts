import assert from "node:assert/strict";
import { once } from "node:events";
import { fstatSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { createMemfd, duplicate, openDescriptor, PhysicalMemory } from "#src/memory/index.js";

const CAPACITY = 4 * 1024 * 1024;

/** A thread that has the address of the mapping by itself, and stores the number that it is sent. */
const storing = `
  const { parentPort, workerData } = require("node:worker_threads");
  const koffi = require(workerData.koffi);
  const view = new Uint8Array(koffi.view(BigInt(workerData.address), workerData.length));
  parentPort.on("message", ({ at, value }) => {
    view[at] = value;
    parentPort.postMessage(view[at]);
  });
`;

/** Where this process has mapped the whole memory of an inode. */
function mappingOf(inode: bigint): string {
  for (const line of readFileSync("/proc/self/maps", "utf8").split("\n")) {
    const [, start, end, found] = /^(\w+)-(\w+) \S+ \w+ \S+ (\d+) /.exec(line) ?? [];
    if (found === String(inode) && Number.parseInt(end!, 16) - Number.parseInt(start!, 16) === CAPACITY)
      return `0x${start}`;
  }
  throw new Error("the memory is not mapped");
}

test("a worker thread with a pointer of its own is fenced off with its program, and let in again", async (t) => {
  const backEnd = createMemfd(CAPACITY);
  const old = PhysicalMemory.create(backEnd);
  const folio = old.alloc(4096);
  old.preserve([{ folio, owner: "x" }]);
  const address = mappingOf(fstatSync(backEnd.descriptor, { bigint: true }).ino);
  const workerData = {
    address,
    length: CAPACITY,
    koffi: new URL(import.meta.resolve("koffi")).pathname.replace(/index\.js$/, ""),
  };
  const worker = new Worker(storing, { eval: true, workerData });
  t.after(() => worker.terminate());
  const store = async (value: number): Promise<number> => {
    worker.postMessage({ at: Number(folio.address), value });
    return (await once(worker, "message"))[0] as number;
  };
  assert.equal(await store(1), 1);
  const next = PhysicalMemory.attach(openDescriptor(duplicate(backEnd.descriptor)));
  const { bytes } = next.claim(Number(folio.address));
  assert.equal(bytes[0], 1);
  old.fence();
  assert.equal(await store(2), 2, "the worker goes on");
  assert.deepEqual([bytes[0], folio.bytes[0]], [1, 2]);
  assert.throws(() => old.alloc(1), /another program owns it/);
  old.unfence();
  assert.equal(folio.bytes[0], 1);
  assert.equal(await store(3), 3);
  assert.equal(bytes[0], 3);
});
