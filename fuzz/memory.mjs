// Damages memory with collections in it and works on them: `node fuzz/memory.mjs [inputs] [seed]`, after a build. 1,000,000
// inputs unless given. Whatever the bytes, a collection must either be refused with a KstateError, which names it when
// it is MEMORY_INVALID, or work; nothing outside of its own folios is read or written, and every step ends.
import assert from "node:assert/strict";
import { argv } from "node:process";
import { pathToFileURL } from "node:url";
import { blob, bytes, defineState, f64, isKstateError, string, u32 } from "kstate";
import { FreeLists } from "#src/memory/collections/free-lists.js";
import { MAP } from "#src/memory/collections/layout.js";
import { SlotTable } from "#src/memory/collections/slot-table.js";
import { assertOpenable, FolioArray, FolioMap, PhysicalMemory } from "#src/memory/index.js";
import { makeRandom } from "./mutate.mjs";

const CAPACITY = 512 * 1024;
const SECRET_BYTES = 16_384;
const SECRET = 0xa5;
const secretBytes = Buffer.alloc(4, SECRET);
const wholeSecret = Buffer.alloc(SECRET_BYTES, SECRET);
const MAX_STEPS = 2_000_000;

const row1 = defineState({
  name: "row",
  id: 1,
  versionId: 1,
  fields: [
    ["n", u32],
    ["name", bytes(12)],
  ],
});
const row2 = defineState({
  name: "row",
  id: 1,
  versionId: 2,
  fields: [
    ["n", u32],
    ["name", bytes(12)],
    ["weight", f64.since(2)],
  ],
});

/** What is in the memory: some in the layout before, of which a part was migrated. */
const collections = {
  text: () => new FolioMap("text", { key: string({ max: 40 }), value: blob({ max: 4000 }) }),
  bounded: () => new FolioMap("bounded", { key: u32, value: blob({ max: 4000 }), maxBytes: 65_536 }),
  rows: (description = row2) => new FolioMap("rows", { key: u32, value: description }),
  array: (description = row2) => new FolioArray("array", description),
};
const names = Object.keys(collections);
const keyFor = (name, n) => (name === "text" ? `key ${n}` : n);
const rowFor = (n) => ({ n, name: new Uint8Array(12).fill(n & 127), weight: n / 2 });
const valueFor = (name, n) => (name === "rows" ? rowFor(n) : new Uint8Array(n % 90).fill(n & 127));

/** Memory of a heap whose bytes are at hand. */
function backEnd(buffer) {
  const view = (start, length) => new Uint8Array(buffer, start, length);
  return {
    name: "heap",
    capacity: CAPACITY,
    descriptor: -1,
    map: (start) => ({
      view: (offset, length) => view(start + offset, length),
      window: () => buffer,
      allowWrites() {},
      fence() {},
      unfence() {},
    }),
    allocate() {},
    release: (offset, length) => void view(offset, length).fill(0),
    persist() {},
    close() {},
  };
}

/** Memory as programs leave it; `variant` tells at what moment. */
function healthy(variant) {
  const buffer = new ArrayBuffer(CAPACITY);
  const memory = PhysicalMemory.create(backEnd(buffer));
  const secret = memory.alloc(SECRET_BYTES, "secret");
  secret.bytes.fill(SECRET);
  for (const name of names) {
    const collection = collections[name](row1);
    collection.openIn(memory);
    const count = variant === 0 ? 40 : 370;
    for (let n = 0; n < count; n += 1) {
      if (name === "array") collection.append(rowFor(n));
      else collection.set(keyFor(name, n), valueFor(name, n));
    }
    if (name !== "array") for (let n = 0; n < count; n += 3) collection.delete(keyFor(name, n));
  }
  const next = PhysicalMemory.attach(backEnd(buffer));
  next.own();
  if (variant === 2) {
    for (const name of ["rows", "array"]) {
      const collection = collections[name]();
      collection.openIn(next);
      collection.migrateStep(100);
    }
  }
  const { address } = secret;
  return { buffer, secretAt: Number(address), folios: next.preserved().folios };
}

/** Where damage goes: mostly to headers, and to words of what belongs to a collection. */
function damage(words, own, random) {
  for (let changes = 1 + random.below(4); changes > 0; changes -= 1) {
    const isHeader = random.below(2) === 0;
    const { address, order } = random.pick(own.filter(({ owner }) => owner.endsWith("#") !== isHeader));
    const start = address / 4;
    const size = 1024 * 2 ** order;
    const way = isHeader ? random.below(4) : 3;
    const places = [random.below(17), 256 + random.below(24), random.pick([1024, 1536, 2048, 2049])];
    const at = start + ((places[way] ?? random.below(size)) % size);
    words[at] = newWord(words, at, start, size, random);
  }
}

function newWord(words, at, start, size, random) {
  switch (random.below(5)) {
    case 0:
      return words[at] ^ (1 << random.below(32));
    case 1:
      return random.pick([0, 1, 2, 3, 64, 65, 255, 4096, 0x7fffffff, 0x80000000, 0xffffffff]);
    case 2:
      return words[start + random.below(size)];
    case 3:
      return words[at] + random.pick([-4096, -16, -1, 1, 16, 4096]);
    default:
      return random.next();
  }
}

