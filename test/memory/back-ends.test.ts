import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isKstateError } from "#src/error/index.js";
import {
  type BackEnd,
  createHeap,
  createMemfd,
  duplicate,
  type Folio,
  HANDOVER,
  openDax,
  openDescriptor,
  openFile,
  PhysicalMemory,
} from "#src/memory/index.js";

const CAPACITY = 4 * 1024 * 1024;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const shown = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

interface Subject {
  readonly name: string;
  make(): BackEnd;
  /** The same memory for somebody else; undefined where nobody else can have it. */
  share?(backEnd: BackEnd): BackEnd;
}

const directory = mkdtempSync(join(tmpdir(), "kstate-memory-"));
const shm = mkdtempSync("/dev/shm/kstate-memory-");
process.on("exit", () => {
  for (const path of [directory, shm]) rmSync(path, { recursive: true, force: true });
});
let files = 0;
const file = (parent: string, persist: boolean): Subject["make"] => {
  return () => {
    files += 1;
    return openFile(join(parent, `memory-${files}`), CAPACITY, { persist });
  };
};
const share = ({ descriptor }: BackEnd): BackEnd => openDescriptor(duplicate(descriptor));

const subjects: Subject[] = [
  { name: "memfd", make: () => createMemfd(CAPACITY), share },
  { name: "a file in tmpfs", make: file(shm, false), share },
  { name: "a plain file", make: file(directory, true), share },
  // Where nothing is on DAX the same back end runs on an ordinary file.
  {
    name: "a DAX file (relaxed, on an ordinary file)",
    make: () => {
      files += 1;
      return openDax(join(directory, `memory-${files}`), CAPACITY, { relaxed: true });
    },
    share,
  },
  { name: "heap", make: () => createHeap(CAPACITY) },
];

for (const { name, make, share: shareWith } of subjects) {
  test(`${name}: a folio is zeros, keeps what is stored, and is zeros again when its pages come back`, () => {
    const memory = PhysicalMemory.create(make());
    const folio = memory.alloc(5000);
    assert.deepEqual([folio.size, folio.order, Number(folio.address) % folio.size], [8192, 1, 0]);
    const numbers = folio.view(Float64Array);
    assert.ok(numbers.every((value) => value === 0));
    numbers.fill(1.5);
    assert.equal(folio.bytes[7], 0x3f);
    const { address } = folio;
    memory.free(folio);
    assert.throws(
      () => memory.free(folio),
      (error) => isKstateError(error, "FOLIO_INVALID"),
    );
    const again = memory.alloc(5000);
    assert.equal(again.address, address);
    assert.ok(again.bytes.every((value) => value === 0));
  });

  test(`${name}: what does not fit is refused, and all of it can be had again`, () => {
    const memory = PhysicalMemory.create(make());
    const { freeBytes } = memory;
    const folios: Folio[] = [];
    assert.throws(
      () => {
        for (;;) folios.push(memory.alloc(300_000));
      },
      (error) => isKstateError(error, "MEMORY_FULL") && /the capacity of 4194304 bytes/.test(error.message),
    );
    for (const folio of folios) memory.free(folio);
    assert.equal(memory.freeBytes, freeBytes);
    assert.throws(
      () => memory.alloc(2 ** 33),
      (error) => isKstateError(error, "MEMORY_FULL"),
    );
    assert.throws(
      () => memory.alloc(-1),
      (error) => isKstateError(error, "MEMORY_FULL"),
    );
  });

  test(`${name}: streams are kept, replaced and dropped by name, in any order`, () => {
    const memory = PhysicalMemory.create(make());
    const { freeBytes } = memory;
    const keep = (stream: string, value: string, generation: number): void => {
      const folio = memory.alloc(value.length);
      folio.bytes.set(text(value));
      memory.keepStream(stream, folio, value.length, generation);
    };
    keep("a", "first", 1);
    keep("b", "second", 2);
    keep("a", "third", 3);
    assert.deepEqual([shown(memory.stream("a")?.bytes), memory.stream("a")?.generation], ["third", 3]);
    memory.dropStream("a");
    memory.dropStream("never");
    assert.equal(memory.stream("a"), undefined);
    assert.equal(shown(memory.stream("b")?.bytes), "second");
    memory.dropStream("b");
    assert.equal(memory.freeBytes, freeBytes);
  });

  if (shareWith === undefined) continue;

  test(`${name}: the next owner finds streams and folios, claims each folio once, and frees the rest`, () => {
    const backEnd = make();
    const old = PhysicalMemory.create(backEnd);
    const [kept, lost, volatile] = [old.alloc(100_000), old.alloc(1), old.alloc(1)];
    kept.view(Uint32Array).fill(0xc0ffee);
    old.preserve([
      { folio: kept, owner: "positions" },
      { folio: lost, owner: "nobody" },
    ]);
    const stream = old.alloc(10);
    stream.bytes.set(text("state"));
    old.keepStream(HANDOVER, stream, 5, 7, { state: "PENDING" });

    const next = PhysicalMemory.attach(shareWith(backEnd));
    assert.equal(next.superblock().state, "PENDING");
    assert.equal(shown(next.stream(HANDOVER)?.bytes), "state");
    assert.throws(
      () => next.alloc(1),
      (error) => isKstateError(error, "NOT_ALLOWED_NOW"),
    );
    const folio = next.claim(Number(kept.address));
    assert.deepEqual([folio.order, folio.view(Uint32Array)[24_999]], [kept.order, 0xc0ffee]);
    assert.throws(() => next.claim(Number(kept.address)), /it was restored already/);
    assert.throws(() => next.claim(Number(volatile.address)), /nothing is preserved there/);
    next.own();
    next.settle();
    assert.equal(next.superblock().state, "RUNNING");
    assert.equal(next.stream(HANDOVER), undefined, "a stale stream could be taken for a new one");
    assert.deepEqual(next.freeUnclaimed(), [{ address: Number(lost.address), order: 0, owner: "nobody" }]);
    folio.view(Uint32Array).fill(1);
    assert.equal(kept.view(Uint32Array)[0], 1, "it is not the same memory");
    next.free(folio);
    assert.equal(PhysicalMemory.attach(shareWith(backEnd)).preserved().folios.length, 0);
  });

  test(`${name}: a folio with an owner outlasts a program that says nothing more, and one that is freed does not`, () => {
    const backEnd = make();
    const old = PhysicalMemory.create(backEnd);
    const [kept, freed, plain] = [old.alloc(5000, "x"), old.alloc(1, "y"), old.alloc(1)];
    kept.bytes.fill(7);
    old.free(freed, plain);
    const next = PhysicalMemory.attach(shareWith(backEnd));
    assert.ok(!next.isOwned);
    next.own();
    assert.ok(next.isOwned);
    assert.deepEqual(next.preserved().folios, [
      { address: Number(kept.address), order: kept.order, owner: "x" },
    ]);
    const folio = next.claim(Number(kept.address));
    assert.ok(folio.bytes.subarray(0, 5000).every((byte) => byte === 7));
    next.unclaim(folio);
    next.preserveInUse();
    assert.equal(next.preserved().folios[0]?.owner, "x");
    assert.equal(next.claim(Number(kept.address)).size, folio.size);
    assert.throws(
      () => next.free(folio),
      (error) => isKstateError(error, "FOLIO_INVALID"),
    );
  });

  test(`${name}: a fenced program cannot reach the memory through any view, until it is let in again`, () => {
    const backEnd = make();
    const old = PhysicalMemory.create(backEnd);
    const folio = old.alloc(4096);
    old.preserve([{ folio, owner: "x" }]);
    const next = PhysicalMemory.attach(shareWith(backEnd)).claim(Number(folio.address));
    folio.bytes[0] = 1;
    old.fence();
    folio.bytes[0] = 2;
    assert.equal(next.bytes[0], 1);
    old.unfence();
    assert.equal(folio.bytes[0], 1, "what was stored behind the fence has come through");
    folio.bytes[0] = 3;
    assert.equal(next.bytes[0], 3);
  });

  test(`${name}: pages that are not used take no room`, () => {
    const backEnd = make();
    const memory = PhysicalMemory.create(backEnd);
    const blocks = (): number => statSync(`/proc/self/fd/${backEnd.descriptor}`).blocks;
    const before = blocks();
    const folio = memory.alloc(1024 * 1024);
    assert.ok(blocks() - before >= 2048, "the pages were not there when they were allocated");
    memory.free(folio);
    assert.ok(blocks() - before < 2048, "the pages were not given back");
  });
}

test("memory of another size than it says, or of somebody else, is refused", () => {
  assert.throws(() => PhysicalMemory.attach(createMemfd(CAPACITY)), /neither superblock is valid/);
  for (const capacity of [4096, 12_288, 12_289, 20_481]) {
    assert.throws(() => PhysicalMemory.create(createHeap(capacity)), RangeError);
  }
});

test("a file that is not on DAX is refused by name, unless it is asked for, and then its memory is found again", () => {
  for (const [parent, name] of [
    [directory, "ordinary"],
    [shm, "tmpfs"],
  ] as const) {
    const path = join(parent, name);
    assert.throws(
      () => openDax(path, CAPACITY),
      (error) =>
        isKstateError(error, "DAX_UNSUPPORTED") &&
        error.detail.path === path &&
        /its file system is not mounted with dax on persistent memory; mount it so/.test(error.message),
    );
  }
  const path = join(directory, "again");
  const folio = PhysicalMemory.create(openDax(path, CAPACITY, { relaxed: true })).alloc(5000, "x");
  folio.bytes.fill(7);
  const next = PhysicalMemory.attach(openDax(path, 0, { relaxed: true }));
  next.own();
  assert.ok(
    next
      .claim(Number(folio.address))
      .bytes.subarray(0, 5000)
      .every((byte) => byte === 7),
  );
});

test("a folio is viewed inside its bounds only", () => {
  const folio = PhysicalMemory.create(createHeap(CAPACITY)).alloc(4096);
  assert.equal(folio.view(Float64Array).length, 512);
  assert.equal(folio.view(Uint16Array, 4090, 3).length, 3);
  assert.throws(
    () => folio.view(Uint16Array, 4090, 4),
    (error) => isKstateError(error, "FOLIO_INVALID"),
  );
});