let steps = 0;
for (const [type, name] of [
  [SlotTable, "reference"],
  [FreeLists, "next"],
]) {
  const call = type.prototype[name];
  type.prototype[name] = function counted(at) {
    steps += 1;
    if (steps > MAX_STEPS) throw new Error(`no end after ${MAX_STEPS} steps`);
    return call.call(this, at);
  };
}

/** Opens a collection and uses all that it can do; gives the error code, or "worked". */
function use(name, memory, { wouldOpen, isJoining }, random) {
  const collection = collections[name]();
  const seen = (value) => {
    const found = value instanceof Uint8Array ? value : value?.name;
    if (found === undefined) return;
    assert.equal(Buffer.from(found).indexOf(secretBytes), -1, "another folio's bytes were read");
  };
  const attempt = (step) => {
    try {
      step();
      return "worked";
    } catch (error) {
      if (error?.message?.startsWith("no end") || !isKstateError(error)) throw error;
      if (error.code === "MEMORY_INVALID") assert.equal(error.detail.collection, name, error.message);
      return error.code;
    }
  };
  const opened = attempt(() => collection.openIn(memory));
  if (opened !== "worked") {
    assert.ok(!wouldOpen || isJoining(), `opening it fails after the commit: ${opened}`);
    return opened;
  }
  const n = random.below(400);
  const outcomes = (name === "array" ? arraySteps : mapSteps)(collection, name, n, seen).map(attempt);
  return outcomes.find((outcome) => outcome !== "worked") ?? "worked";
}

function mapSteps(map, name, n, seen) {
  const steps = [
    () => {
      for (const [, value] of map) seen(value);
    },
    () => {
      for (let k = n; k < n + 10; k += 1) seen(map.get(keyFor(name, k)));
    },
    () => seen(map.getView(keyFor(name, n))),
    () => map.migrateStep(50),
  ];
  for (let k = n; k < n + 12; k += 1) {
    steps.push(() => map.set(keyFor(name, k), name === "rows" ? rowFor(k) : new Uint8Array((k * 37) % 900)));
    steps.push(() => map.delete(keyFor(name, Math.abs(k - 200))));
  }
  return steps;
}

function arraySteps(array, _name, n, seen) {
  return [
    () => {
      for (const value of array) seen(value);
    },
    () => array.migrateStep(50),
    () => seen(array.get(n)),
    () => array.set(n, rowFor(n)),
    () => array.append(rowFor(n)),
    () => array.swapRemove(n % Math.max(1, array.length)),
    () => array.reserve(array.length + 100),
    () => seen(array.column("n")[0]),
  ];
}

const copy = new ArrayBuffer(CAPACITY);

/** One damaged collection; gives the outcome. */
function check({ buffer, secretAt, folios }, random) {
  new Uint8Array(copy).set(new Uint8Array(buffer)); // one buffer for all: making one takes longer than using it
  const name = random.pick(names);
  const isOwn = ({ owner }) => owner === `collection:${name}` || owner === `collection:${name}#`;
  const words = new Int32Array(copy);
  damage(words, folios.filter(isOwn), random);
  steps = 0;
  const memory = PhysicalMemory.attach(backEnd(copy));
  memory.own({ sweep: false });
  const { address } = folios.find(({ owner }) => owner === `collection:${name}`);
  const isJoining = () => words[address / 4 + MAP.joining] === 1; // then the blocks are looked at, too
  const outcome = use(name, memory, { wouldOpen: fits(name, memory), isJoining }, random);
  const secret = Buffer.from(copy, secretAt, SECRET_BYTES);
  assert.ok(secret.equals(wholeSecret), "another folio's bytes were written");
  return outcome;
}

/** Whether the program that owns the memory would let a successor have the collection. */
function fits(name, memory) {
  try {
    assertOpenable(memory, [collections[name]().record]);
    return true;
  } catch (error) {
    assert.ok(isKstateError(error), error?.stack ?? String(error));
    return false;
  }
}

/** Runs that many inputs; gives how often each outcome came. Throws with the input's seed when something is wrong. */
export function fuzzMemory({ inputs, seed = 1, progress = () => {} }) {
  const outcomes = new Map();
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0; // most of the time would go into traces that nobody reads
  const variants = [0, 1, 2].map(healthy);
  for (let i = 0; i < inputs; i += 1) {
    const random = makeRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(i + 1, 0x85ebca6b));
    try {
      const outcome = check(random.pick(variants), random);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    } catch (cause) {
      throw new Error(`input ${i} of seed ${seed}: ${cause.message}`, { cause });
    }
    if (i % 10_000 === 9_999) progress(i + 1);
  }
  Error.stackTraceLimit = stackTraceLimit;
  return outcomes;
}

if (import.meta.url === pathToFileURL(argv[1] ?? "").href) {
  const inputs = Number(argv[2] ?? 1_000_000);
  const seed = Number(argv[3] ?? Date.now() & 0xffff);
  const started = Date.now();
  const rate = (done) => `${Math.round((done * 1000) / (Date.now() - started))} inputs a second`;
  const progress = (done) => console.log(`seed ${seed}: ${done} of ${inputs}, ${rate(done)}`);
  const outcomes = fuzzMemory({ inputs, seed, progress });
  progress(inputs);
  for (const [outcome, count] of [...outcomes].sort((a, b) => b[1] - a[1]))
    console.log(`${outcome} ${count}`);
}
